"""States, ends and scopes of managed keys."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tenancy.errors import ConflictError, ForbiddenError
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.rules.keys.managed_keys import (
    KeyKind,
    KeyLife,
    KeyStatus,
    NewKey,
    default_scopes,
    require_grantable,
)
from tenancy.rules.permissions import EVENTS_WRITE, KEYS_WRITE, PERMISSIONS, SECRET_KEY_PERMISSIONS, USAGE_READ
from tests.given import NOW

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def key(**changes: object) -> KeyLife:
    values: dict[str, object] = {
        "id": uuid4(),
        "name": "Billing",
        "prefix": None,
        "hint": "abcd",
        "created_at": NOW - DAY,
        "last_used_at": None,
        "expires_at": None,
        "revoked_at": None,
        "replaced_by": None,
    }
    return KeyLife(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, KeyStatus.ACTIVE),
        ({"expires_at": NOW + SECOND}, KeyStatus.EXPIRING),
        ({"expires_at": NOW}, KeyStatus.EXPIRED),
        ({"revoked_at": NOW}, KeyStatus.REVOKED),
        ({"revoked_at": NOW, "expires_at": NOW - SECOND}, KeyStatus.REVOKED),
    ],
)
def test_status_follows_from_the_times(changes: dict[str, object], status: KeyStatus) -> None:
    assert key(**changes).status_at(NOW) is status


def test_key_is_to_be_rotated_after_the_days_of_the_policy() -> None:
    assert key().rotate_by(90, now=NOW) == NOW + 89 * DAY
    assert key().rotate_by(None, now=NOW) is None


@pytest.mark.parametrize("changes", [{"revoked_at": NOW}, {"expires_at": NOW}, {"replaced_by": uuid4()}])
def test_ended_or_rotated_key_is_not_to_be_rotated(changes: dict[str, object]) -> None:
    assert key(**changes).rotate_by(90, now=NOW) is None
    with pytest.raises(ConflictError):
        key(**changes).require_rotatable(NOW)


def test_live_key_can_be_rotated() -> None:
    key(expires_at=NOW + SECOND).require_rotatable(NOW)


def test_overlap_ends_at_the_latest_with_the_key() -> None:
    assert key().end_of_overlap(DAY, now=NOW) == NOW + DAY
    assert key(expires_at=NOW + SECOND).end_of_overlap(DAY, now=NOW) == NOW + SECOND


def test_default_scopes_are_within_those_of_the_caller() -> None:
    assert set(default_scopes(KeyKind.SECRET, PERMISSIONS)) == SECRET_KEY_PERMISSIONS
    assert default_scopes(KeyKind.SECRET, {USAGE_READ, KEYS_WRITE}) == (USAGE_READ,)
    assert default_scopes(KeyKind.WRITE, {KEYS_WRITE}) == (EVENTS_WRITE,)


def test_caller_without_a_default_scope_must_name_the_scopes() -> None:
    with pytest.raises(ForbiddenError):
        default_scopes(KeyKind.SECRET, {KEYS_WRITE})


def test_refusal_names_the_missing_permissions() -> None:
    require_grantable([USAGE_READ], {USAGE_READ, KEYS_WRITE})
    with pytest.raises(ForbiddenError, match=f"{EVENTS_WRITE}, {USAGE_READ}"):
        require_grantable([USAGE_READ, EVENTS_WRITE, KEYS_WRITE], {KEYS_WRITE})


@pytest.mark.parametrize("kind", KeyKind)
def test_new_key_is_stored_without_its_text(kind: KeyKind) -> None:
    new = NewKey(
        id=uuid4(),
        key=generate_key(kind.type),
        name="Billing",
        app_id=uuid4(),
        scopes=(EVENTS_WRITE,),
        created_at=NOW,
        expires_at=None,
        rotate_by=None,
    )

    stored = new.as_managed()

    assert (stored.kind, stored.prefix, stored.hint) == (kind, new.key.text[:8], new.key.text[-4:])
    assert new.key.text not in repr(stored)
    assert new.key.text not in repr(new)
    assert KeyType(new.key.text[:2]) is kind.type
