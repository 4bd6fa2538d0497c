"""Maps calls of Segment SDKs to rows (docs/api.md, "Segment").

SDKs drop refused calls. So a call is refused only if it cannot become an event. An optional member of an undocumented
type counts as absent and stays in `user_properties` unchanged.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

import msgspec

from tenancy.rules.events.fields import TEXT_START
from tenancy.rules.events.leap_seconds import find_leap_second
from tenancy.rules.events.names import SubjectNames, cut_name, find_names
from tenancy.rules.events.placeholders import is_placeholder
from tenancy.rules.events.property_money import find_money, scalar_text
from tenancy.rules.events.row import (
    MAX_EVENT_BYTES,
    TRANSPORT_MEMBERS,
    BatchContext,
    EventRow,
    InvalidEventError,
    derive_event_id,
    format_event_time,
    join_members,
)
from tenancy.rules.events.shared_members import NOTHING_SHARED, MergedObject, SharedMembers, members_of
from tenancy.rules.json_members import JSON_NULL, NO_OBJECT_TEXT
from tenancy.rules.texts import NAME_MAX_CHARACTERS

TYPES: Final = frozenset({"track", "identify", "page", "screen", "group", "alias"})
BATCH_PATHS: Final = frozenset({"/batch", "/b", "/import"})
# The type of the call in the body of a path: each type, and its first letter.
TYPE_OF_PATH: Final[Mapping[str, str]] = MappingProxyType(
    {path: name for name in sorted(TYPES) for path in (f"/{name}", f"/{name[0]}")}
)
HELD_FOR_CLOCK: Final = "clock"
# The first and the last time of DateTime64(3): https://clickhouse.com/docs/sql-reference/data-types/datetime64
NO_TIME: Final = datetime(1900, 1, 1, tzinfo=UTC)
LAST_MOMENT: Final = datetime(2299, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
NO_OWN_MEMBERS: Final = TRANSPORT_MEMBERS | {"properties"}  # not in `user_properties`
TIME_MEMBERS: Final = ("timestamp", "originalTimestamp")  # the first that is present counts
ZERO: Final = re.compile(r"-?0(?:\.0*)?(?:[eE][+-]?[0-9]+)?")  # as a JSON number

type Members = Mapping[str, msgspec.Raw]

_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_time_decoder: Final = msgspec.json.Decoder(datetime | None)


def parse_segment_message(
    raw: bytes, reception: BatchContext, *, event_type: str | None = None, shared: SharedMembers = NOTHING_SHARED
) -> EventRow:
    """Return the row for the JSON text *raw* of one SDK call.

    The members that its batch shares are merged into it. *event_type* is the type from the path. The row keeps the
    client's timestamp, because a corrected one would differ on each retry. A timestamp that is more than 24 hours ahead
    makes a row that is held with reason `clock`. So does an unreadable timestamp, or one that no retention ever
    includes. `NO_TIME` replaces an unreadable timestamp. The caller compares the other rows with the retention of the
    organization.

    Raises:
        InvalidEventError: *raw* is no SDK call, or names no device.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise InvalidEventError("", "too_large", f"The call exceeds {MAX_EVENT_BYTES} bytes.")
    try:
        call = _members_decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise InvalidEventError("", "invalid_type", NO_OBJECT_TEXT) from error
    kind = event_type or _text(call.get("type"))
    if kind not in TYPES:
        raise InvalidEventError("type", "unknown", f"Expected one of {', '.join(sorted(TYPES))}.")
    return _row(raw, kind, call, shared, reception)


def _row(raw: bytes, kind: str, call: Members, shared: SharedMembers, reception: BatchContext) -> EventRow:
    merged = shared.merged_into(call)
    context, device = merged.context, merged.context.inner("device")
    device_name = _find_id(device.find("id"), shared.find("device", "id"), call.get("anonymousId"), call.get("userId"))
    if not device_name:
        raise InvalidEventError("anonymousId", "missing", "Expected `context.device.id`, `anonymousId` or `userId`.")
    timestamp = _timestamp(call, reception)
    is_held = not reception.is_in_range(timestamp)
    sent = members_of(call.get("properties"))
    revenue, currency = find_money(sent)
    properties = str(call["properties"], "utf-8") if sent else "{}"
    own_members = _join(call)
    names = _names(properties, own_members)
    return EventRow(
        reception.organization_text,
        _event_id(raw, call, reception),
        kind,
        _text(call.get("event"), call.get("name")) or kind,
        device_name[:NAME_MAX_CHARACTERS],
        _text(context.find("sessionId"), shared.find("sessionId")),
        _platform(context, device, shared),
        format_event_time(timestamp),
        properties,
        own_members if merged.members is call else _join(merged.members),
        revenue,
        currency,
        reception.received_text,
        _with_device(names.devices, device_name),
        names.users,
        reception.app_text,
        HELD_FOR_CLOCK if is_held else "",
    )


