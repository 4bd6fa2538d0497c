"""Routes of platform keys: create, list, rotate and revoke them.

A key without an end always stays.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.durations import PLATFORM_KEY_ROTATION
from tenancy.rules.keys.managed_keys import MAX_LIVE_PLATFORM_KEYS
from tenancy.rules.tenant import Operator
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.key_requests import key_request
from tests.handlers.requests import (
    OPERATOR,
    answer_of,
    called_by,
    caller_in,
    is_unauthorized,
    problem_of,
    sample,
    to_authorizer,
    with_headers,
)

INSERT_KEYS = """
    INSERT INTO platform_keys (name, digest) SELECT 'Many', sha256(n::text::bytea) FROM generate_series(1, %s) AS n
"""
LIST_ACTIONS = "SELECT action, target FROM audit_log WHERE organization_id = %s ORDER BY occurred_at"


@pytest.fixture
def keys(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("keys")


def created(keys: Function, **members: object) -> dict[str, Any]:
    answer = answer_of(keys(key_request("create_platform_key", OPERATOR, {"name": "On call", **members})))
    assert answer.status == 201, answer.body
    document: dict[str, Any] = answer.document
    return document


def listed(keys: Function, operator: Operator = OPERATOR) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in answer_of(keys(key_request("list_platform_keys", operator))).document["data"]}


def actions(databases: Databases) -> list[tuple[str, str]]:
    with superuser(databases) as conn:
        return conn.execute(LIST_ACTIONS, (PLATFORM_LOG,)).fetchall()


def test_created_platform_key_is_shown_once(keys: Function, databases: Databases) -> None:
    document = created(keys)

    assert document["key"].startswith(document["prefix"])
    assert listed(keys)[document["id"]] == {name: value for name, value in document.items() if name != "key"}
    assert actions(databases) == [("platform_key.created", document["id"])]


def test_created_platform_key_works(keys: Function, start: Start) -> None:
    document = created(keys)

    caller = caller_in(start("authorizer")(to_authorizer(f"Bearer {document['key']}")))

    assert isinstance(caller, Operator)
    assert answer_of(start("provision")(called_by(sample("provision", "list"), caller))).status == 200


def test_revoked_platform_key_is_refused_at_its_next_request(
    keys: Function, start: Start, databases: Databases
) -> None:
    document = created(keys)
    caller = caller_in(start("authorizer")(to_authorizer(f"Bearer {document['key']}")))
    provision, read = start("provision"), called_by(sample("provision", "list"), caller)
    assert answer_of(provision(read)).status == 200

    for _ in range(2):
        request = key_request("revoke_platform_key", platform_key_id=document["id"])
        assert answer_of(keys(request)).status == 204

    assert provision(read)["statusCode"] == 401
    assert is_unauthorized(start("authorizer"), to_authorizer(f"Bearer {document['key']}"))
    assert actions(databases)[1:] == [("platform_key.revoked", document["id"])]


def test_platform_key_shows_when_it_is_to_be_rotated(keys: Function) -> None:
    document = created(keys)

    due_after = datetime.fromisoformat(document["rotate_by"]) - datetime.fromisoformat(document["created_at"])
    assert due_after == PLATFORM_KEY_ROTATION
    assert listed(keys)[document["id"]]["rotate_by"] == document["rotate_by"]


def test_rotated_platform_key_ends_after_the_overlap(keys: Function, databases: Databases) -> None:
    old = created(keys)

    request = key_request("rotate_platform_key", OPERATOR, {"overlap_seconds": 60}, platform_key_id=old["id"])
    new = answer_of(keys(request)).document

    found = listed(keys)
    assert (new["name"], new["expires_at"]) == (old["name"], old["expires_at"])
    assert found[old["id"]]["status"] == "expiring"
    assert found[old["id"]]["expires_at"] == new["replaces"]["ends_at"]
    assert found[old["id"]]["replaced_by"] == new["id"]
    assert found[new["id"]]["status"] == "active"
    assert actions(databases)[1:] == [("platform_key.rotated", f"{old['id']} to {new['id']}")]


def test_rotation_without_an_overlap_revokes(keys: Function) -> None:
    old = created(keys)

    new = answer_of(keys(key_request("rotate_platform_key", OPERATOR, {}, platform_key_id=old["id"]))).document

    assert listed(keys)[old["id"]]["status"] == "revoked"
    assert listed(keys)[new["id"]]["status"] == "active"


def test_rotated_platform_key_cannot_be_rotated_again(keys: Function) -> None:
    old = created(keys)
    request = key_request("rotate_platform_key", OPERATOR, {"overlap_seconds": 60}, platform_key_id=old["id"])
    keys(request)

    problem_of(keys(request), request, 409, "conflict")


def test_last_platform_key_without_an_end_stays(keys: Function) -> None:
    created(keys, expires_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    request = key_request("revoke_platform_key", platform_key_id=OPERATOR.credential_id)

    problem_of(keys(request), request, 409, "conflict")

    assert listed(keys)[str(OPERATOR.credential_id)]["status"] == "active"
    created(keys)
    assert answer_of(keys(request)).status == 204


def test_last_platform_key_can_be_rotated(keys: Function) -> None:
    request = key_request(
        "rotate_platform_key", OPERATOR, {"overlap_seconds": 60}, platform_key_id=OPERATOR.credential_id
    )

    answer = answer_of(keys(request))

    assert answer.status == 201
    successor = Operator(credential_id=UUID(answer.document["id"]))
    assert sorted(each["status"] for each in listed(keys, successor).values()) == ["active", "expiring"]


@pytest.mark.parametrize("body", [{}, {"overlap_seconds": 59}])
def test_platform_key_rotates_itself_with_an_overlap_only(keys: Function, body: dict[str, object]) -> None:
    request = key_request("rotate_platform_key", OPERATOR, body, platform_key_id=OPERATOR.credential_id)

    document = problem_of(keys(request), request, 422, "invalid")

    assert [each["location"] for each in document["errors"]] == ["body/overlap_seconds"]
    assert listed(keys)[str(OPERATOR.credential_id)]["status"] == "active"


def test_platform_key_repeats_its_own_rotation(keys: Function) -> None:
    request = key_request(
        "rotate_platform_key", OPERATOR, {"overlap_seconds": 60}, platform_key_id=OPERATOR.credential_id
    )
    request = with_headers(request, idempotency_key="order-1")

    first, second = answer_of(keys(request)), answer_of(keys(request))

    assert (first.status, first.document) == (second.status, second.document) == (201, first.document)


def test_platform_keys_past_the_bound_are_refused(keys: Function, databases: Databases) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_KEYS, (MAX_LIVE_PLATFORM_KEYS - 1,))
    request = key_request("create_platform_key")

    problem_of(keys(request), request, 409, "conflict")


@pytest.mark.parametrize("case", ["rotate_platform_key", "revoke_platform_key"])
def test_unknown_platform_key_is_not_found(keys: Function, acme: Provisioned, case: str) -> None:
    for key_id in (uuid4(), acme.secret_key_id):
        request = key_request(case, platform_key_id=key_id)
        problem_of(keys(request), request, 404, "not_found")


def test_repeated_request_gets_the_same_platform_key(keys: Function) -> None:
    request = with_headers(key_request("create_platform_key"), idempotency_key="order-1")

    first, second = answer_of(keys(request)), answer_of(keys(request))

    assert (first.status, first.document) == (second.status, second.document)
    assert len(listed(keys)) == 2


@pytest.mark.parametrize("case", ["list_platform_keys", "create_platform_key", "rotate_platform_key"])
def test_platform_keys_are_the_operators(keys: Function, acme: Provisioned, case: str) -> None:
    ids = {"platform_key_id": OPERATOR.credential_id} if case == "rotate_platform_key" else {}
    request = key_request(case, tenant_of(acme), **ids)

    problem_of(keys(request), request, 403, "forbidden")
