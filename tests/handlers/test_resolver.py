"""The router keeps nothing between requests."""

import pytest

from tests.given import Databases
from tests.handlers.functions import Function, Start
from tests.handlers.requests import OPERATOR, answer_of, called_by, problem_of, sample, with_body


@pytest.fixture
def provision(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("provision")


def test_caller_is_forgotten_after_its_request(provision: Function, databases: Databases) -> None:
    operators = called_by(sample("provision", "create"), OPERATOR)
    for body in (b"{", b'{"name": 1}'):
        assert answer_of(provision(with_body(operators, body))).status in {400, 422}
        request = {**operators, "requestContext": {**operators["requestContext"], "authorizer": {}}}
        problem_of(provision(request), request, 401, "unauthenticated")

    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT count(*) FROM organizations").fetchone() == (0,)
