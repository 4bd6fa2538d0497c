"""Each route refuses members that it does not know, and names all fields at fault in our own words."""

import gzip
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest

from tenancy.gateway.field_errors import OTHER
from tenancy.rules.resolution import ORGANIZATION_MEMBER
from tenancy.use_cases.organizations.provision import Provisioned
from tests.handlers.functions import Function, Start
from tests.handlers.requests import Event, answer_of, problem_of, recent_event, with_body, with_headers, with_path
from tests.handlers.strict_routes import StrictRoute, strict_routes, with_query_values

ROUTES = list(strict_routes())
EVENTS = "/events"
SHORT_ID = "0193f6a2-5c1e-4b7a-9d44"
LOCATION = re.compile(r"(?:body|query|path|header)(?:/[^/]+)*")
# Words of pydantic, msgspec and Python. `items` is the noun of both libraries for members of a list.
FOREIGN_WORDS = re.compile(
    r"Value error|Input should|Field required|Extra inputs|valid string|unable to|Object |Expected `|`\$|\bitems?\b"
    r"|\bdict|\bstr\b|\bint\b|\bUUID input|pydantic|msgspec|\bNone\b|[{}]",
    re.IGNORECASE,
)
WRONG_VALUES: tuple[object, ...] = (
    None, True, 0, -1, 1.5, 10**30, -(10**30), "", " ", "x", "é", "5", "null", "a\nb", "x" * 300, "x" * 5000,
    [], [1], {}, {"a": 1},
)  # fmt: skip
WRONG_TEXTS = (
    "", " ", "x", "é", "null", "1.5", "1_0", "+1", " 1", "\u0661", "0x1", "9" * 30, "9" * 5000, "-1", "[]",
    "2026-11-01T00:00:00Z",
    "2026-11-01T00:00:00-08:00", "2026-11-01 ", "1795824000", "2026-13-01", "2026-02-30", "20261101", "26-11-01",
)  # fmt: skip

type Call = Callable[[StrictRoute, Event], dict[str, Any]]


@pytest.fixture
def functions(start: Start, secrets: None) -> Callable[[str], Function]:  # noqa: ARG001
    return cache(start)


@pytest.fixture
def refuse(functions: Callable[[str], Function]) -> Call:
    """Return the problem of a request that must be 422, and check the style of its errors."""

    def call(route: StrictRoute, request: Event) -> dict[str, Any]:
        problem = problem_of(functions(route.function)(request), request, 422, "invalid")
        assert problem["errors"]
        for error in problem["errors"]:
            assert LOCATION.fullmatch(error["location"]), error
            assert not FOREIGN_WORDS.search(error["message"]), error
            assert re.fullmatch(r"[A-Z`].*\.", error["message"]), error
            assert error["message"] != OTHER[1], f"{error} has an error type without a text of ours"
        return problem

    return call


def faults(problem: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(error["location"], error["code"]) for error in problem["errors"]}


def body_of(route: StrictRoute) -> dict[str, Any]:
    """Return the body of the sample, with one valid event for POST /v1/events."""
    text = route.sample["body"]
    if not text:
        return {}
    document: dict[str, Any] = json.loads(gzip.decompress(text.encode()) if text.startswith("\x1f") else text)
    return document


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_unknown_query_member_is_refused(refuse: Call, route: StrictRoute, acme: Provisioned) -> None:
    request = with_query_values(route.request(acme), {"start": ["2026-11-01"]})
    if route.path == EVENTS:
        request = with_recent_events(request)

    problem = refuse(route, request)

    assert ("query/start", "unknown_member") in faults(problem)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_repeated_query_member_is_refused(
    refuse: Call, functions: Callable[[str], Function], route: StrictRoute, acme: Provisioned
) -> None:
    own = str(acme.organization.id)
    for name in route.query_members(functions(route.function)):
        values = [own, own] if name == ORGANIZATION_MEMBER else ["1", "1"]
        request = with_query_values(route.request(acme), {name: values})
        if route.path == EVENTS:
            request = with_recent_events(request)

        problem = refuse(route, request)

        assert (f"query/{name}", "repeated") in faults(problem)


@pytest.mark.parametrize("route", [each for each in ROUTES if each.path != "/health"], ids=str)
def test_unknown_member_of_a_body_is_refused(refuse: Call, route: StrictRoute, acme: Provisioned) -> None:
    members = {**body_of(route), "teir": "growth", "x" * 5000: 1}
    if route.takes_organization():
        members[ORGANIZATION_MEMBER] = str(acme.organization.id)

    problem = refuse(route, with_body(route.request(acme), members))

    assert faults(problem) == {("body/teir", "unknown_member"), (f"body/{'x' * 64}", "unknown_member")}


@pytest.mark.parametrize("route", [each for each in ROUTES if each.path != "/health"], ids=str)
def test_body_that_is_no_object_is_refused(refuse: Call, route: StrictRoute, acme: Provisioned) -> None:
    for body in (b"[]", b"[{}]", b"null", b"5", b'"x"', b"true"):
        problem = refuse(route, with_body(route.request(acme), body))

        assert faults(problem) == {("body", "invalid_type")}


