"""Every answer of every route is bounded: at most 5 MB, and each list has pages or a declared maximum."""

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import pytest

from tenancy.errors import MAX_ERRORS
from tenancy.gateway.answer_size import MAX_ANSWER_BYTES
from tenancy.gateway.documents.custom_domains import RecordPurpose
from tenancy.gateway.resolver import MAX_BODY_BYTES
from tenancy.rules.access_tokens.public_keys import MAX_KEYS
from tenancy.rules.access_tokens.token_keys import MAX_PUBLIC_KEYS
from tenancy.rules.compliance import MAX_POLICIES, MAX_ROLES, MAX_SETTINGS, MAX_SHOWN, MAX_TABLES
from tenancy.rules.dead_letters import MAX_SHOWN_SAMPLES
from tenancy.rules.deletion import EXPIRES_WITHIN, RETAINED
from tenancy.rules.events.batch import MAX_EVENTS
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.saml.provider import MAX_CERTIFICATES
from tenancy.rules.sso.connection import MAX_REDIRECT_URIS
from tenancy.rules.tiers import Tier
from tenancy.rules.traced_events import MAX_TRACED_IDS
from tenancy.stores.postgres.platform.deletions import MAX_LATER_CERTIFICATES
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, Start
from tests.handlers.largest_answers import CASES, LARGE, Largest
from tests.handlers.requests import Event, called_by, with_body, with_query
from tests.handlers.single_sign_on.provider import Provider
from tests.isolation.proof.discovery.deployment import Route, discover_routes

MAX_HEADER_BYTES = 10_240  # of API Gateway, for all headers of an answer together
ROUTES = {route.name: route for route in discover_routes() if route.method != "OPTIONS"}
PAGINATION = "pagination"
LIFT_RATE = """
    UPDATE organizations SET overrides = overrides || '{"api_requests_per_minute": 1000}' WHERE id = %(organization_id)s
"""
LOGS_OUT = {"POST /auth/logout-all"}  # its refusals come first, because none but 401 comes after its answer
FILES = {"GET /openapi.json"}  # the answer is a file, whose size tests/docs/test_openapi.py bounds
REPORTS = ("GET /compliance/report", "GET /organizations/{organization_id}/compliance/report")
REPORT_LISTS = {
    **dict.fromkeys(("row_level_security/tables", "row_level_security/unprotected"), MAX_TABLES),
    **dict.fromkeys(
        ("row_level_security/tables/policies", "row_level_security/tables/policies/roles"), MAX_POLICIES
    ),
    "row_level_security/unbound_roles": MAX_ROLES,
    **dict.fromkeys(("encryption", "backups", "retention/buckets", "retention/fixed"), MAX_SETTINGS),
    "retention/tiers": len(Tier),
    **dict.fromkeys(
        (
            "access/operators/shown", "access/exports/shown", "access/audit_reads/shown", "mismatches/shown",
            "deletions/shown", "erasures/shown", "keys/shown", "keys/platform/shown", "keys/organizations/shown",
        ),
        MAX_SHOWN,
    ),
}  # fmt: skip
# Lists that do not grow with stored rows, by their place in an answer.
DECLARED_MAXIMA = {
    "GET /keys data/scopes": len(PERMISSIONS),
    "GET /organizations/{organization_id}/keys data/scopes": len(PERMISSIONS),
    "POST /keys scopes": len(PERMISSIONS),
    "POST /keys/{key_id}/rotate scopes": len(PERMISSIONS),
    "GET /.well-known/jwks.json keys": MAX_PUBLIC_KEYS + MAX_KEYS,
    "GET /.well-known/openid-configuration id_token_signing_alg_values_supported": 2,
    "POST /events rejected": MAX_EVENTS,
    "POST /events rejected/errors": MAX_ERRORS,
    "POST /cloudevents rejected": MAX_EVENTS,
    "POST /cloudevents rejected/errors": MAX_ERRORS,
    "POST /events/trace events": MAX_TRACED_IDS,
    "GET /sso redirect_uris": MAX_REDIRECT_URIS,
    "PUT /sso redirect_uris": MAX_REDIRECT_URIS,
    "GET /sso certificates": MAX_CERTIFICATES,
    "GET /domains data/records": len(RecordPurpose),
    "POST /domains records": len(RecordPurpose),
    "GET /domains/{domain} records": len(RecordPurpose),
    "POST /domains/{domain}/verify records": len(RecordPurpose),
    "GET /me permissions": len(PERMISSIONS),
    "PATCH /me permissions": len(PERMISSIONS),
    "GET /organizations/{organization_id}/dead-letters data/samples": MAX_SHOWN_SAMPLES,
    "GET /organizations/{organization_id}/deletion-certificate counted_again": MAX_LATER_CERTIFICATES,
    "GET /organizations/{organization_id}/deletion-certificate certificate/ages_out": len(EXPIRES_WITHIN),
    "GET /organizations/{organization_id}/deletion-certificate certificate/kept": len(RETAINED),
    **{f"{report} {place}": most for report in REPORTS for place, most in REPORT_LISTS.items()},
}


