"""Every route refuses a revoked platform key, although API Gateway has cached its authorization."""

import pytest

from tests.given import ROOT, Databases
from tests.handlers.functions import Start, superuser
from tests.handlers.requests import OPERATOR, Event, answer_of, called_by, problem_of, sample
from tests.isolation.proof.discovery.deployment import discover_routes

ROUTES = {(route.method, route.path): route.function for route in discover_routes() if route.has_authorizer}
FUNCTIONS = sorted(set(ROUTES.values()))


def samples_of(function: str) -> list[Event]:
    """Return the sample requests of *function* on routes behind the authorizer, called by an operator."""
    found = [sample(function, file.stem) for file in sorted((ROOT / "events" / function).glob("*.json"))]
    return [called_by(each, OPERATOR) for each in found if (each.get("httpMethod"), each.get("resource")) in ROUTES]


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_revoked_platform_key_is_refused_on_every_route(start: Start, databases: Databases, function: str) -> None:
    started, requests = start(function), samples_of(function)
    assert requests
    assert answer_of(started(requests[0])).status != 401

    with superuser(databases) as conn:
        conn.execute("UPDATE platform_keys SET revoked_at = now()")

    for request in requests:
        problem_of(started(request), request, 401, "unauthenticated")
