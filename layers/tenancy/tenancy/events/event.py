"""One event as POST /v1/events takes it, and the row that it becomes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID, uuid5

import msgspec

from tenancy.errors import FieldError, TenantMismatchError
from tenancy.events.currencies import CURRENCIES
from tenancy.events.money import find_money, money_text

MAX_EVENT_BYTES: Final = 32 * 1024
MAX_CLOCK_AHEAD: Final = timedelta(hours=24)
DEFAULT_CURRENCY: Final = "USD"
FIELD_IN_MESSAGE: Final = re.compile(r"at `\$\.([a-z_]+)")
MISSING_FIELD: Final = re.compile(r"missing required field `([a-z_]+)`")

type Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
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


class InvalidEventError(Exception):
    """An event is wrong; *errors* name its fields. Never leaves the ingest use case."""

    def __init__(self, field: str, code: str, message: str, *, event_id: str | None = None) -> None:
        """Point at one *field* of the event."""
        super().__init__(message)
        self.error = FieldError(location=field, code=code, message=message)
        self.event_id = event_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What is the same for every event of a request: whose they are, when they came, how old they may be."""

    organization_id: UUID
    received_at: datetime
    retention: timedelta

    def is_in_range(self, timestamp: datetime) -> bool:
        """Whether the clock that wrote *timestamp* can be believed, and the row would be kept at all."""
        return self.received_at - self.retention <= timestamp <= self.received_at + MAX_CLOCK_AHEAD


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the client's words. Members that are not named here are ignored."""

    event_type: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    event_name: Name
    device_id: Name
    platform: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    event_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    event_id: Name | None = None
    session_id: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    user_properties: msgspec.Raw = msgspec.Raw(b"{}")
    revenue: Decimal | None = None
    currency: str | None = None
    organization_id: str | None = None


_decoder: Final = msgspec.json.Decoder(Event)
_id_decoder: Final = msgspec.json.Decoder(Mapping[str, msgspec.Raw])


def parse_event(raw: bytes, reception: Reception) -> Row:
    """Return the row for the JSON text *raw* of one event.

    Raises:
        InvalidEventError: a field is missing, has another type, or is out of range.
        TenantMismatchError: the event names another organization.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise InvalidEventError("", "too_large", f"An event has at most {MAX_EVENT_BYTES} bytes.")
    try:
        event = _decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _invalid(raw, str(error)) from error
    if event.organization_id is not None and event.organization_id.lower() != str(reception.organization_id):
        raise TenantMismatchError("An event names another organization than the credential.")
    try:
        return _row(raw, event, reception)
    except InvalidEventError as error:
        error.event_id = event.event_id
        raise


def row_time(moment: datetime) -> str:
    """Return *moment* as ClickHouse reads it, cut to milliseconds.

    Raises:
        InvalidEventError: no calendar in UTC has that moment.
    """
    try:
        return moment.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds")[:23]
    except OverflowError as error:
        raise InvalidEventError("timestamp", "out_of_range", "The time is out of range.") from error


def derived_event_id(organization_id: UUID, raw: bytes) -> str:
    """Return the id of an event that has none: the same text is the same event."""
    return str(uuid5(organization_id, raw))


def refuse_nul(raw: bytes, **texts: str) -> None:
    """Refuse U+0000 in *texts*, which other stores cannot hold; *raw* tells cheaply that there is none.

    Raises:
        InvalidEventError: one of the texts has it.
    """
    if b"\\u0000" not in raw:
        return
    for field, text in texts.items():
        if "\0" in text:
            raise InvalidEventError(field, "invalid_characters", "The character U+0000 is not allowed.")


def _row(raw: bytes, event: Event, reception: Reception) -> Row:
    if not reception.is_in_range(event.event_timestamp):
        raise InvalidEventError(
            "event_timestamp", "out_of_range", "The time is older than the retention, or more than 24 h ahead."
        )
    session_id = event.session_id or ""
    refuse_nul(
        raw,
        event_type=event.event_type,
        event_name=event.event_name,
        device_id=event.device_id,
        platform=event.platform,
        event_id=event.event_id or "",
        session_id=session_id,
    )
    return Row(
        organization_id=str(reception.organization_id),
        event_id=event.event_id or derived_event_id(reception.organization_id, raw),
        event_type=event.event_type,
        event_name=event.event_name,
        device_id=event.device_id,
        session_id=session_id,
        platform=event.platform,
        event_timestamp=row_time(event.event_timestamp),
        properties=_object("properties", event.properties),
        user_properties=_object("user_properties", event.user_properties),
        revenue=_money(event.revenue),
        currency=_currency(event.currency),
        received_at=row_time(reception.received_at),
    )


def _object(field: str, value: msgspec.Raw) -> str:
    text = bytes(value)
    if text[:1] == b"{":
        return text.decode()
    if text == b"null":
        return "{}"
    raise InvalidEventError(field, "invalid_type", "Expected an object.")


def _money(revenue: Decimal | None) -> str:
    money = find_money(revenue or Decimal())
    if money is None or (revenue and money != revenue):
        raise InvalidEventError("revenue", "out_of_range", "Money has at most 12 digits before and 6 after the point.")
    return money_text(money)


def _currency(currency: str | None) -> str:
    if currency is None:
        return DEFAULT_CURRENCY
    if currency not in CURRENCIES:
        raise InvalidEventError("currency", "unknown", "Expected a code of ISO 4217.")
    return currency


def _invalid(raw: bytes, message: str) -> InvalidEventError:
    """Translate msgspec's words; it names the field in its message only."""
    missing = MISSING_FIELD.search(message)
    if missing:
        return InvalidEventError(missing[1], "missing", message, event_id=_find_event_id(raw))
    field = FIELD_IN_MESSAGE.search(message)
    return InvalidEventError(field[1] if field else "", "invalid", message, event_id=_find_event_id(raw))


def _find_event_id(raw: bytes) -> str | None:
    try:
        value = msgspec.json.decode(_id_decoder.decode(raw).get("event_id", b"null"))
    except msgspec.MsgspecError:
        return None
    return value if isinstance(value, str) else None