def _names(properties: str, own_members: str) -> SubjectNames:
    """Return the names of devices and users. Members that the batch shares are no names."""
    try:
        return find_names(properties, own_members)
    except RecursionError as error:
        raise InvalidEventError("", "invalid", "The call has too many nested values.") from error


def _with_device(names: tuple[str, ...], device_name: str) -> tuple[str, ...]:
    """Return *names* with that of a device whose id is cut, because the id may be cut inside of another spelling."""
    return names if len(device_name) <= NAME_MAX_CHARACTERS else tuple(dict.fromkeys([*names, cut_name(device_name)]))


def _join(call: Members) -> str:
    return join_members(call, NO_OWN_MEMBERS).decode()


def _event_id(raw: bytes, call: Members, reception: BatchContext) -> str:
    """Return `messageId`, or an id that is derived from the text of the call.

    The id is derived if `messageId` is absent, a placeholder or too long. The text is the call's own, without the
    members that its batch shares: a retry may be in another batch.
    """
    message_id = _find_id(call.get("messageId"))
    if 0 < len(message_id) <= NAME_MAX_CHARACTERS:
        return message_id
    return derive_event_id(reception.organization_id, raw)


def _timestamp(call: Members, reception: BatchContext) -> datetime:
    """Return the time of the call, or `NO_TIME` if it is unreadable.

    RudderStack's server SDKs send `originalTimestamp` alone. A placeholder counts as absent. A call without a time gets
    the time of receipt.
    """
    for name in TIME_MEMBERS:
        moment = _find_time(bytes(call.get(name, JSON_NULL)))
        if moment is not None:
            return moment
    return reception.received_at


def _find_time(value: bytes) -> datetime | None:
    """Return the time in a JSON value, `NO_TIME` if it is unreadable, or None if it is null or a placeholder.

    A time without a zone is UTC. A time that ClickHouse cannot hold is unreadable.
    """
    try:
        moment = _time_decoder.decode(value)
    except msgspec.ValidationError:
        moment = find_leap_second(value)
        if moment is None:
            return None if _is_placeholder(value) else NO_TIME
    if moment is None:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment if NO_TIME <= moment < LAST_MOMENT else NO_TIME


def _is_placeholder(value: bytes) -> bool:
    return value.startswith(TEXT_START) and is_placeholder(msgspec.json.decode(value, type=str))


def _platform(context: MergedObject, device: MergedObject, shared: SharedMembers) -> str:
    named = _text(
        device.find("type"),
        shared.find("device", "type"),
        context.inner("os").find("name"),
        shared.find("os", "name"),
    )
    return named.lower() or ("server" if context.find("userAgent") is None else "web")


def _find_id(*candidates: msgspec.Raw | None) -> str:
    """Return the text of the first candidate that is no placeholder, or nothing.

    Only the part of the text that is stored decides. The number zero is a placeholder in every spelling.
    """
    for candidate in candidates:
        if candidate is not None and (text := _id_text(candidate)):
            return text
    return ""


def _id_text(value: msgspec.Raw) -> str:
    text = scalar_text(value)
    is_zero = ZERO.fullmatch(text) and not bytes(value).startswith(TEXT_START)
    return "" if is_zero or is_placeholder(text[:NAME_MAX_CHARACTERS]) else text


def _text(*candidates: msgspec.Raw | None) -> str:
    """Return the first candidate that is not empty, cut to 255 characters."""
    for candidate in candidates:
        if candidate is not None and (text := scalar_text(candidate)):
            return text[:NAME_MAX_CHARACTERS]
    return ""
