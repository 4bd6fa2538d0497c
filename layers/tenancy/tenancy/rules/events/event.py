"""Parses one event of POST /v1/events."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

import msgspec

from tenancy.errors import TenantMismatchError
from tenancy.rules.events.currencies import find_currency
from tenancy.rules.events.leap_seconds import replace_leap_second
from tenancy.rules.events.money import format_money, round_money
from tenancy.rules.events.names import find_names
from tenancy.rules.events.row import (
    DEFAULT_CURRENCY,
    MAX_EVENT_BYTES,
    NUL,
    BatchContext,
    EventRow,
    InvalidEventError,
    derive_event_id,
    format_row_time,
    require_no_nul,
)

FIELD_IN_MESSAGE: Final = re.compile(r"at `\$\.([a-z_]+)")
MISSING_FIELD: Final = re.compile(r"missing required field `([a-z_]+)`")

TIME_OUT_OF_RANGE: Final = "Expected a time within the data retention of the tier and at most 24 hours ahead."

type Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the client sends it.

    Other members are ignored.
    """

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


def parse_event(raw: bytes, reception: BatchContext) -> EventRow:
    """Return the row for the JSON text *raw* of one event.

    The caller compares the time with the retention of the tier.

    Raises:
        InvalidEventError: a field is missing, has another type, or is out of range for every tier.
        TenantMismatchError: the event names another organization.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise InvalidEventError("", "too_large", f"The event exceeds {MAX_EVENT_BYTES} bytes.")
    try:
        event = _decode(raw)
    except msgspec.ValidationError as error:
        raise _invalid(raw, str(error)) from error
    if event.organization_id is not None and event.organization_id.lower() != reception.organization_text:
        raise TenantMismatchError("`organization_id` of an event is not the organization of the credential.")
    try:
        return _row(raw, event, reception)
    except InvalidEventError as error:
        error.event_id = event.event_id
        raise


def _decode(raw: bytes) -> Event:
    """Decode an event, also with a leap second, which the decoder refuses."""
    try:
        return _decoder.decode(raw)
    except msgspec.ValidationError:
        readable = replace_leap_second(raw, "event_timestamp")
        if readable is None:
            raise
        return _decoder.decode(readable)


def _row(raw: bytes, event: Event, reception: BatchContext) -> EventRow:
    if reception.is_ahead(event.event_timestamp) or reception.is_outdated(event.event_timestamp):
        raise InvalidEventError("event_timestamp", "out_of_range", TIME_OUT_OF_RANGE)
    session_id = event.session_id or ""
    if NUL in raw:
        require_no_nul(
            event_type=event.event_type,
            event_name=event.event_name,
            device_id=event.device_id,
            platform=event.platform,
            event_id=event.event_id or "",
            session_id=session_id,
        )
    properties, user_properties = (
        _object("properties", event.properties),
        _object("user_properties", event.user_properties),
    )
    names = find_names(properties, user_properties)
    return EventRow(
        organization_id=reception.organization_text,
        event_id=event.event_id or derive_event_id(reception.organization_id, raw),
        event_type=event.event_type,
        event_name=event.event_name,
        device_id=event.device_id,
        session_id=session_id,
        platform=event.platform,
        event_timestamp=format_row_time(event.event_timestamp),
        properties=properties,
        user_properties=user_properties,
        revenue=_money(event.revenue),
        currency=_currency(event.currency),
        received_at=reception.received_text,
        device_names=names.devices,
        user_names=names.users,
    )


def _object(field: str, value: msgspec.Raw) -> str:
    text = bytes(value)
    if text[:1] == b"{":
        return text.decode()
    if text == b"null":
        return "{}"
    raise InvalidEventError(field, "invalid_type", "Expected a JSON object.")


def _money(revenue: Decimal | None) -> str:
    money = round_money(revenue or Decimal())
    if money is None or (revenue and money != revenue):
        raise InvalidEventError(
            "revenue", "out_of_range", "Expected at most 12 digits before the decimal point and 6 after."
        )
    return format_money(money)


def _currency(currency: str | None) -> str:
    if currency is None:
        return DEFAULT_CURRENCY
    code = find_currency(currency)
    if code is None:
        raise InvalidEventError("currency", "unknown", "Expected an ISO 4217 currency code, such as EUR.")
    return code


def _invalid(raw: bytes, message: str) -> InvalidEventError:
    """Convert an error of msgspec, which names the field in its message only."""
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
