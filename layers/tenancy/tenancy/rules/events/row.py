"""The row of an event, and the values that all events of a request share."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final
from uuid import UUID, uuid5

import msgspec

from tenancy.errors import FieldError
from tenancy.rules.durations import ONE_DAY
from tenancy.rules.entitlements import SHORTEST_RETENTION_DAYS
from tenancy.rules.texts import NAME_MAX_CHARACTERS
from tenancy.rules.tiers import LONGEST_RETENTION_DAYS

MAX_EVENT_BYTES: Final = 32 * 1024
ID_SHOWN_CHARACTERS: Final = 255
MAX_CLOCK_AHEAD: Final = timedelta(hours=24)
LONGEST_RETENTION: Final = timedelta(days=LONGEST_RETENTION_DAYS)
SHORTEST_RETENTION: Final = timedelta(days=SHORTEST_RETENTION_DAYS)
DEFAULT_CURRENCY: Final = "USD"
RELEASED_REASON: Final = "released"  # the reason of a held event after its release
# Not part of an event: `sentAt` differs with each retry, and the write key is a secret.
WRITE_KEY_MEMBER: Final = "writeKey"
TRANSPORT_MEMBERS: Final = frozenset({"sentAt", WRITE_KEY_MEMBER})
TRANSPORT_TEXTS: Final = tuple(f'"{name}"'.encode() for name in sorted(TRANSPORT_MEMBERS))
NUL: Final = b"\\u0000"  # as JSON escapes it
WHOLE_SECOND: Final = len("2026-11-24T12:00:00Z")  # msgspec writes a fraction, of six digits, unless it is 0


_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder: Final = msgspec.json.Encoder()


class EventRow(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A row of `events` in the text format of ClickHouse.

    Times are `YYYY-MM-DD hh:mm:ss.mmm` in UTC. *app_id* is empty without an app. A row with a *reason* goes to
    `held_events` instead. Fields are not keyword-only, because a row by position is made in
    a sixth of the time.
    """

    organization_id: str
    event_id: str
    event_type: str
    event_name: str
    device_id: str
    session_id: str
    platform: str
    event_timestamp: str
    properties: str
    user_properties: str
    revenue: str
    currency: str
    received_at: str
    device_names: tuple[str, ...]
    user_names: tuple[str, ...]
    app_id: str = ""
    reason: str = ""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """The identity of the event.

        Rows with the same identity are the same event (docs/decisions/0006-event-identity.md).
        """
        return self.organization_id, self.event_timestamp, self.device_id, self.event_id


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A rejected event: its index in the batch, its id if it has one, and the errors."""

    index: int
    event_id: str | None
    errors: tuple[FieldError, ...]

    def __post_init__(self) -> None:
        """Cut the id, because it may be invalid and too long for an answer."""
        if self.event_id is not None and len(self.event_id) > ID_SHOWN_CHARACTERS:
            msgspec.structs.force_setattr(self, "event_id", self.event_id[:ID_SHOWN_CHARACTERS])


NOT_VALID: Final = (FieldError(location="", code="invalid", message="The event is not valid."),)


class InvalidEventError(Exception):
    """An invalid event.

    *errors* name the fields, with locations in the event. The ingest use case turns them into a `Rejection`.
    """

    errors: tuple[FieldError, ...]
    event_id: str | None

    def __init__(self, field: str, code: str, message: str, *, event_id: str | None = None) -> None:
        """Name one *field* of the event."""
        super().__init__(message)
        self.errors = (FieldError(location=field, code=code, message=message),)
        self.event_id = event_id

    @classmethod
    def of(cls, errors: Sequence[FieldError], *, event_id: str | None) -> "InvalidEventError":
        """Name all fields of the event that are at fault, or none of them."""
        error = cls.__new__(cls)
        error.errors, error.event_id = tuple(errors) or NOT_VALID, event_id
        return error


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContext:
    """The values that all events of a request share.

    *app_id* is the app of the write key, None for other keys. *has_escapes* is False if no text of the request has a
    backslash. An event from before *kept_by_all_text* may be older than
    the retention of some organization. One from before *earliest* is older than the longest retention, and one from
    after *latest* is more than 24 hours ahead.
    """

    organization_id: UUID
    received_at: datetime
    app_id: UUID | None = None
    has_escapes: bool = True
    # Formatted once per request, not once per event.
    organization_text: str = field(init=False)
    app_text: str = field(init=False)
    received_text: str = field(init=False)
    kept_by_all_text: str = field(init=False)
    earliest: datetime = field(init=False)
    latest: datetime = field(init=False)
    # Many events have the same amount, and most the same currency. They are converted once a request.
    moneys: dict[tuple[bytes, str | None], tuple[str, str]] = field(
        init=False, default_factory=dict, compare=False, repr=False
    )
    amounts: dict[bytes, str] = field(init=False, default_factory=dict, compare=False, repr=False)
    currencies: dict[str | None, str] = field(init=False, default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Format the organization, the app and the times, and compute the bounds."""
        object.__setattr__(self, "organization_text", str(self.organization_id))
        object.__setattr__(self, "app_text", str(self.app_id) if self.app_id else "")
        object.__setattr__(self, "received_text", format_row_time(self.received_at, timespec="microseconds"))
        object.__setattr__(self, "kept_by_all_text", format_event_time(self.received_at - SHORTEST_RETENTION))
        object.__setattr__(self, "earliest", self.received_at - LONGEST_RETENTION)
        object.__setattr__(self, "latest", self.received_at + MAX_CLOCK_AHEAD)

    def is_in_range(self, timestamp: datetime) -> bool:
        """Whether *timestamp* is within the longest retention and at most 24 hours ahead."""
        return self.earliest <= timestamp <= self.latest

    def age_in_days(self, row: EventRow) -> int:
        """Return the age of an event in days, rounded up: the retention that includes it."""
        happened_at = datetime.fromisoformat(row.event_timestamp).replace(tzinfo=UTC)
        return ceil((self.received_at - happened_at) / ONE_DAY)


