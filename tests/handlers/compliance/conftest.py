"""The functions that answer reports of compliance."""

import pytest

from tests.handlers.functions import Function, Start


@pytest.fixture
def audit(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("audit")


@pytest.fixture
def compliance(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("compliance")
