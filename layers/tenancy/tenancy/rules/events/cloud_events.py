"""Maps CloudEvents 1.0 in JSON to rows (docs/api.md, "CloudEvents").

Sources: CloudEvents 1.0.2, and its JSON event format.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from tenancy.rules.events.cloud_event_errors import DATA_MEMBERS, explain_invalid_cloud_event, find_data_fault
from tenancy.rules.events.event import Name, TypeName
from tenancy.rules.events.fields import convert_time
from tenancy.rules.events.leap_seconds import replace_leap_second
from tenancy.rules.events.names import find_names
from tenancy.rules.events.property_money import find_money
from tenancy.rules.events.row import (
    MAX_EVENT_BYTES,
    NUL,
    WRITE_KEY_MEMBER,
    BatchContext,
    EventRow,
    InvalidEventError,
    format_event_time,
    join_event_id,
    join_members,
    require_no_nul,
)
from tenancy.rules.events.shared_members import members_of
from tenancy.rules.json_members import JSON_NULL, find_members

DEFAULT_PLATFORM: Final = "server"  # as for Segment calls without `context.userAgent`
NO_DATA: Final = msgspec.Raw(JSON_NULL)
OBJECT_START: Final = b"{"
NOT_KEPT: Final = DATA_MEMBERS | {WRITE_KEY_MEMBER}  # a secret is no attribute of an event

type ExplainCloudEvent = Callable[[bytes, BatchContext], InvalidEventError]
type RequiredText = Annotated[str, msgspec.Meta(min_length=1)]


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of a CloudEvent that have a meaning here, and its data.

    Every other attribute is an extension, of any value. `platform` is an extension that this API defines.
    """

    specversion: Literal["1.0"]
    id: RequiredText
    source: RequiredText
    type: TypeName
    subject: Name
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    platform: TypeName | None = None
    data: msgspec.Raw = NO_DATA
    data_base64: msgspec.Raw = NO_DATA


_decoder: Final = msgspec.json.Decoder(CloudEvent)


def parse_cloud_event(
    raw: bytes, reception: BatchContext, *, explain: ExplainCloudEvent = explain_invalid_cloud_event
) -> EventRow:
    """Return the row for the JSON text *raw* of one CloudEvent.

    An event without a time gets the time of receipt. So it is another event when it is sent again. The caller compares
    the time with the retention of the organization, and the organization that the event may name with the tenant.
    *explain* returns the error of an invalid event.

    Raises:
        InvalidEventError: attributes are missing, of another type, or out of range for every organization.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise InvalidEventError("", "too_large", f"The event exceeds {MAX_EVENT_BYTES} bytes.")
    try:
        event = _decode(raw)
        _require_storable(raw, event)
        moment = reception.received_at if event.time is None else event.time
        timestamp = format_event_time(moment) if event.time is None else convert_time(moment, reception)
    except (msgspec.ValidationError, InvalidEventError) as error:
        raise explain(raw, reception) from error
    return _row(raw, event, timestamp, reception)


def _decode(raw: bytes) -> CloudEvent:
    """Decode an event, also with a leap second, which the decoder refuses."""
    try:
        return _decoder.decode(raw)
    except msgspec.ValidationError:
        readable = replace_leap_second(raw, "time")
        if readable is None:
            raise
        return _decoder.decode(readable)


def _require_storable(raw: bytes, event: CloudEvent) -> None:
    fault = find_data_fault(event.data, event.data_base64)
    if fault:
        raise InvalidEventError("data_base64", *fault)
    if NUL in raw:
        require_no_nul(
            id=event.id, source=event.source, type=event.type, subject=event.subject, platform=event.platform or ""
        )


def _row(raw: bytes, event: CloudEvent, timestamp: str, reception: BatchContext) -> EventRow:
    properties = _properties(event)
    attributes = join_members(find_members(raw) or {}, NOT_KEPT).decode()
    try:
        names = find_names(properties, attributes)
    except RecursionError as error:
        raise InvalidEventError("", "invalid", "The event has too many nested values.") from error
    revenue, currency = find_money(_data_members(event))
    return EventRow(
        reception.organization_text,
        join_event_id(reception.organization_id, event.source, event.id),
        event.type,
        event.type,
        event.subject,
        "",
        event.platform or DEFAULT_PLATFORM,
        timestamp,
        properties,
        attributes,
        revenue,
        currency,
        reception.received_text,
        names.devices,
        names.users,
        reception.app_text,
    )


def _properties(event: CloudEvent) -> str:
    """Return `data` if it is an object.

    Otherwise return an object with the data as its one member, so that no data is lost.
    """
    data = bytes(event.data)
    if data.startswith(OBJECT_START):
        return data.decode()
    return join_members(_data_members(event), frozenset()).decode()


def _data_members(event: CloudEvent) -> Mapping[str, msgspec.Raw]:
    """Return the members of `data`, or the data itself under its own name."""
    if bytes(event.data).startswith(OBJECT_START):
        return members_of(event.data)
    sent = {"data": event.data, "data_base64": event.data_base64}
    return {name: value for name, value in sent.items() if bytes(value) != JSON_NULL}