def format_row_time(moment: datetime, *, timespec: str = "milliseconds") -> str:
    """Return *moment* in UTC as ClickHouse reads it: `YYYY-MM-DD hh:mm:ss` and a fraction.

    *timespec* sets the precision, as for `datetime.isoformat`. Smaller digits are cut off.
    """
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec=timespec)


def format_event_time(moment: datetime) -> str:
    """Return *moment* as `format_row_time` does."""
    return format_event_times([moment])[0]


def format_event_times(moments: Sequence[datetime]) -> list[str]:
    """Return each of *moments* as `format_row_time` does, in an eighth of the time."""
    in_utc = [moment if moment.tzinfo is UTC else moment.astimezone(UTC) for moment in moments]
    texts: list[str] = msgspec.to_builtins(in_utc)
    return [
        f"{text[:10]} {text[11:23]}" if len(text) > WHOLE_SECOND else f"{text[:10]} {text[11:19]}.000" for text in texts
    ]


def derive_event_id(organization_id: UUID, raw: bytes) -> str:
    """Return the id for an event without one.

    Equal texts get equal ids, also on a retry.
    """
    if any(member in raw for member in TRANSPORT_TEXTS):
        raw = join_members(_members_decoder.decode(raw), TRANSPORT_MEMBERS)
    return str(uuid5(organization_id, raw))


def join_event_id(organization_id: UUID, source: str, event_id: str) -> str:
    """Return the id that *source* and *event_id* form together: a JSON list.

    The list has no spaces. No other pair has the same list. A UUIDv5 replaces a list of more than 255 characters.
    """
    joined = _encoder.encode([source, event_id]).decode()
    return joined if len(joined) <= NAME_MAX_CHARACTERS else str(uuid5(organization_id, joined))


def join_members(members: Mapping[str, msgspec.Raw], without: AbstractSet[str]) -> bytes:
    """Return a JSON object of *members* except those in *without*.

    Their texts do not change.
    """
    return _encoder.encode({name: value for name, value in members.items() if name not in without})


def encode_member(name: str, value: msgspec.Raw) -> bytes:
    """Return a member of a JSON object. The text of the value does not change."""
    return _encoder.encode(name) + b":" + bytes(value)


def require_no_nul(**texts: str) -> None:
    """Refuse the character U+0000 in *texts*, the values by field name.

    PostgreSQL, for example, cannot store it. Callers first search the raw event for `NUL`, because that is faster than
    a search of each field.

    Raises:
        InvalidEventError: a text has U+0000.
    """
    for name, text in texts.items():
        if "\0" in text:
            raise InvalidEventError(name, "invalid_characters", "The character U+0000 is not allowed.")
