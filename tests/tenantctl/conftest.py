"""tenantctl as a process, beside an API that the test serves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tenantctl.processes import Tenantctl
from tests.tenantctl.served_api import ServedApi


@pytest.fixture
def api() -> Iterator[ServedApi]:
    with ServedApi.serving() as api:
        yield api


@pytest.fixture
def tenantctl(tmp_path: Path, api: ServedApi) -> Tenantctl:
    """Return tenantctl in a folder whose local stack is the served API."""
    command = Tenantctl(tmp_path)
    command.write_stack(api.url)
    return command
