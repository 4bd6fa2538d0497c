"""POST /v1/keys: a new key, its scopes, its app and its end."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tenancy.rules.keys.api_keys import find_key
from tenancy.rules.keys.managed_keys import MAX_LIVE_KEYS
from tenancy.rules.permissions import EVENTS_WRITE, KEYS_WRITE, SECRET_KEY_PERMISSIONS, USAGE_READ
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.key_requests import (
    create_key,
    create_key_request,
    key_request,
    list_key_actions,
)
from tests.handlers.requests import (
    answer_of,
    called_by,
    caller_in,
    problem_of,
    sample,
    to_authorizer,
    with_headers,
)

INSERT_KEYS = """
    INSERT INTO api_keys (id, organization_id, type, name, digest, hint, scopes)
    SELECT gen_random_uuid(), %s, 'sk', 'Many', sha256(n::text::bytea), 'hint', '{usage:read}'
    FROM generate_series(1, %s) AS n
"""
STORED_TEXT = "SELECT count(*) FROM {} AS t WHERE position(%s in t::text) > 0"


@pytest.fixture
def keys(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("keys")


def is_refused(authorizer: Function, text: str) -> bool:
    try:
        authorizer(to_authorizer(f"Bearer {text}"))
    except Exception as error:  # noqa: BLE001 - API Gateway goes by the message alone
        return str(error) == "Unauthorized"
    return False


def test_created_key_is_shown_once(keys: Function, databases: Databases, acme: Provisioned) -> None:
    document = create_key(keys, acme, scopes=[USAGE_READ]).document

    [listed] = [
        each
        for each in answer_of(keys(key_request("list", tenant_of(acme)))).document["data"]
        if each["id"] == document["id"]
    ]
    key = find_key(document["key"])
    assert key is not None
    assert (document["prefix"], document["hint"]) == (key.text[:8], key.text[-4:])
    assert listed == {name: value for name, value in document.items() if name != "key"}
    assert listed["status"] == "active"
    assert list_key_actions(databases, acme) == [("key.created", document["id"], "key")]


def test_text_of_a_key_is_in_no_row(keys: Function, databases: Databases, acme: Provisioned) -> None:
    request = with_headers(create_key_request(tenant_of(acme)), idempotency_key="order-1")

    text = answer_of(keys(request)).document["key"]

    with superuser(databases) as conn:
        tables = [
            name
            for (name,) in conn.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        ]
        found = [name for name in tables if conn.execute(STORED_TEXT.format(name).encode(), (text,)).fetchone() != (0,)]
    assert found == []


def test_created_key_works(keys: Function, start: Start, acme: Provisioned) -> None:
    text = create_key(keys, acme, scopes=[USAGE_READ]).document["key"]

    caller = caller_in(start("authorizer")(to_authorizer(f"Bearer {text}")))

    assert caller.scopes == {USAGE_READ}  # type: ignore[union-attr] # a tenant
    assert answer_of(start("usage")(called_by(sample("usage", "usage"), caller))).status == 200


def test_secret_key_without_scopes_gets_the_default_ones(keys: Function, acme: Provisioned) -> None:
    assert set(create_key(keys, acme).document["scopes"]) == SECRET_KEY_PERMISSIONS


def test_default_scopes_are_among_those_of_the_caller(keys: Function, acme: Provisioned) -> None:
    tenant = tenant_of(acme, scopes=frozenset({KEYS_WRITE, USAGE_READ}))

    assert answer_of(keys(create_key_request(tenant))).document["scopes"] == [USAGE_READ]


def test_write_key_has_an_app_and_one_scope(keys: Function, acme: Provisioned) -> None:
    document = create_key(keys, acme, type="write", app_id=str(acme.app_id)).document

    assert (document["type"], document["app_id"], document["scopes"]) == ("write", str(acme.app_id), [EVENTS_WRITE])
    assert document["key"].startswith("wk_")


def test_secret_key_may_have_an_app(keys: Function, acme: Provisioned) -> None:
    assert create_key(keys, acme, app_id=str(acme.app_id)).document["app_id"] == str(acme.app_id)


IMPOSSIBLE_KEYS: list[tuple[dict[str, object], str]] = [
    ({"type": "write"}, "body"),
    ({"type": "platform"}, "body/type"),
    ({"scopes": ["usage:reed"]}, "body/scopes/0"),
    ({"scopes": []}, "body/scopes"),
    ({"name": ""}, "body/name"),
    ({"app_id": "x"}, "body/app_id"),
    ({"app_id": str(uuid4())}, "body/app_id"),
    ({"expires_at": "2026-11-24"}, "body/expires_at"),
    ({"expires_at": "2026-11-24T12:00:00"}, "body/expires_at"),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "body/expires_at"),
    ({"expires_at": "2099-01-01T00:00:00Z"}, "body/expires_at"),
    ({"organization": "x"}, "body/organization"),
]


def test_impossible_key_is_invalid(keys: Function, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for members, location in IMPOSSIBLE_KEYS:
        request = create_key_request(tenant_of(acme), **members)

        with subtests.test(str(members)):
            document = problem_of(keys(request), request, 422, "invalid")

            assert [error["location"] for error in document["errors"]] == [location]


def test_write_key_takes_no_other_scope(keys: Function, acme: Provisioned) -> None:
    members = {"type": "write", "app_id": str(acme.app_id), "scopes": [EVENTS_WRITE, USAGE_READ]}
    request = create_key_request(tenant_of(acme), **members)

    problem_of(keys(request), request, 422, "invalid")


def test_key_gets_no_app_of_another_organization(keys: Function, acme: Provisioned, globex: Provisioned) -> None:
    request = create_key_request(tenant_of(acme), type="write", app_id=str(globex.app_id))

    problem_of(keys(request), request, 422, "invalid")


def test_key_gets_no_scope_that_its_creator_lacks(keys: Function, acme: Provisioned) -> None:
    tenant = tenant_of(acme, scopes=frozenset({KEYS_WRITE, USAGE_READ}))
    request = create_key_request(tenant, scopes=[USAGE_READ, "audit:read", "users:write"])

    document = problem_of(keys(request), request, 403, "forbidden")

    assert "audit:read, users:write" in document["detail"]


def test_write_key_needs_a_creator_that_may_send_events(keys: Function, acme: Provisioned) -> None:
    tenant = tenant_of(acme, scopes=frozenset({KEYS_WRITE}))
    request = create_key_request(tenant, type="write", app_id=str(acme.app_id))

    problem_of(keys(request), request, 403, "forbidden")


def test_keys_past_the_bound_are_refused(keys: Function, databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_KEYS, (acme.organization.id, MAX_LIVE_KEYS - 3))  # two are provisioned
    create_key(keys, acme)
    request = create_key_request(tenant_of(acme))

    problem_of(keys(request), request, 409, "conflict")

    with superuser(databases) as conn:
        conn.execute("UPDATE api_keys SET revoked_at = now() WHERE name = 'Many'")
    create_key(keys, acme)


def test_end_of_a_key_applies_at_once(keys: Function, start: Start, acme: Provisioned, clock: StoppedClock) -> None:
    authorizer = start("authorizer")
    clock.stop(keys, authorizer)
    ends_at = clock.moment + timedelta(minutes=1)
    document = create_key(keys, acme, expires_at=ends_at.isoformat()).document

    assert document["status"] == "expiring"
    assert not is_refused(authorizer, document["key"])

    clock.advance(timedelta(minutes=1, seconds=1))

    assert is_refused(authorizer, document["key"])
    listed = {each["id"]: each for each in answer_of(keys(key_request("list", tenant_of(acme)))).document["data"]}
    assert listed[document["id"]]["status"] == "expired"
    assert listed[document["id"]]["rotate_by"] is None


def test_repeated_request_gets_the_same_key(keys: Function, databases: Databases, acme: Provisioned) -> None:
    request = with_headers(create_key_request(tenant_of(acme)), idempotency_key="order-1")

    first, second = answer_of(keys(request)), answer_of(keys(request))

    assert (first.status, first.document) == (second.status, second.document)
    assert len(list_key_actions(databases, acme)) == 1


def test_idempotency_key_belongs_to_one_request(keys: Function, acme: Provisioned) -> None:
    request = with_headers(create_key_request(tenant_of(acme)), idempotency_key="order-1")
    keys(request)
    others = [
        create_key_request(tenant_of(acme), name="Other"),
        key_request("rotate", tenant_of(acme), {}, key_id=acme.write_key_id),
        key_request("create_app", tenant_of(acme)),
    ]

    for other in others:
        repeated = with_headers(other, idempotency_key="order-1")
        problem_of(keys(repeated), repeated, 422, "idempotency_key_reused")


def test_idempotency_key_belongs_to_one_organization(keys: Function, acme: Provisioned, globex: Provisioned) -> None:
    texts = {
        answer_of(keys(with_headers(create_key_request(tenant_of(each)), idempotency_key="order-1"))).document["key"]
        for each in (acme, globex)
    }

    assert len(texts) == 2
