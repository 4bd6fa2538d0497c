"""POST /v1/keys/{key_id}/rotate, and the rotation policy of an organization."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tenancy.rules.permissions import KEYS_WRITE, USAGE_READ
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.key_requests import (
    create_key,
    key_request,
    list_key_actions,
    list_keys_by_id,
)
from tests.handlers.requests import (
    answer_of,
    called_by,
    problem_of,
    sample,
    with_headers,
)


@pytest.fixture
def keys(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("keys")


def test_rotated_key_ends_after_the_overlap(keys: Function, databases: Databases, acme: Provisioned) -> None:
    old = create_key(keys, acme, scopes=[USAGE_READ]).document
    before = datetime.now(UTC)

    answer = answer_of(keys(key_request("rotate", tenant_of(acme), {"overlap_seconds": 60}, key_id=old["id"])))

    new, listed = answer.document, list_keys_by_id(keys, acme)
    assert answer.status == 201
    assert {name: new[name] for name in ("type", "name", "app_id", "scopes")} == {
        name: old[name] for name in ("type", "name", "app_id", "scopes")
    }
    assert new["key"] != old["key"]
    assert new["replaces"]["id"] == old["id"]
    assert listed[old["id"]]["status"] == "expiring"
    assert listed[old["id"]]["replaced_by"] == new["id"]
    assert listed[old["id"]]["expires_at"] == new["replaces"]["ends_at"]
    assert datetime.fromisoformat(new["replaces"]["ends_at"]) >= before + timedelta(seconds=59)
    assert ("key.rotated", f"{old['id']} to {new['id']}", "key") in list_key_actions(databases, acme)


def test_rotation_without_an_overlap_revokes(keys: Function, start: Start, acme: Provisioned) -> None:
    old = UUID(create_key(keys, acme, scopes=[USAGE_READ]).document["id"])
    usage = start("usage")
    read = called_by(sample("usage", "usage"), replace(tenant_of(acme), credential_id=old))
    assert answer_of(usage(read)).status == 200  # the authorizer's answer is cached, and Redis knows the key

    answer = answer_of(keys(key_request("rotate", tenant_of(acme), {}, key_id=old)))

    assert answer.status == 201
    assert usage(read)["statusCode"] == 401
    assert list_keys_by_id(keys, acme)[str(old)]["status"] == "revoked"


@pytest.mark.parametrize("body", [{}, {"overlap_seconds": 59}])
def test_key_rotates_itself_with_an_overlap_only(keys: Function, acme: Provisioned, body: dict[str, object]) -> None:
    request = key_request("rotate", tenant_of(acme), body, key_id=acme.secret_key_id)

    document = problem_of(keys(request), request, 422, "invalid")

    assert [each["location"] for each in document["errors"]] == ["body/overlap_seconds"]
    assert list_keys_by_id(keys, acme)[str(acme.secret_key_id)]["status"] == "active"


def test_key_repeats_its_own_rotation(keys: Function, acme: Provisioned) -> None:
    request = key_request("rotate", tenant_of(acme), {"overlap_seconds": 60}, key_id=acme.secret_key_id)
    request = with_headers(request, idempotency_key="order-1")

    first, second = answer_of(keys(request)), answer_of(keys(request))

    assert (first.status, first.document) == (second.status, second.document) == (201, first.document)


def test_end_of_an_overlap_applies_to_a_cached_credential(
    keys: Function, start: Start, acme: Provisioned, clock: StoppedClock
) -> None:
    usage, read = start("usage"), called_by(sample("usage", "usage"), tenant_of(acme))
    clock.stop(keys, usage)
    assert answer_of(usage(read)).status == 200

    keys(key_request("rotate", tenant_of(acme), {"overlap_seconds": 60}, key_id=acme.secret_key_id))

    assert answer_of(usage(read)).status == 200
    clock.advance(timedelta(seconds=60))
    assert usage(read)["statusCode"] == 401


def test_overlap_never_outlasts_the_end_of_a_key(keys: Function, acme: Provisioned) -> None:
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    old = create_key(keys, acme, expires_at=ends_at.isoformat()).document

    request = key_request("rotate", tenant_of(acme), {"overlap_seconds": 604_800}, key_id=old["id"])
    new = answer_of(keys(request)).document

    assert new["replaces"]["ends_at"] == new["expires_at"] == old["expires_at"]


@pytest.mark.parametrize("overlap", [-1, 604_801, 1.5, "60", None])
def test_overlap_is_bounded(keys: Function, acme: Provisioned, overlap: object) -> None:
    body = {"overlap_seconds": overlap}
    request = key_request("rotate", tenant_of(acme), body, key_id=acme.secret_key_id)

    problem_of(keys(request), request, 422, "invalid")


def test_rotated_key_cannot_be_rotated_again(keys: Function, acme: Provisioned) -> None:
    old = create_key(keys, acme).document
    request = key_request("rotate", tenant_of(acme), {"overlap_seconds": 60}, key_id=old["id"])
    new = answer_of(keys(request)).document

    document = problem_of(keys(request), request, 409, "conflict")

    assert new["id"] in document["detail"]


@pytest.mark.parametrize("state", ["revoked_at = now()", "expires_at = now() - interval '1 second'"])
def test_ended_key_cannot_be_rotated(keys: Function, databases: Databases, acme: Provisioned, state: str) -> None:
    old = create_key(keys, acme).document
    with superuser(databases) as conn:
        conn.execute(f"UPDATE api_keys SET {state} WHERE id = %s".encode(), (old["id"],))
    request = key_request("rotate", tenant_of(acme), {}, key_id=old["id"])

    problem_of(keys(request), request, 409, "conflict")


def test_key_with_more_scopes_than_the_caller_stays(keys: Function, acme: Provisioned) -> None:
    tenant = tenant_of(acme, scopes=frozenset({KEYS_WRITE, USAGE_READ}))
    request = key_request("rotate", tenant, {}, key_id=acme.secret_key_id)

    problem_of(keys(request), request, 403, "forbidden")

    assert list_keys_by_id(keys, acme)[str(acme.secret_key_id)]["status"] == "active"


def test_repeated_rotation_gets_the_same_key(keys: Function, databases: Databases, acme: Provisioned) -> None:
    request = key_request("rotate", tenant_of(acme), {"overlap_seconds": 60}, key_id=acme.write_key_id)
    request = with_headers(request, idempotency_key="order-1")

    first, second = answer_of(keys(request)), answer_of(keys(request))

    assert (first.status, first.document) == (second.status, second.document)
    assert len(list_key_actions(databases, acme)) == 1


def test_rotation_policy_is_shown_and_changed(
    keys: Function, start: Start, databases: Databases, acme: Provisioned
) -> None:
    usage, read = start("usage"), called_by(sample("usage", "own_organization"), tenant_of(acme))
    assert answer_of(usage(read)).document["key_rotation_days"] == 90

    for days in (30, None, 30):
        request = key_request("change_own_organization", tenant_of(acme), {"key_rotation_days": days})
        assert answer_of(keys(request)).document["key_rotation_days"] == days

    assert answer_of(usage(read)).document["key_rotation_days"] == 30
    assert [(action, target) for action, target, _ in list_key_actions(databases, acme)] == [
        ("organization.key_rotation_changed", "90 days to 30 days"),
        ("organization.key_rotation_changed", "30 days to never"),
        ("organization.key_rotation_changed", "never to 30 days"),
    ]


def test_rotation_policy_sets_the_time_to_rotate(keys: Function, acme: Provisioned) -> None:
    created_at = datetime.fromisoformat(list_keys_by_id(keys, acme)[str(acme.write_key_id)]["created_at"])
    for days, expected in ((30, created_at + timedelta(days=30)), (None, None)):
        keys(key_request("change_own_organization", tenant_of(acme), {"key_rotation_days": days}))

        found = list_keys_by_id(keys, acme)[str(acme.write_key_id)]["rotate_by"]

        assert (None if found is None else datetime.fromisoformat(str(found))) == expected


@pytest.mark.parametrize(
    "body", [{}, {"key_rotation_days": 0}, {"key_rotation_days": 3651}, {"key_rotation_days": "30"}]
)
def test_rotation_policy_is_bounded(keys: Function, acme: Provisioned, body: dict[str, object]) -> None:
    request = key_request("change_own_organization", tenant_of(acme), body)

    problem_of(keys(request), request, 422, "invalid")