@pytest.fixture
def large(databases: Databases, acme: Provisioned, reachable_provider: Provider) -> Largest:
    return Largest(databases=databases, acme=acme, issuer=reachable_provider.issuer)


@pytest.fixture
def functions(start: Start, secrets: None) -> Mapping[str, Function]:  # noqa: ARG001
    """Start a function at its first use."""

    class Started(dict[str, Function]):
        def __missing__(self, name: str) -> Function:
            self[name] = start(name)
            return self[name]

    return Started()


def sent(response: Mapping[str, Any]) -> int:
    """Return the size of an answer as Lambda sends it."""
    return len(json.dumps(response))


def header_bytes(response: Mapping[str, Any]) -> int:
    many = response.get("multiValueHeaders") or {}
    pairs = [*(response.get("headers") or {}).items(), *((name, value) for name in many for value in many[name])]
    return sum(len(name) + len(value) + len(": \r\n") for name, value in pairs)


def lists_in(document: object, place: str = "") -> Iterator[tuple[str, list[object], bool]]:
    """Yield the place of each list, the list, and whether it has pages: `pagination` stands beside it."""
    match document:
        case dict():
            for name, value in document.items():
                inner = f"{place}/{name}".lstrip("/")
                if isinstance(value, list):
                    yield inner, value, PAGINATION in document
                yield from lists_in(value, inner)
        case list():
            for item in document:
                yield from lists_in(item, place)


def unbounded_lists(route: Route, document: object) -> dict[str, int]:
    """Return the lists that have neither pages nor a declared maximum, or exceed it, with their lengths."""
    return {
        place: len(items)
        for place, items, has_pages in lists_in(document)
        if not has_pages and route.name not in FILES and len(items) > DECLARED_MAXIMA.get(f"{route.name} {place}", -1)
    }


def documents_of(response: Mapping[str, Any]) -> Iterator[Any]:
    if response["body"] and "json" in str(response.get("headers")) + str(response.get("multiValueHeaders")):
        yield json.loads(response["body"])


def test_every_route_has_a_largest_case() -> None:
    assert set(CASES) == set(ROUTES)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", sorted(ROUTES))
def test_largest_answer_and_refusal_are_bounded(name: str, large: Largest, functions: Mapping[str, Function]) -> None:
    route = ROUTES[name]
    requests = iter(CASES[name](large, route))
    first = next(requests)
    if name in LOGS_OUT:
        _check_refusals(route, first, large, functions[route.function])

    for request in chain((first,), requests):
        response = functions[route.function](request)

        assert 200 <= response["statusCode"] < 400, response["body"][:2_000]
        assert sent(response) <= MAX_ANSWER_BYTES
        assert header_bytes(response) <= MAX_HEADER_BYTES
        for document in documents_of(response):
            assert unbounded_lists(route, document) == {}
            _check_pages(functions[route.function], request, document)
    if name not in LOGS_OUT:
        _check_refusals(route, first, large, functions[route.function])


