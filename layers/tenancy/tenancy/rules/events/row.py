"""The row that an event becomes, whatever words it came in, and what every event of a request has in common."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

import msgspec

from tenancy.errors import FieldError

MAX_EVENT_BYTES: Final = 32 * 1024
ID_SHOWN_CHARACTERS: Final = 255
MAX_CLOCK_AHEAD: Final = timedelta(hours=24)
DEFAULT_CURRENCY: Final = "USD"
RELEASED_REASON: Final = "released"  # the reason of a held event that has become one of the organization's
# Differ from one try to the next, so they are no part of an event; the key is a secret.
TRANSPORT_MEMBERS: Final = frozenset({"sentAt", "writeKey"})
TRANSPORT_TEXTS: Final = tuple(f'"{name}"'.encode() for name in sorted(TRANSPORT_MEMBERS))
NUL: Final = b"\\u0000"  # as JSON spells it


_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder: Final = msgspec.json.Encoder()


class EventRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row of `events`, in the text that ClickHouse reads; times are `YYYY-MM-DD hh:mm:ss.mmm` in UTC.

    With a *reason* it is a row of `held_events` instead.
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
    reason: str = ""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes two rows the same event (decision 6)."""
        return self.organization_id, self.event_timestamp, self.device_id, self.event_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """An event that was not taken: its place in the batch, its id where it has one, and why."""

    index: int
    event_id: str | None
    errors: tuple[FieldError, ...]

    def __post_init__(self) -> None:
        """Cut the id, which may be what is wrong: an answer has its limits too."""
        object.__setattr__(self, "event_id", self.event_id and self.event_id[:ID_SHOWN_CHARACTERS])


class InvalidEventError(Exception):
    """An event is wrong; *errors* name its fields. Never leaves the ingest use case."""

    def __init__(self, field: str, code: str, message: str, *, event_id: str | None = None) -> None:
        """Point at one *field* of the event."""
        super().__init__(message)
        self.error = FieldError(location=field, code=code, message=message)
        self.event_id = event_id


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContext:
    """What is the same for every event of a request: whose they are, when they came, how old they may be."""

    organization_id: UUID
    received_at: datetime
    retention: timedelta
    # As rows spell them: made once a request, not once an event.
    organization_text: str = field(init=False)
    received_text: str = field(init=False)

    def __post_init__(self) -> None:
        """Spell them."""
        object.__setattr__(self, "organization_text", str(self.organization_id))
        object.__setattr__(self, "received_text", format_row_time(self.received_at, timespec="microseconds"))

    def is_in_range(self, timestamp: datetime) -> bool:
        """Whether the clock that wrote *timestamp* can be believed, and the row would be kept at all."""
        return self.received_at - self.retention <= timestamp <= self.received_at + MAX_CLOCK_AHEAD


def format_row_time(moment: datetime, *, timespec: str = "milliseconds") -> str:
    """Return *moment* as ClickHouse reads it, in UTC, cut to *timespec* (as `datetime.isoformat` calls it)."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec=timespec)


def derive_event_id(organization_id: UUID, raw: bytes) -> str:
    """Return the id of an event that has none: the same text is the same event, whenever it is sent."""
    if any(member in raw for member in TRANSPORT_TEXTS):
        raw = join_members(_members_decoder.decode(raw), TRANSPORT_MEMBERS)
    return str(uuid5(organization_id, raw))


def join_members(members: Mapping[str, msgspec.Raw], without: AbstractSet[str]) -> bytes:
    """Return the JSON object of *members* but those named *without*, their texts untouched."""
    parts = (_encoder.encode(name) + b":" + bytes(value) for name, value in members.items() if name not in without)
    return b"{" + b",".join(parts) + b"}"


def require_no_nul(**texts: str) -> None:
    """Refuse U+0000 in *texts*, which other stores cannot hold; `NUL` in the raw event tells cheaply that it may be.

    Raises:
        InvalidEventError: one of the texts has it.
    """
    for name, text in texts.items():
        if "\0" in text:
            raise InvalidEventError(name, "invalid_characters", "The character U+0000 is not allowed.")
