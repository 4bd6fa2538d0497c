"""No input costs much more processor time than ordinary input of the same size, on any route.

The measure is the processor time of the functions in one run, so a slow machine changes nothing.
"""

from dataclasses import replace

import pytest

from tests.cost.costs import CostMeter
from tests.cost.inputs import (
    BODY_BYTES,
    TAKEN,
    Inputs,
    plain_body,
    plain_head,
    worst_bodies,
    worst_credentials,
    worst_heads,
)
from tests.isolation.proof.discovery.deployment import discover_routes

# As a multiple of the processor time of ordinary input of the same size. Measured multiples are less than 7.
MOST = 20
ROUTES = [route for route in discover_routes() if route.method != "OPTIONS"]


def expensive(meter: CostMeter, inputs: Inputs, plain: float) -> dict[str, float]:
    """Return the inputs that cost too much, each with the multiple of the processor time of *plain*."""
    limit = plain * MOST
    costs = {name: meter.cost(request, at_most=limit) for name, request in inputs}
    return {name: round(cost / plain, 1) for name, cost in costs.items() if cost > limit}


def test_every_route_has_worst_inputs() -> None:
    assert set(TAKEN) == {route.name for route in ROUTES}


def test_no_input_of_a_permitted_caller_is_expensive(meter: CostMeter, subtests: pytest.Subtests) -> None:
    for route in ROUTES:
        call, _, request = meter.permitted(route)
        taken = TAKEN[route.name]
        with subtests.test(route.name):
            assert expensive(meter, worst_heads(request, taken), meter.cost(plain_head(request))) == {}
            assert expensive(meter, worst_bodies(request, call, taken), meter.cost(plain_body(request, taken))) == {}


def test_no_credential_is_expensive(meter: CostMeter, subtests: pytest.Subtests) -> None:
    for name in ("GET /usage", "POST /batch", "POST /track"):
        [route] = [route for route in ROUTES if route.name == name]
        _, _, request = meter.permitted(route)
        with subtests.test(name):
            assert expensive(meter, worst_credentials(request), meter.cost(plain_head(request))) == {}


def test_no_body_without_a_credential_is_expensive(meter: CostMeter, subtests: pytest.Subtests) -> None:
    for route in ROUTES:
        taken = TAKEN[route.name]
        if taken.batch is None or route.has_authorizer:
            continue
        call, _, request = meter.permitted(route)
        anonymous = replace(request, headers=tuple(pair for pair in request.headers if pair[0] != "Authorization"))
        plain = meter.cost(plain_body(request, taken))
        with subtests.test(route.name):
            assert expensive(meter, worst_bodies(anonymous, call, taken), plain) == {}


def test_body_of_a_caller_without_the_right_is_not_read(meter: CostMeter, subtests: pytest.Subtests) -> None:
    for route in [route for route in ROUTES if route.has_authorizer]:
        call, _, _ = meter.permitted(route)
        request = meter.refused(call)
        assert request is not None, route.name
        plain = meter.gateway.send(replace(request, body=b"{}"))
        bodies = (b"\x1f\x8b" * BODY_BYTES, b"[" * BODY_BYTES, b'{"organization_id": "globex"}', b"\xff")
        with subtests.test(route.name):
            answers = [meter.gateway.send(replace(request, body=body)) for body in bodies]
            assert {(answer.status, answer.body) for answer in answers} == {(plain.status, plain.body)}
