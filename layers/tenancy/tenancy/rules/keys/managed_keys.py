"""The keys of organizations and operators: their states, their ends and their limits."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from tenancy.errors import ConflictError, ForbiddenError
from tenancy.rules.durations import ONE_DAY
from tenancy.rules.keys.api_keys import ApiKey, KeyType
from tenancy.rules.permissions import EVENTS_WRITE, SECRET_KEY_PERMISSIONS

MAX_LIVE_KEYS: Final = 1_000  # of an organization
MAX_LIVE_PLATFORM_KEYS: Final = 100
MIN_ROTATION_DAYS: Final = 1
MAX_ROTATION_DAYS: Final = 3_650


class KeyKind(StrEnum):
    """The type of an organization's key, as requests and answers name it."""

    WRITE = "write"
    SECRET = "secret"  # noqa: S105 - a type

    @property
    def type(self) -> KeyType:
        """The type as the text of a key has it."""
        return KeyType.WRITE if self is KeyKind.WRITE else KeyType.SECRET

    @classmethod
    def of(cls, key_type: KeyType) -> "KeyKind":
        """Return the kind of a key of *key_type*, `wk` or `sk`."""
        return cls.WRITE if key_type is KeyType.WRITE else cls.SECRET


class KeyStatus(StrEnum):
    """The status of a key.

    An expiring key is live until `expires_at`, which its creator or an overlap has set.
    """

    ACTIVE = "active"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLife:
    """The name and the times of a key. Its text is not stored.

    A key of an earlier release has no *prefix*. *last_used_at* is to the hour. *replaced_by* is the key that its
    rotation made.
    """

    id: UUID
    name: str
    prefix: str | None
    hint: str | None
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: UUID | None

    def status_at(self, now: datetime) -> KeyStatus:
        """Return the status at *now*."""
        if self.revoked_at is not None:
            return KeyStatus.REVOKED
        if self.expires_at is None:
            return KeyStatus.ACTIVE
        return KeyStatus.EXPIRING if self.expires_at > now else KeyStatus.EXPIRED

    def rotate_by(self, rotation_days: int | None, *, now: datetime) -> datetime | None:
        """Return the time until which the key is to be rotated, or None for never.

        It is None if there is no rotation policy, the key is revoked or expired, or it was rotated.
        """
        is_live = self.status_at(now) in {KeyStatus.ACTIVE, KeyStatus.EXPIRING}
        return due_after(rotation_days, self.created_at) if is_live and self.replaced_by is None else None

    def require_rotatable(self, now: datetime) -> None:
        """Require a live key without a successor.

        Raises:
            ConflictError: the key is revoked or expired, or it was rotated.
        """
        status = self.status_at(now)
        if status in {KeyStatus.REVOKED, KeyStatus.EXPIRED}:
            raise ConflictError(f"The key is {status}. Create a new key.")
        if self.replaced_by is not None:
            raise ConflictError(f"The key was rotated. Rotate its successor {self.replaced_by}.")

    def end_of_overlap(self, overlap: timedelta, *, now: datetime) -> datetime:
        """Return the end of the key if it is rotated at *now*, never later than its own end."""
        end = now + overlap
        return end if self.expires_at is None else min(end, self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedKey(KeyLife):
    """A key of an organization. A write key has an app, a secret key may have one."""

    kind: KeyKind
    app_id: UUID | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key before it is stored, with its text. Only the answer to its request shows the text.

    A platform key has no app and no scopes. *rotate_by* is None for it, because one rule holds for all platform keys.
    """

    id: UUID
    key: ApiKey
    name: str
    app_id: UUID | None
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    rotate_by: datetime | None

    def as_stored(self) -> KeyLife:
        """Return the key without its text."""
        return KeyLife(**self._columns())  # type: ignore[arg-type]

    def as_managed(self) -> ManagedKey:
        """Return the key of an organization without its text."""
        kind = KeyKind.of(self.key.type)
        return ManagedKey(kind=kind, app_id=self.app_id, scopes=self.scopes, **self._columns())  # type: ignore[arg-type]

    def _columns(self) -> dict[str, object]:
        return {
            "id": self.id,
            "name": self.name,
            "prefix": self.key.prefix,
            "hint": self.key.hint,
            "created_at": self.created_at,
            "last_used_at": None,
            "expires_at": self.expires_at,
            "revoked_at": None,
            "replaced_by": None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A new key, and the key that it replaces, which ends at *old_ends_at*."""

    new: NewKey
    old_id: UUID
    old_ends_at: datetime


def due_after(rotation_days: int | None, created_at: datetime) -> datetime | None:
    """Return the time until which a key is to be rotated, or None for never.

    *rotation_days* are those of the rotation policy.
    """
    return None if rotation_days is None else created_at + rotation_days * ONE_DAY


def default_scopes(kind: KeyKind, permissions: Collection[str]) -> tuple[str, ...]:
    """Return the scopes of a new key whose request names none, by a caller with *permissions*.

    Raises:
        ForbiddenError: the caller has none of the scopes of a secret key.
    """
    if kind is KeyKind.WRITE:
        return (EVENTS_WRITE,)
    scopes = tuple(sorted(SECRET_KEY_PERMISSIONS.intersection(permissions)))
    if not scopes:
        raise ForbiddenError("The credential has no default scope of a secret key. Name `scopes` that it has.")
    return scopes


def require_grantable(scopes: Collection[str], permissions: Collection[str]) -> None:
    """Require that a caller with *permissions* has all *scopes* of a key.

    The caller creates or rotates the key.

    Raises:
        ForbiddenError: the caller lacks one.
    """
    missing = sorted(set(scopes).difference(permissions))
    if missing:
        raise ForbiddenError(
            f"The key has scopes that the credential lacks: {', '.join(missing)}. Use a credential that has them."
        )
