"""Texts that PostgreSQL or UTF-8 refuses are no server error in any text of a request body."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis as Client

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import PASSWORD, Servers
from tests.handlers.functions import Function, Start
from tests.handlers.logged_in import log_in_request, post
from tests.handlers.requests import answer_of, problem_of, with_body
from tests.handlers.strict_routes import StrictRoute, strict_routes

FUNCTIONS = ("identity", "members", "keys")
ROUTES = [route for route in strict_routes() if route.function in FUNCTIONS and route.sample["body"]]
TEXTS = {
    "NUL": "\0",
    "NUL in an address": "a\0b@acme.example",
    "NUL in a domain": "a@acme\0.example",
    "NUL after a subdomain": "acme\0",
    "high surrogate": "\ud800@acme.example",
    "low surrogate": "acme\udfff",
    "surrogates in the wrong order": "\udfff\ud800",
    "no character": "\uffff@acme.example",
    "10,000 characters": "x" * 10_000,
    "10,000 characters of an address": f"{'x' * 10_000}@acme.example",
}


def bodies(route: StrictRoute, function: Function, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the body of the sample with *text* in each member, and in each pair with `password`."""
    model = route.body_model(function)
    assert model is not None, route
    valid = json.loads(route.sample["body"])
    for name in model.model_fields:
        yield name, {**valid, name: text}
    if "current_password" in model.model_fields:
        yield "current_password beside password", {"password": PASSWORD * 2, "current_password": text}
        yield "password beside current_password", {"password": text, "current_password": PASSWORD}


@pytest.fixture
def identity(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("identity")


def forget_counts(servers: Servers) -> None:
    """Start a new minute of the rate limits, and forget the failed log-ins."""
    with Client.from_url(servers.valkey_url) as client:
        for key in (*client.keys("*:rate:*"), *client.keys("*:logins*")):
            client.delete(key)


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_text_is_a_server_error(
    start: Start, servers: Servers, acme: Provisioned, function: str, subtests: pytest.Subtests
) -> None:
    started = start(function)
    for route in [route for route in ROUTES if route.function == function]:
        for case, text in TEXTS.items():
            for name, body in bodies(route, started, text):
                with subtests.test(f"{route} {name}: {case}"):
                    forget_counts(servers)

                    answer = answer_of(started(with_body(route.request(acme), body)))

                    assert 200 <= answer.status < 500


@pytest.mark.parametrize("email", ["\0", "a\0b@acme.example", "no address", "é@acme.example"])
def test_text_that_is_no_address_is_an_unknown_member(identity: Function, acme: Provisioned, email: str) -> None:
    unknown = post("log_in", {"email": "nobody@acme.example", "password": PASSWORD, "organization": "acme"})
    request = post("log_in", {"email": email, "password": PASSWORD, "organization": "acme"})

    expected = problem_of(identity(unknown), unknown, 401, "unauthenticated")
    problem = problem_of(identity(request), request, 401, "unauthenticated")

    assert problem["detail"] == expected["detail"]
    assert answer_of(identity(log_in_request(acme))).status == 200
