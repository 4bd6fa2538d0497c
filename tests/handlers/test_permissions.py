"""Each route accepts exactly the credentials that docs/permissions.md names.

Every route of the template is called, so a new route is covered at once. The requests are unreadable: a route that
accepts the credential refuses its body or query, and changes nothing.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain, product

import pytest

from scripts.openapi.permissions import COLUMNS, FILE, HOLDERS, OPERATOR, YES, access_of, format_permissions
from scripts.openapi.routes import DeployedRoute, find_resolver_route, list_routes
from tenancy.errors import Refusal
from tenancy.gateway.rights import right_of
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.rules.permissions import PERMISSIONS, ROLES
from tenancy.rules.tenant import Caller, CallerKind, RateBucket, Tenant
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import tenant_of
from tests.handlers import requests, sent_events
from tests.handlers.functions import Start
from tests.handlers.requests import Event, answer_of, called_by, sample, with_body, with_headers, with_query
from tests.handlers.strict_routes import StrictRoute, strict_routes

ROW = re.compile(r"\| (?P<method>[A-Z]+) /v1(?P<path>\S+) \| [^|]*\|(?P<cells>.*)\|")
REFUSED = {401, 403, 404}  # 404: a tenant must not learn which organizations exist
TOKEN = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.e30.c2ln"
TOKEN_LIFE = timedelta(minutes=15)
ACCESS = {(route.method, route.path): access_of(route) for route in list_routes()}
WITH_CREDENTIAL = [each for each in strict_routes() if not ACCESS[each.method, each.path].is_public]
FUNCTIONS = sorted({each.function for each in WITH_CREDENTIAL})
SEGMENT = [each for each in list_routes() if access_of(each).are_only_write_keys]
RESOLVED = [each for each in list_routes() if find_resolver_route(each) is not None]
SCOPES = sorted(PERMISSIONS)


@cache
def documented() -> dict[tuple[str, str], set[str]]:
    """Return the columns with `yes` of each route of docs/permissions.md."""
    rows = filter(None, map(ROW.fullmatch, FILE.read_text().splitlines()))
    return {
        (row["method"], row["path"]): {
            holder for holder, cell in zip(COLUMNS, row["cells"].split("|"), strict=True) if cell.strip() == YES
        }
        for row in rows
    }


def member(provisioned: Provisioned, role: str) -> Tenant:
    return replace(
        tenant_of(provisioned),
        scopes=ROLES[role],
        credential_id=provisioned.admin_user_id,
        kind=CallerKind.PERSON,
        epoch="0.0",
        expires_at=datetime.now(UTC) + TOKEN_LIFE,
    )


def write_key(provisioned: Provisioned) -> Tenant:
    return replace(
        tenant_of(provisioned, scopes=HOLDERS["write key"]),
        credential_id=provisioned.write_key_id,
        bucket=RateBucket.INGEST,
        app_id=provisioned.app_id,
    )


def callers(provisioned: Provisioned) -> dict[str, Caller]:
    """Return a caller for each column of the document."""
    keys = {
        "first secret key": tenant_of(provisioned, scopes=HOLDERS["first secret key"]),
        "write key": write_key(provisioned),
    }
    return {OPERATOR: requests.OPERATOR, **{role: member(provisioned, role) for role in ROLES}, **keys}


def unreadable(route: StrictRoute, provisioned: Provisioned, caller: Caller) -> Event:
    """Return a request of *caller* that the route must refuse after it has accepted the caller."""
    request = with_query(called_by(route.request(provisioned), caller), unknown_member="1")
    return request if route.method == "GET" else with_body(request, b"{")


def is_accepted(route: DeployedRoute, caller: Caller) -> bool:
    resolved = find_resolver_route(route)
    assert resolved is not None
    try:
        right_of(resolved.func)(caller, sent_events.ACME.organization_id)
    except Refusal:
        return False
    return True


def test_document_is_written_by_make_openapi() -> None:
    assert FILE.read_text() == format_permissions(), "run `make openapi`"


def test_document_has_each_route_of_the_template() -> None:
    assert set(documented()) == {(route.method, route.path) for route in list_routes()}


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_route_accepts_the_documented_credentials(start: Start, acme: Provisioned, function: str) -> None:
    handler = start(function)
    routes = [each for each in WITH_CREDENTIAL if each.function == function]

    statuses = {
        (route.method, route.path, holder): answer_of(handler(unreadable(route, acme, caller))).status
        for route, (holder, caller) in product(routes, callers(acme).items())
    }

    accepted = {
        (route.method, route.path): {
            holder for holder in COLUMNS if statuses[route.method, route.path, holder] not in REFUSED
        }
        for route in routes
    }
    assert accepted == {name: documented()[name] for name in accepted}


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_route_needs_a_credential(start: Start, acme: Provisioned, function: str) -> None:
    handler = start(function)
    routes = [each for each in WITH_CREDENTIAL if each.function == function]

    requests_without = [{**each.request(acme), "requestContext": {"requestId": "r"}} for each in routes]

    assert {answer_of(handler(each)).status for each in requests_without} == {401}


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("key_type", [*KeyType, None], ids=str)
def test_segment_paths_accept_write_keys_only(start: Start, acme: Provisioned, key_type: KeyType | None) -> None:
    handler = start("ingest")
    keys = {KeyType.WRITE: acme.write_key, KeyType.SECRET: acme.secret_key}
    credential = keys.get(key_type, generate_key(key_type)).text if key_type else TOKEN
    request = with_headers(with_body(sample("ingest", "segment_batch"), b"{"), authorization=f"Bearer {credential}")

    statuses = {answer_of(handler({**request, "path": each.path})).status for each in SEGMENT}

    assert statuses == ({400} if key_type is KeyType.WRITE else {401})


@pytest.mark.parametrize("route", RESOLVED, ids=str)
def test_scope_opens_only_the_routes_that_need_it(route: DeployedRoute) -> None:
    access = access_of(route)
    keys = [replace(sent_events.ACME, scopes=frozenset({scope})) for scope in SCOPES]
    people = [replace(key, kind=CallerKind.PERSON, epoch="0.0") for key in keys]

    opened = {(caller.kind, *caller.scopes) for caller in chain(keys, people) if is_accepted(route, caller)}

    by_permission = set(product(["key", "person"], [access.permission]) if access.permission else [])
    by_membership = set(product(["person"], SCOPES)) if access.are_members else set()
    assert opened == (set(product(["key", "person"], SCOPES)) if access.is_public else by_permission | by_membership)
