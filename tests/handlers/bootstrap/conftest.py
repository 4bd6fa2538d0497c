"""The function bootstrap, and a server for its reports to CloudFormation."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.given import STACK_NAME, AwsAccount
from tests.handlers.cloudformation import report_server
from tests.handlers.functions import PREFIX, Function, running

type Reports = tuple[str, list[dict[str, Any]]]
type Run = Callable[..., dict[str, Any]]


@pytest.fixture
def bootstrap(aws: AwsAccount) -> Iterator[Function]:
    values = {"AWS_ENDPOINT_URL": aws.endpoint_url, "SECRETS_PREFIX": PREFIX, "STACK_NAME": STACK_NAME}
    with running("bootstrap", values) as function:
        yield function


@pytest.fixture
def reports() -> Iterator[Reports]:
    with report_server() as served:
        yield served
