"""Routes of keys: list and revoke them, for the organization and for the operator."""

from uuid import uuid4

import pytest

from tenancy.rules.permissions import KEYS_WRITE, PERMISSIONS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.key_requests import (
    create_key,
    key_request,
    list_key_actions,
    list_keys_by_id,
)
from tests.handlers.requests import (
    OPERATOR,
    answer_of,
    called_by,
    is_unauthorized,
    problem_of,
    sample,
    to_authorizer,
    with_query,
)


@pytest.fixture
def keys(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("keys")


def test_keys_are_listed_in_pages_newest_first(keys: Function, acme: Provisioned, globex: Provisioned) -> None:
    create_key(keys, globex)
    newest_first = [create_key(keys, acme).document["id"] for _ in range(3)][::-1]
    found: list[str] = []
    query = {"limit": "2"}

    while True:
        document = answer_of(keys(with_query(key_request("list", tenant_of(acme)), **query))).document
        found += [each["id"] for each in document["data"]]
        if not document["pagination"]["has_more"]:
            break
        query["cursor"] = document["pagination"]["next_cursor"]

    assert found[:3] == newest_first
    assert len(found) == 5
    assert set(found[3:]) == {str(acme.write_key_id), str(acme.secret_key_id)}


def test_earlier_key_has_no_prefix(keys: Function, databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE api_keys SET prefix = NULL")

    listed = answer_of(keys(key_request("list", tenant_of(acme)))).document["data"]

    assert [each["prefix"] for each in listed] == [None, None]


@pytest.mark.parametrize("case", ["rotate", "revoke"])
def test_key_of_another_organization_is_not_found(
    keys: Function, acme: Provisioned, globex: Provisioned, case: str
) -> None:
    for key_id in (globex.secret_key_id, uuid4()):
        request = key_request(case, tenant_of(acme), key_id=key_id)
        problem_of(keys(request), request, 404, "not_found")

    assert list_keys_by_id(keys, globex)[str(globex.secret_key_id)]["status"] == "active"


def test_revoked_key_is_refused_at_its_next_request(
    keys: Function, start: Start, databases: Databases, acme: Provisioned
) -> None:
    usage, read = start("usage"), called_by(sample("usage", "usage"), tenant_of(acme))
    assert answer_of(usage(read)).status == 200  # the authorizer's answer is cached, and Redis knows the key

    answer = answer_of(keys(key_request("revoke", tenant_of(acme), key_id=acme.secret_key_id)))

    assert answer.status == 204
    assert usage(read)["statusCode"] == 401
    assert is_unauthorized(start("authorizer"), to_authorizer(f"Bearer {acme.secret_key.text}"))
    assert list_key_actions(databases, acme) == [("key.revoked", str(acme.secret_key_id), "key")]


def test_repeated_revocation_records_nothing(keys: Function, databases: Databases, acme: Provisioned) -> None:
    request = key_request("revoke", tenant_of(acme), key_id=acme.write_key_id)

    assert [answer_of(keys(request)).status for _ in range(2)] == [204, 204]

    assert len(list_key_actions(databases, acme)) == 1


def test_revoking_needs_no_scope_of_the_key(keys: Function, acme: Provisioned) -> None:
    tenant = tenant_of(acme, scopes=frozenset({KEYS_WRITE}))

    assert answer_of(keys(key_request("revoke", tenant, key_id=acme.write_key_id))).status == 204


def test_operator_lists_and_revokes_keys(keys: Function, databases: Databases, acme: Provisioned) -> None:
    own = acme.organization.id

    listed = answer_of(keys(key_request("list_for_operator", organization_id=own))).document["data"]
    answer = answer_of(keys(key_request("revoke_for_operator", organization_id=own, key_id=acme.write_key_id)))

    assert {each["id"] for each in listed} == {str(acme.write_key_id), str(acme.secret_key_id)}
    assert answer.status == 204
    assert list_key_actions(databases, acme) == [("key.revoked", str(acme.write_key_id), "operator")]


def test_operator_finds_no_keys_of_an_unknown_organization(keys: Function) -> None:
    listing = key_request("list_for_operator", organization_id=uuid4())
    revocation = key_request("revoke_for_operator", organization_id=uuid4(), key_id=uuid4())

    for request in (listing, revocation):
        problem_of(keys(request), request, 404, "not_found")


def test_operator_cannot_revoke_a_key_under_another_organization(
    keys: Function, acme: Provisioned, globex: Provisioned
) -> None:
    request = key_request(
        "revoke_for_operator", OPERATOR, organization_id=acme.organization.id, key_id=globex.secret_key_id
    )

    problem_of(keys(request), request, 404, "not_found")


@pytest.mark.parametrize(
    ("case", "ids", "permission"),
    [
        ("list", (), "keys:read"),
        ("create_secret_key", (), "keys:write"),
        ("rotate", ("key_id",), "keys:write"),
        ("revoke", ("key_id",), "keys:write"),
        ("change_own_organization", (), "keys:write"),
        ("list_apps", (), "apps:read"),
        ("create_app", (), "apps:write"),
        ("change_app", ("app_id",), "apps:write"),
        ("delete_app", ("app_id",), "apps:write"),
    ],
)
def test_route_needs_its_permission(
    keys: Function, acme: Provisioned, case: str, ids: tuple[str, ...], permission: str
) -> None:
    tenant = tenant_of(acme, scopes=PERMISSIONS - {permission})
    request = key_request(case, tenant, **dict.fromkeys(ids, uuid4()))

    problem_of(keys(request), request, 403, "forbidden")
