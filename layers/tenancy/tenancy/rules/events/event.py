"""Parses one event of POST /v1/events."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final

import msgspec

from tenancy.errors import TenantMismatchError
from tenancy.rules.events.event_errors import MISMATCH_TEXT, explain_invalid_event
from tenancy.rules.events.fields import (
    TYPE_MAX_CHARACTERS,
    convert_currency,
    convert_object,
    convert_once,
    convert_revenue,
    convert_time,
)
from tenancy.rules.events.leap_seconds import replace_leap_second
from tenancy.rules.events.names import find_names
from tenancy.rules.events.row import (
    MAX_EVENT_BYTES,
    NUL,
    BatchContext,
    EventRow,
    InvalidEventError,
    derive_event_id,
    require_no_nul,
)
from tenancy.rules.json_members import JSON_NULL
from tenancy.rules.texts import NAME_MAX_CHARACTERS

type Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MAX_CHARACTERS)]
type Explain = Callable[[bytes, BatchContext], InvalidEventError]
type TypeName = Annotated[str, msgspec.Meta(min_length=1, max_length=TYPE_MAX_CHARACTERS)]


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """An event as the client sends it.

    Another member makes it invalid. The last three members are ignored.
    """

    event_type: TypeName
    event_name: Name
    device_id: Name
    platform: TypeName
    event_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    event_id: Name | None = None
    session_id: Annotated[str, msgspec.Meta(max_length=NAME_MAX_CHARACTERS)] | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    user_properties: msgspec.Raw = msgspec.Raw(b"{}")
    revenue: msgspec.Raw = msgspec.Raw(JSON_NULL)
    currency: str | None = None
    organization_id: str | None = None
    sentAt: msgspec.Raw = msgspec.Raw()  # noqa: N815 - the SDKs' spelling
    writeKey: msgspec.Raw = msgspec.Raw()  # noqa: N815
    context: msgspec.Raw = msgspec.Raw()


event_decoder: Final = msgspec.json.Decoder(Event)


def parse_event(
    raw: bytes | msgspec.Raw, reception: BatchContext, *, explain: Explain = explain_invalid_event
) -> EventRow:
    """Return the row for the JSON text *raw* of one event.

    The caller compares the time with the retention of the organization. *explain* returns the error of an invalid
    event.

    Raises:
        InvalidEventError: fields are missing, unknown, of another type, or out of range for every organization.
        TenantMismatchError: the event names another organization.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise InvalidEventError("", "too_large", f"The event exceeds {MAX_EVENT_BYTES} bytes.")
    try:
        event = _decode(raw)
        if event.organization_id is not None and event.organization_id.lower() != reception.organization_text:
            raise TenantMismatchError(MISMATCH_TEXT)
        return _row(raw, event, reception)
    except (msgspec.ValidationError, InvalidEventError) as error:
        raise explain(bytes(raw), reception) from error


def _decode(raw: bytes | msgspec.Raw) -> Event:
    """Decode an event, also with a leap second, which the decoder refuses."""
    try:
        return event_decoder.decode(raw)
    except msgspec.ValidationError:
        readable = replace_leap_second(bytes(raw), "event_timestamp")
        if readable is None:
            raise
        return event_decoder.decode(readable)


def _row(raw: bytes | msgspec.Raw, event: Event, reception: BatchContext) -> EventRow:
    session_id = event.session_id or ""
    if reception.has_escapes and NUL in bytes(raw):
        require_no_nul(
            event_type=event.event_type,
            event_name=event.event_name,
            device_id=event.device_id,
            platform=event.platform,
            event_id=event.event_id or "",
            session_id=session_id,
        )
    properties = convert_object("properties", event.properties)
    user_properties = convert_object("user_properties", event.user_properties)
    names = find_names(properties, user_properties)
    return EventRow(
        reception.organization_text,
        event.event_id or derive_event_id(reception.organization_id, bytes(raw)),
        event.event_type,
        event.event_name,
        event.device_id,
        session_id,
        event.platform,
        convert_time(event.event_timestamp, reception),
        properties,
        user_properties,
        convert_once(convert_revenue, bytes(event.revenue), reception.amounts),
        convert_once(convert_currency, event.currency, reception.currencies),
        reception.received_text,
        names.devices,
        names.users,
        reception.app_text,
    )
