"""Each route refuses members that it does not know, and names all fields at fault in our own words."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from redis import Redis as Client

from tenancy.gateway.field_errors import OTHER
from tenancy.rules.events.cloud_event_errors import CLOUD_EVENT_MEMBERS
from tenancy.rules.resolution import ORGANIZATION_MEMBER
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Servers, tenant_of
from tests.handlers.functions import Function, Start
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    called_by,
    cloud_event,
    problem_of,
    recent_event,
    with_body,
    with_headers,
    with_path,
)
from tests.handlers.strict_routes import (
    SAMPLE_ID,
    STRICT_WITHOUT_CREDENTIAL,
    StrictRoute,
    sampled_query_members,
    strict_routes,
    with_query_values,
)

ROUTES = list(strict_routes())
WITH_BODY = [route for route in ROUTES if route.path not in STRICT_WITHOUT_CREDENTIAL]
[EVENTS] = [route for route in ROUTES if str(route) == "POST /events"]
[USAGE] = [route for route in ROUTES if str(route) == "GET /usage"]
[REPORT] = [route for route in ROUTES if str(route) == "POST /usage/{metric}"]
WITH_IDEMPOTENCY = [route for route in ROUTES if str(route) in {"POST /organizations", "POST /usage/{metric}"}]
SHORT_ID = "0193f6a2-5c1e-4b7a-9d44"
OTHER_SPELLINGS = (SAMPLE_ID.replace("-", ""), f"{{{SAMPLE_ID}}}", f"urn:uuid:{SAMPLE_ID}", f"{SAMPLE_ID} ")
WRONG_IDS = ("x", "1", SHORT_ID, f"{SHORT_ID}-zzzz", *OTHER_SPELLINGS)
LOCATION = re.compile(r"(?:body|query|path|header)(?:/[^/]+)*")
# Words of pydantic, msgspec and Python. `items` is the word of both libraries for the members of a list.
FOREIGN_WORDS = re.compile(
    r"Value error|Input should|Field required|Extra inputs|valid string|unable to|Object |Expected `|`\$|\bitems?\b"
    r"|\bdict|\bstr\b|\bint\b|pydantic|msgspec|(?-i:\bNone\b)|[{}]",
    re.IGNORECASE,
)
WRONG_VALUES: tuple[object, ...] = (
    None, True, 0, -1, 1.5, 10**30, -(10**30), "", " ", "x", "é", "5", "null", "a\nb", "x" * 300, "x" * 5000,
    [], [1], {}, {"a": 1},
)  # fmt: skip
WRONG_TEXTS = (
    "", " ", "x", "é", "null", "1.5", "1_0", "+1", " 1", "\u0661", "0x1", "9" * 30, "9" * 5000, "-1", "[]",
    "2026-11-01T00:00:00Z", "2026-11-01T00:00:00-08:00", "2026-11-01 ", "2026-11-01\n", "1795824000", "2026-13-01",
    "2026-02-30", "20261101", "26-11-01", "2026-W45-1",
)  # fmt: skip

type Functions = Callable[[str], Function]
type Refuse = Callable[[StrictRoute, Event], dict[str, Any]]


@pytest.fixture
def functions(start: Start, secrets: None, servers: Servers) -> Iterator[Functions]:  # noqa: ARG001
    """Start each function once. Each call starts a new minute of the rate limits."""
    started = cache(start)
    with Client.from_url(servers.valkey_url) as client:

        def begin(name: str) -> Function:
            for key in client.keys("*:rate:*"):
                client.delete(key)
            return started(name)

        yield begin


@pytest.fixture
def refuse(functions: Functions) -> Refuse:
    """Return the problem of a request that must be 422, and check the style of its errors."""

    def call(route: StrictRoute, request: Event) -> dict[str, Any]:
        problem = problem_of(functions(route.function)(request), request, 422, "invalid")
        assert 1 <= len(problem["errors"]) <= 100
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
    """Return the body of the sample.

    Events of the sample are replaced, because they may be too old.
    """
    if route is EVENTS:
        return {"events": [recent_event(1)]}
    if route.takes_any_member:
        return cloud_event(1)
    return dict(json.loads(route.sample["body"] or "{}"))


def with_valid_body(route: StrictRoute, request: Event) -> Event:
    return with_body(request, body_of(route)) if body_of(route) else request


def test_unknown_query_member_is_refused(refuse: Refuse, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for route in ROUTES:
        with subtests.test(str(route)):
            unknown = {"start": ["2026-11-01"], acme.secret_key.text: ["1"]}
            request = with_query_values(route.request(acme), unknown)

            problem = refuse(route, with_valid_body(route, request))

            assert faults(problem) == {("query/start", "unknown_member"), ("query/…", "unknown_member")}


def test_repeated_query_member_is_refused(
    refuse: Refuse, functions: Functions, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    own = str(acme.organization.id)
    for route in ROUTES:
        for name in route.query_members(functions(route.function)):
            with subtests.test(f"{route} {name}"):
                values = [own, own] if name == ORGANIZATION_MEMBER else ["1", "1"]
                request = with_query_values(route.request(acme), {name: values})

                problem = refuse(route, with_valid_body(route, request))

                assert faults(problem) == {(f"query/{name}", "repeated")}


def test_unknown_member_of_a_body_is_refused(refuse: Refuse, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for route in [route for route in WITH_BODY if not route.takes_any_member]:
        with subtests.test(str(route)):
            own = {ORGANIZATION_MEMBER: str(acme.organization.id)} if route.takes_organization() else {}
            members = {**body_of(route), **own, "teir": "growth", "x" * 5000: 1, acme.secret_key.text: 1}

            problem = refuse(route, with_body(route.request(acme), members))

            unknown = {"body/teir", f"body/{'x' * 194}…", "body/…"}
            assert faults(problem) == {(location, "unknown_member") for location in unknown}


def test_extensions_of_a_cloud_event_are_taken(
    functions: Functions, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    routes = [route for route in ROUTES if route.takes_any_member]
    for route in routes:
        with subtests.test(str(route)):
            members = {**body_of(route), ORGANIZATION_MEMBER: str(acme.organization.id), "teir": "growth"}

            answer = answer_of(functions(route.function)(with_body(route.request(acme), members)))

            assert answer.status in {200, 204}
    assert len(routes) == 2


def test_wrong_values_of_a_cloud_event_have_our_texts(
    refuse: Refuse, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    for route in [route for route in ROUTES if route.takes_any_member]:
        for name in (*CLOUD_EVENT_MEMBERS, "time", "data_base64"):
            with subtests.test(f"{route} {name}"):
                for value in WRONG_VALUES:
                    wrong = {**cloud_event(1), "id": "", "source": "", name: value}  # so that no event is accepted
                    refuse(route, with_body(route.request(acme), wrong))


def test_body_that_is_no_object_is_refused(refuse: Refuse, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for route in WITH_BODY:
        with subtests.test(str(route)):
            for body in (b"[]", b"[{}]", b"null", b"5", b'"x"', b"true"):
                problem = refuse(route, with_body(route.request(acme), body))

                assert faults(problem) == {("body", "invalid_type")}


def test_mismatch_comes_before_unknown_members(
    functions: Functions, acme: Provisioned, globex: Provisioned, subtests: pytest.Subtests
) -> None:
    other = str(globex.organization.id)
    for route in WITH_BODY:
        with subtests.test(str(route)):
            request = route.request(acme)
            for named in (
                with_query_values(request, {ORGANIZATION_MEMBER: [other], "start": ["1"]}),
                with_query_values(request, {ORGANIZATION_MEMBER: [other, other]}),
                with_body(with_query_values(request, {"start": ["1"]}), {ORGANIZATION_MEMBER: other, "teir": 1}),
            ):
                problem_of(functions(route.function)(named), named, 403, "tenant_mismatch")


def test_mismatch_of_an_event_comes_before_unknown_members(
    functions: Functions, acme: Provisioned, globex: Provisioned
) -> None:
    events = [recent_event(1), recent_event(2, organization_id=str(globex.organization.id), revenu=1)]
    request = with_query_values(EVENTS.request(acme), {"start": ["1"]})

    for body in ({"events": events}, {"events": events, "teir": 1}):
        named = with_body(request, body)
        problem_of(functions("ingest")(named), named, 403, "tenant_mismatch")


def test_wrong_values_of_a_body_have_our_texts(
    refuse: Refuse, functions: Functions, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    for route in ROUTES:
        model = route.body_model(functions(route.function))
        for name, field in (model.model_fields if model else {}).items():
            with subtests.test(f"{route} {name}"):
                body = {**body_of(route), "unknown": 1}  # so that no request is accepted
                for value in WRONG_VALUES:
                    refuse(route, with_body(route.request(acme), {**body, name: value}))
                body.pop(name, None)

                problem = refuse(route, with_body(route.request(acme), body))

                assert ((f"body/{name}", "missing") in faults(problem)) == field.is_required()


def test_wrong_values_of_a_query_have_our_texts(
    refuse: Refuse, functions: Functions, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    for route in ROUTES:
        for name in set(route.query_members(functions(route.function))) - {ORGANIZATION_MEMBER}:
            with subtests.test(f"{route} {name}"):
                for value in WRONG_TEXTS:
                    refuse(route, with_query_values(route.request(acme), {name: [value], "unknown": ["1"]}))


def test_wrong_id_in_a_path_has_our_text(refuse: Refuse, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for route in ROUTES:
        for name in route.sample["pathParameters"] or {}:
            if not name.endswith("_id"):
                continue
            with subtests.test(f"{route} {name}"):
                for value in WRONG_IDS:
                    problem = refuse(route, with_parameter(route, route.request(acme), name, value))

                    assert (f"path/{name}", "invalid") in faults(problem)


def test_other_spelling_of_the_own_id_in_a_path_is_refused(
    functions: Functions, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    own = acme.organization.id
    for route in [route for route in WITH_BODY if ORGANIZATION_MEMBER in (route.sample["pathParameters"] or {})]:
        for value in (own.hex, f"{{{own}}}", f"urn:uuid:{own}", f"({own})", f"{own} ", f"{own}\n"):
            with subtests.test(f"{route} {value!r}"):
                as_operator = with_parameter(route, route.request(acme), ORGANIZATION_MEMBER, value)

                answer = answer_of(functions(route.function)(as_operator))

                assert answer.status in {404, 422}
                for caller in (OPERATOR, tenant_of(acme)):
                    named = called_by(with_query_values(as_operator, {ORGANIZATION_MEMBER: [str(own)]}), caller)
                    assert answer_of(functions(route.function)(named)).status in {403, 404}


def with_parameter(route: StrictRoute, request: Event, name: str, value: str) -> Event:
    parameters: dict[str, str] = {**request["pathParameters"], name: value}
    path = route.path
    for parameter, text in parameters.items():
        path = path.replace(f"{{{parameter}}}", text)
    return {**with_path(request, path, route.path), "pathParameters": parameters}


def test_wrong_idempotency_key_has_our_text(refuse: Refuse, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for route in WITH_IDEMPOTENCY:
        for key in ("", "é", "a b", "x" * 256, "a\n"):
            with subtests.test(f"{route} {key[:8]}"):
                problem = refuse(route, with_headers(route.request(acme), idempotency_key=key))

                assert faults(problem) == {("header/idempotency-key", "invalid")}


@pytest.mark.parametrize("name", ["from", "to"])
def test_day_has_one_spelling(refuse: Refuse, acme: Provisioned, name: str) -> None:
    for day in WRONG_TEXTS:
        problem = refuse(USAGE, with_query_values(USAGE.request(acme), {name: [day]}))

        assert faults(problem) == {(f"query/{name}", "invalid")}


def test_own_organization_is_known_in_query_and_body(functions: Functions, acme: Provisioned) -> None:
    own = str(acme.organization.id)
    request = with_query_values(REPORT.request(acme), {ORGANIZATION_MEMBER: [own]})

    answer = answer_of(functions(REPORT.function)(with_body(request, {"amount": 1, ORGANIZATION_MEMBER: own.upper()})))

    assert answer.status == 200


def test_last_one_of_repeated_members_of_a_body_counts(functions: Functions, acme: Provisioned) -> None:
    request = with_body(REPORT.request(acme), b'{"amount": 5, "amount": 2}')

    assert answer_of(functions(REPORT.function)(request)).document["used"] == 2


def test_errors_of_a_request_are_bounded(refuse: Refuse, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for route in WITH_BODY:
        with subtests.test(str(route)):
            members = {**body_of(route), **{f"unknown_{number}": 1 for number in range(10_000)}}

            refuse(route, with_body(route.request(acme), members))


def test_each_id_in_a_query_has_a_sample(functions: Functions) -> None:
    """The isolation proof replaces the ids of samples by those of other organizations."""
    members = {(str(route), name) for route in ROUTES for name in route.query_members(functions(route.function))}

    ids = {(route, name) for route, name in members if name.endswith("_id") and name != ORGANIZATION_MEMBER}

    assert ("GET /stats", "app_id") in ids
    assert ids <= sampled_query_members()


# ------------------------------------------------------------------------------------- faults that compare members

REVERSED = {"from": ["2026-12-01"], "to": ["2026-11-01"]}


def test_each_fault_of_a_query_is_in_one_answer(
    refuse: Refuse, functions: Functions, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    """A malformed cursor, a reversed period and an invalid size are in one answer."""
    wrong = {**REVERSED, "cursor": ["no cursor"], "limit": ["0"], "start": ["x"]}
    expected = {
        "from": [("query/to", "out_of_range")],
        "cursor": [("query/cursor", "invalid")],
        "limit": [("query/limit", "out_of_range")],
    }
    checked = []
    for route in ROUTES:
        members = route.query_members(functions(route.function))
        known = [name for name in expected if name in members]
        values = {name: found for name, found in wrong.items() if name in members or name == "start"}
        if len(known) > 1:
            with subtests.test(str(route)):
                problem = refuse(route, with_query_values(route.request(acme), values))

                faults_of_members = {fault for name in known for fault in expected[name]}
                assert faults(problem) == faults_of_members | {("query/start", "unknown_member")}
                checked.append(str(route))

    assert {"GET /stats", "GET /usage", "GET /audit", "GET /exports", "GET /organizations"} <= set(checked)


def test_reversed_period_is_found_beside_an_unknown_member(
    refuse: Refuse, functions: Functions, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    for route in ROUTES:
        if "from" in route.query_members(functions(route.function)):
            with subtests.test(str(route)):
                problem = refuse(route, with_query_values(route.request(acme), {**REVERSED, "start": ["x"]}))

                assert faults(problem) == {("query/to", "out_of_range"), ("query/start", "unknown_member")}


def test_period_with_an_invalid_day_is_not_compared(
    refuse: Refuse, functions: Functions, acme: Provisioned, subtests: pytest.Subtests
) -> None:
    for route in ROUTES:
        if "from" in route.query_members(functions(route.function)):
            with subtests.test(str(route)):
                values = {"from": ["2100-01-01x"], "to": ["2000-01-02"]}

                problem = refuse(route, with_query_values(route.request(acme), values))

                assert faults(problem) == {("query/from", "invalid")}


@pytest.mark.parametrize(
    ("path", "values", "expected"),
    [
        (
            "GET /stats",
            {"from": ["2026-01-01"], "to": ["2026-03-01"], "timezone": ["Asia/Tokyo"], "order_by": ["x"]},
            {("query/to", "out_of_range"), ("query/order_by", "unknown")},
        ),
        (
            "GET /stats",
            {"from": ["2026-01-01"], "to": ["2026-03-01"], "timezone": ["Tokyo"], "order_by": ["x"]},
            {("query/timezone", "unknown"), ("query/order_by", "unknown")},
        ),
        (
            "GET /audit",
            {"limit": ["101"], "outcome": ["x"]},
            {("query/limit", "out_of_range"), ("query/outcome", "unknown")},
        ),
        (
            "GET /audit/verify",
            {"after_sequence": ["1"], "start": ["x"]},
            {("query/after_seal", "missing"), ("query/start", "unknown_member")},
        ),
    ],
)
def test_late_fault_is_found_beside_another_one(
    refuse: Refuse, acme: Provisioned, path: str, values: dict[str, list[str]], expected: set[tuple[str, str]]
) -> None:
    [route] = [each for each in ROUTES if str(each) == path]

    problem = refuse(route, with_query_values(route.request(acme), values))

    assert faults(problem) == expected