@pytest.mark.parametrize("route", [each for each in ROUTES if each.path != "/health"], ids=str)
def test_mismatch_comes_before_unknown_members(
    functions: Callable[[str], Function], route: StrictRoute, acme: Provisioned, globex: Provisioned
) -> None:
    other = str(globex.organization.id)
    request = route.request(acme)
    for named in (
        with_query_values(request, {ORGANIZATION_MEMBER: [other], "start": ["1"]}),
        with_query_values(request, {ORGANIZATION_MEMBER: [other, other]}),
        with_body(with_query_values(request, {"start": ["1"]}), {ORGANIZATION_MEMBER: other, "teir": 1}),
    ):
        problem_of(functions(route.function)(named), named, 403, "tenant_mismatch")


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_wrong_values_of_a_body_have_our_texts(
    refuse: Call, functions: Callable[[str], Function], route: StrictRoute, acme: Provisioned
) -> None:
    model = route.body_model(functions(route.function))
    if model is None:
        return
    body = {**body_of(route), "unknown": 1}  # so that no request is accepted
    for name in model.model_fields:
        for value in WRONG_VALUES:
            refuse(route, with_body(route.request(acme), {**body, name: value}))
        missing = {other: value for other, value in body.items() if other != name}

        problem = refuse(route, with_body(route.request(acme), missing))

        is_required = model.model_fields[name].is_required()
        assert ((f"body/{name}", "missing") in faults(problem)) == is_required


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_wrong_values_of_a_query_have_our_texts(
    refuse: Call, functions: Callable[[str], Function], route: StrictRoute, acme: Provisioned
) -> None:
    for name in set(route.query_members(functions(route.function))) - {ORGANIZATION_MEMBER}:
        for value in WRONG_TEXTS:
            refuse(route, with_query_values(route.request(acme), {name: [value], "unknown": ["1"]}))


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_wrong_id_in_a_path_has_our_text(refuse: Call, route: StrictRoute, acme: Provisioned) -> None:
    ids = {name for name in route.sample["pathParameters"] or {} if name.endswith("_id")}
    for name in ids:
        for value in ("x", "1", SHORT_ID, f"{SHORT_ID}-zzzz"):
            request = route.request(acme)
            parameters = {**request["pathParameters"], name: value}
            path = route.path.replace("{metric}", "ml_predictions")
            for parameter, text in parameters.items():
                path = path.replace(f"{{{parameter}}}", text)

            problem = refuse(route, {**with_path(request, path, route.path), "pathParameters": parameters})

            assert (f"path/{name}", "invalid") in faults(problem)


@pytest.mark.parametrize("key", ["", "é", "a b", "x" * 256, "a\n"])
def test_wrong_idempotency_key_has_our_text(refuse: Call, acme: Provisioned, key: str) -> None:
    taking = [
        route
        for route in ROUTES
        if (route.method, route.path) in {("POST", "/organizations"), ("POST", "/usage/{metric}")}
    ]
    for route in taking:
        problem = refuse(route, with_headers(route.request(acme), idempotency_key=key))

        assert faults(problem) == {("header/Idempotency-Key", "invalid")}


@pytest.mark.parametrize("name", ["from", "to"])
def test_day_has_one_spelling(refuse: Call, acme: Provisioned, name: str) -> None:
    [route] = [route for route in ROUTES if str(route) == "GET /usage"]
    for day in WRONG_TEXTS:
        problem = refuse(route, with_query_values(route.request(acme), {name: [day]}))

        assert faults(problem) == {(f"query/{name}", "invalid")}


def test_own_organization_is_known_in_query_and_body(functions: Callable[[str], Function], acme: Provisioned) -> None:
    own = str(acme.organization.id)
    [route] = [route for route in ROUTES if str(route) == "POST /usage/{metric}"]
    request = with_query_values(route.request(acme), {ORGANIZATION_MEMBER: [own]})

    answer = answer_of(functions(route.function)(with_body(request, {"amount": 1, ORGANIZATION_MEMBER: own.upper()})))

    assert answer.status == 200


def test_last_one_of_repeated_members_of_a_body_counts(functions: Callable[[str], Function], acme: Provisioned) -> None:
    [route] = [route for route in ROUTES if str(route) == "POST /usage/{metric}"]

    answer = answer_of(functions(route.function)(with_body(route.request(acme), b'{"amount": 5, "amount": 2}')))

    assert answer.document["used"] == 2


def test_errors_of_a_body_are_bounded(refuse: Call, acme: Provisioned) -> None:
    for route in ROUTES:
        if route.path != "/health":
            members = {**body_of(route), **{f"unknown_{number}": 1 for number in range(10_000)}}

            problem = refuse(route, with_body(route.request(acme), members))

            assert len(problem["errors"]) <= 100


def with_recent_events(request: Event) -> Event:
    """Send an event that happened now, because the sample's are out of range."""
    return with_body(request, {"events": [recent_event(1)]})
