"""No input costs much more processor time than ordinary input of the same size, on any route.

The measure is the processor time of the functions in one run, so a slow machine changes nothing.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.cost.costs import CostMeter
from tests.cost.inputs import (
    TAKEN,
    Inputs,
    PlainBody,
    Takes,
    plain_head,
    plain_parameters,
    unread_bodies,
    worst_bodies,
    worst_credentials,
    worst_headers,
    worst_parameters,
)
from tests.isolation.proof.attack.gateway import GatewayRequest
from tests.isolation.proof.discovery.deployment import discover_routes

# Limits, as a multiple of the processor time of ordinary input of the same size, in the same compression. Each is three
# times the largest that was measured, so that a noisy machine fails no test.
MOST = 20
# The limits of inputs with many small things, by a part of their names.
MOST_OF_DENSE = {"bad events": 30, "shared bytes": 60, "many query members": 30}
ROUTES = [route for route in discover_routes() if route.method != "OPTIONS"]
FIRST_OF_FUNCTION = {route.function: route for route in reversed(ROUTES)}

type Plain = Callable[[GatewayRequest], float]


def expensive(meter: CostMeter, inputs: Inputs, plain: Plain) -> dict[str, float]:
    """Return the inputs that cost too much, each with the multiple of the processor time of the *plain* one."""
    found = {}
    for name, request in inputs:
        ordinary = plain(request)
        most = ordinary * most_of(name)
        cost = meter.cost(request, at_most=most)
        if cost > most:
            found[name] = round(cost / ordinary, 1)
    return found


def most_of(name: str) -> int:
    """Return the limit of the input with *name*, as a multiple."""
    return next((most for part, most in MOST_OF_DENSE.items() if part in name), MOST)


def plain_heads(meter: CostMeter, request: GatewayRequest) -> Plain:
    """Return a function that returns the cost of *request* with an ordinary head, or of its refusal if that is larger.

    A route that only finds a file costs less than any refusal.
    """
    cost = max(meter.plain_cost(each) for each in (plain_head(request), *plain_parameters(request)))
    return lambda _: cost


def plain_bodies(meter: CostMeter, request: GatewayRequest, taken: Takes) -> Plain:
    """Return a function that returns the cost of *request* with an ordinary body like that of the worst one.

    Routes with the same source of bodies have the same code. So each body is measured once for all of them.
    """

    def plain(worst: GatewayRequest) -> float:
        body = PlainBody.like(worst, taken)
        if body not in meter.plain_costs:
            meter.plain_costs[body] = meter.plain_cost(body.of(request))
        return meter.plain_costs[body]

    return plain


def test_every_route_has_worst_inputs() -> None:
    assert set(TAKEN) == {route.name for route in ROUTES}


@pytest.mark.exhaustive
def test_no_input_of_a_permitted_caller_is_expensive(meter: CostMeter, subtests: pytest.Subtests) -> None:
    measured: set[str] = set()
    for route in ROUTES:
        call, _, request = meter.permitted(route)
        taken = TAKEN[route.name]
        with subtests.test(route.name):
            heads, bodies = plain_heads(meter, request), plain_bodies(meter, request, taken)
            assert expensive(meter, worst_parameters(request, taken, measured), heads) == {}
            assert expensive(meter, worst_bodies(request, call, taken), bodies) == {}
        measured.update(() if taken.is_alias else (*taken.query, *request.parameters))


@pytest.mark.exhaustive
def test_no_header_is_expensive(meter: CostMeter, subtests: pytest.Subtests) -> None:
    for function, route in FIRST_OF_FUNCTION.items():
        _, _, request = meter.permitted(route)
        with subtests.test(function):
            assert expensive(meter, worst_headers(request), plain_heads(meter, request)) == {}


@pytest.mark.exhaustive
def test_no_credential_is_expensive(meter: CostMeter, subtests: pytest.Subtests) -> None:
    for name in ("GET /usage", "POST /batch", "POST /track"):
        [route] = [route for route in ROUTES if route.name == name]
        _, _, request = meter.permitted(route)
        with subtests.test(name):
            assert expensive(meter, worst_credentials(request), plain_heads(meter, request)) == {}


@pytest.mark.exhaustive
def test_no_body_without_a_credential_is_expensive(meter: CostMeter, subtests: pytest.Subtests) -> None:
    for route in ROUTES:
        taken = TAKEN[route.name]
        if taken.batch is None or route.has_authorizer:
            continue
        _, _, request = meter.permitted(route)
        anonymous = replace(request, headers=tuple(pair for pair in request.headers if pair[0] != "Authorization"))
        with subtests.test(route.name):
            assert expensive(meter, unread_bodies(anonymous, taken), plain_bodies(meter, request, taken)) == {}


@pytest.mark.exhaustive
def test_body_of_a_caller_without_the_right_is_not_read(meter: CostMeter, subtests: pytest.Subtests) -> None:
    for route in [route for route in ROUTES if route.has_authorizer]:
        call, _, _ = meter.permitted(route)
        request = meter.refused(call)
        assert request is not None, route.name
        plain = meter.gateway.send(replace(request, body=b"{}"))
        bodies = (b"\x1f\x8b" * 150_000, b"[" * 10_000, b'{"organization_id": "globex"}', b"\xff")
        with subtests.test(route.name):
            answers = [meter.gateway.send(replace(request, body=body)) for body in bodies]
            assert {(answer.status, answer.body) for answer in answers} == {(plain.status, plain.body)}
