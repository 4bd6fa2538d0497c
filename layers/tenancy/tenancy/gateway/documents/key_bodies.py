"""Bodies of the routes of keys and platform keys."""

from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, WithJsonSchema, model_validator

from tenancy.gateway.parameters import Id
from tenancy.rules.body_members import Name
from tenancy.rules.durations import MAX_OVERLAP_SECONDS
from tenancy.rules.keys.managed_keys import MAX_ROTATION_DAYS, MIN_ROTATION_DAYS, KeyKind
from tenancy.rules.permissions import EVENTS_WRITE, PERMISSIONS
from tenancy.rules.unix_time import milliseconds_of, time_of
from tenancy.use_cases.keys.create_key import WantedKey

END_MAX_CHARACTERS: Final = 40
END_TEXT: Final = "Expected an RFC 3339 time with a zone, such as 2026-11-24T12:00:00Z."


class _End(msgspec.Struct):
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)]


def parse_end(text: str) -> datetime:
    """Return the time in *text*, to the millisecond.

    Raises:
        ValueError: *text* has another form.
    """
    try:
        moment = msgspec.convert({"expires_at": text}, type=_End).expires_at
        return time_of(milliseconds_of(moment))
    except (msgspec.ValidationError, OverflowError) as error:
        raise ValueError(END_TEXT) from error


def check_end(text: str) -> str:
    """Return *text* if it is a time.

    Raises:
        ValueError: as `parse_end`.
    """
    parse_end(text)
    return text


def check_scope(text: str) -> str:
    """Return *text* if it is a permission.

    Raises:
        ValueError: there is no such permission.
    """
    if text not in PERMISSIONS:
        raise ValueError(f"Expected one of {', '.join(sorted(PERMISSIONS))}.")
    return text


End = Annotated[
    str,
    Field(max_length=END_MAX_CHARACTERS),
    AfterValidator(check_end),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": END_MAX_CHARACTERS}),
]
Scope = Annotated[str, AfterValidator(check_scope), WithJsonSchema({"type": "string", "enum": sorted(PERMISSIONS)})]


class NewKeyBody(BaseModel):
    """The body of POST /v1/keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: KeyKind
    name: Name
    app_id: Id | None = None
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(PERMISSIONS))] | None = None
    expires_at: End | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> "NewKeyBody":
        if self.type is KeyKind.WRITE and self.app_id is None:
            raise ValueError("A write key belongs to an app. Name it with `app_id`.")
        if self.type is KeyKind.WRITE and self.scopes is not None and set(self.scopes) != {EVENTS_WRITE}:
            raise ValueError(f"A write key has the scope {EVENTS_WRITE} only. Omit `scopes`.")
        return self

    def wanted_key(self) -> WantedKey:
        """Return the key that the client asks for."""
        return WantedKey(
            kind=self.type,
            name=self.name,
            app_id=self.app_id,
            scopes=None if self.scopes is None else tuple(sorted(set(self.scopes))),
            expires_at=None if self.expires_at is None else parse_end(self.expires_at),
        )


class NewPlatformKeyBody(BaseModel):
    """The body of POST /v1/platform-keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    expires_at: End | None = None

    def end(self) -> datetime | None:
        """Return the end of the key, None without one."""
        return None if self.expires_at is None else parse_end(self.expires_at)


class RotationBody(BaseModel):
    """The body of both routes that rotate a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overlap_seconds: Annotated[StrictInt, Field(ge=0, le=MAX_OVERLAP_SECONDS)] = 0

    @property
    def overlap(self) -> timedelta:
        """The time for which the old key still works."""
        return timedelta(seconds=self.overlap_seconds)


class OwnOrganizationChange(BaseModel):
    """The body of PATCH /v1/organizations/current. null is no rotation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_rotation_days: Annotated[StrictInt, Field(ge=MIN_ROTATION_DAYS, le=MAX_ROTATION_DAYS)] | None
