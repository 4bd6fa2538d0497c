"""Answers of the routes of keys and platform keys.

Only the answer to the request that creates a key shows its text.
"""

from datetime import datetime
from typing import Annotated, Any, TypedDict

from pydantic import WithJsonSchema

from tenancy.gateway.answer_types import Time, Uuid
from tenancy.gateway.times import format_optional_time, format_time
from tenancy.rules.durations import PLATFORM_KEY_ROTATION
from tenancy.rules.keys.api_keys import KeyType
from tenancy.rules.keys.managed_keys import KeyKind, KeyLife, KeyStatus, ManagedKey, NewKey, Rotation

KeyText = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^({KeyType.SECRET}|{KeyType.WRITE})_"})]
PlatformKeyText = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^{KeyType.PLATFORM}_"})]


class PlatformKeyAnswer(TypedDict):
    """A platform key without its text."""

    id: Uuid
    name: str
    prefix: str | None
    hint: str | None
    created_at: Time
    last_used_at: Time | None
    expires_at: Time | None
    rotate_by: Time | None
    replaced_by: Uuid | None
    status: KeyStatus


class KeyAnswer(PlatformKeyAnswer):
    """A key of an organization without its text."""

    type: KeyKind
    app_id: Uuid | None
    scopes: list[str]


class NewKeyAnswer(KeyAnswer):
    """A new key. No other answer ever shows its text."""

    key: KeyText


class ReplacedKeyAnswer(TypedDict):
    """A rotated key, and its end."""

    id: Uuid
    ends_at: Time


class RotatedKeyAnswer(NewKeyAnswer):
    """A new key, and the key that it replaces."""

    replaces: ReplacedKeyAnswer


class NewPlatformKeyAnswer(PlatformKeyAnswer):
    """A new platform key. No other answer ever shows its text."""

    key: PlatformKeyText


class RotatedPlatformKeyAnswer(NewPlatformKeyAnswer):
    """A new platform key, and the key that it replaces."""

    replaces: ReplacedKeyAnswer


def key_document(key: ManagedKey, *, rotation_days: int | None, now: datetime) -> dict[str, Any]:
    """Return a key of an organization.

    Its keys are to be rotated after *rotation_days*, None for never.
    """
    return _with_app(key, rotate_by=key.rotate_by(rotation_days, now=now), now=now)


def new_key_document(new: NewKey) -> dict[str, Any]:
    """Return a new key of an organization with its text. It is the same for a repeated request."""
    return {**_with_app(new.as_managed(), rotate_by=new.rotate_by, now=new.created_at), "key": new.key.text}


def platform_key_document(key: KeyLife, *, now: datetime) -> dict[str, Any]:
    """Return a platform key."""
    return _of_any_key(key, rotate_by=key.rotate_by(PLATFORM_KEY_ROTATION.days, now=now), now=now)


def new_platform_key_document(new: NewKey) -> dict[str, Any]:
    """Return a new platform key with its text. It is the same for a repeated request."""
    return {**platform_key_document(new.as_stored(), now=new.created_at), "key": new.key.text}


def replaced_document(rotation: Rotation) -> dict[str, Any]:
    """Return the member `replaces`, which only the new key of a rotation has."""
    return {"replaces": {"id": str(rotation.old_id), "ends_at": format_time(rotation.old_ends_at)}}


def _with_app(key: ManagedKey, *, rotate_by: datetime | None, now: datetime) -> dict[str, Any]:
    return {
        **_of_any_key(key, rotate_by=rotate_by, now=now),
        "type": key.kind.value,
        "app_id": None if key.app_id is None else str(key.app_id),
        "scopes": list(key.scopes),
    }


def _of_any_key(key: KeyLife, *, rotate_by: datetime | None, now: datetime) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "name": key.name,
        "prefix": key.prefix,
        "hint": key.hint,
        "created_at": format_time(key.created_at),
        "last_used_at": format_optional_time(key.last_used_at),
        "expires_at": format_optional_time(key.expires_at),
        "rotate_by": format_optional_time(rotate_by),
        "replaced_by": None if key.replaced_by is None else str(key.replaced_by),
        "status": key.status_at(now).value,
    }