def _check_pages(function: Function, request: Event, document: object) -> None:
    """Check that a page obeys `limit`, and that its cursor leads on."""
    pages = [place for place, _, has_pages in lists_in(document) if has_pages and "/" not in place]
    if not pages or request["httpMethod"] != "GET":
        return
    query = {**(request["queryStringParameters"] or {}), "limit": "1"}
    first = json.loads(function(with_query(request, **query))["body"])
    cursor = first[PAGINATION]["next_cursor"]
    second = json.loads(function(with_query(request, **query, cursor=cursor))["body"])

    assert first[PAGINATION]["has_more"] is True
    for place in pages:
        assert (len(first[place]), len(second[place])) == (1, 1)
        assert first[place] != second[place]


def _check_refusals(route: Route, request: Event, large: Largest, function: Function) -> None:
    for hostile in _hostile(request, large):
        response = function(hostile)

        assert response["statusCode"] < 500, response["body"][:2_000]
        assert sent(response) <= MAX_ANSWER_BYTES
        assert header_bytes(response) <= MAX_HEADER_BYTES
        for document in documents_of(response):
            for place, items, has_pages in lists_in(document):
                assert has_pages or len(items) <= DECLARED_MAXIMA.get(f"{route.name} {place}", MAX_ERRORS)


def _hostile(request: Event, large: Largest) -> Iterator[Event]:
    """Yield requests that could make their refusal large: many members, and long names and values everywhere."""
    room = MAX_BODY_BYTES - 1_000
    many = {f"m{number}": number for number in range(room // 16)}
    lists = {name: [{"x": 1}] * MAX_EVENTS for name in ("events", "batch")}
    for body in (many, {"x" * room: 1}, {"name": "x" * room}, {LARGE * (room // 16): LARGE}, lists, [many]):
        yield with_body(request, body)
    long = LARGE * 500
    query = dict(request["queryStringParameters"] or {})
    for name in (*query, "cursor", "limit", "from", "to", "action", "group_by", "order_by", "status", long):
        yield with_query(request, **{**query, name: long})
    yield {**request, "requestContext": {**request["requestContext"], "path": f"/v1/{'x' * 9_000}"}, "body": "{"}
    yield called_by(request, tenant_of(large.acme, scopes=frozenset()))


def test_cursor_fits_no_other_list(
    large: Largest, globex: Provisioned, functions: Mapping[str, Function], subtests: pytest.Subtests
) -> None:
    """Send each cursor to each other list of the tenant, and to the same list of another tenant."""
    large.execute(LIFT_RATE)
    requests = {
        name: next(iter(CASES[name](large, route)))
        for name, route in ROUTES.items()
        if route.method == "GET" and "{organization_id}" not in route.path and route.has_authorizer
    }
    cursors = {}
    for name, request in requests.items():
        query = {**(request["queryStringParameters"] or {}), "limit": "1"}
        response = functions[ROUTES[name].function](with_query(request, **query))
        pagination = json.loads(response["body"]).get(PAGINATION) if response["statusCode"] == 200 else None
        if pagination:
            cursors[name] = pagination["next_cursor"]

    assert len(cursors) > 4

    for name, other in ((name, other) for name in cursors for other in cursors if name != other):
        with subtests.test(f"{name} with a cursor of {other}"):
            response = _with_cursor(functions, requests, name, cursors[other])
            assert (response["statusCode"], json.loads(response["body"])["code"]) == (422, "invalid")
    for name, cursor in cursors.items():
        if "organization_id" not in requests[name]["requestContext"]["authorizer"]:
            continue  # the operator's list belongs to no organization
        with subtests.test(f"{name} with a cursor of another organization"):
            foreign = {name: called_by(requests[name], tenant_of(globex))}
            response = _with_cursor(functions, foreign, name, cursor)
            assert (response["statusCode"], json.loads(response["body"])["code"]) == (422, "invalid")


def _with_cursor(
    functions: Mapping[str, Function], requests: Mapping[str, Event], name: str, cursor: str
) -> dict[str, Any]:
    request = requests[name]
    query = {**(request["queryStringParameters"] or {}), "cursor": cursor}
    return functions[ROUTES[name].function](with_query(request, **query))


def test_list_without_pages_is_found() -> None:
    route = ROUTES["GET /exports"]
    document = {"data": [{"files": [1], PAGINATION: {}}], "extra": {"names": ["a", "b"]}}

    assert unbounded_lists(route, document) == {"data": 1, "extra/names": 2}
