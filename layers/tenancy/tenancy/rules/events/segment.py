"""Maps calls of Segment SDKs to rows (docs/api.md, "Segment").

SDKs drop refused calls. So a call is refused only if it cannot become an event. An optional member of an undocumented
type counts as absent and stays in `user_properties` unchanged.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final

import msgspec

from tenancy.rules.events.currencies import find_currency
from tenancy.rules.events.money import format_money, round_money
from tenancy.rules.events.names import SubjectNames, find_names
from tenancy.rules.events.placeholders import is_placeholder
from tenancy.rules.events.row import (
    DEFAULT_CURRENCY,
    MAX_EVENT_BYTES,
    TRANSPORT_MEMBERS,
    BatchContext,
    EventRow,
    InvalidEventError,
    derive_event_id,
    format_row_time,
    join_members,
)
from tenancy.rules.events.shared_members import NOTHING_SHARED, MergedObject, SharedMembers, members_of
from tenancy.rules.members import NO_OBJECT_TEXT

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
TEXT_MAX_CHARACTERS: Final = 255
TIME_MEMBERS: Final = ("timestamp", "originalTimestamp")  # the first that is present counts
ABSENT: Final = b"null"
NUMBER_STARTS: Final = frozenset(bytes((byte,)) for byte in b"-0123456789")

type Members = Mapping[str, msgspec.Raw]

_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_segment_message(
    raw: bytes, reception: BatchContext, *, event_type: str | None = None, shared: SharedMembers = NOTHING_SHARED
) -> EventRow:
    """Return the row for the JSON text *raw* of one SDK call.

    The members that its batch shares are merged into it. *event_type* is the type from the path. The row keeps the
    client's timestamp, because a corrected one would differ on each retry. A timestamp that is more than 24 hours ahead
    makes a row that is held with reason `clock`. So does a timestamp that is unreadable, or that no tier would accept
    at any time: all such rows have the time `NO_TIME`. The caller compares the other rows with the retention of the
    tier.

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
    device_id = _id(device.find("id"), call.get("anonymousId"), call.get("userId"))
    if not device_id:
        raise InvalidEventError("anonymousId", "missing", "Expected `context.device.id`, `anonymousId` or `userId`.")
    timestamp = _timestamp(call, reception)
    is_held = timestamp is NO_TIME or reception.is_ahead(timestamp)
    revenue, currency = _money(members_of(call.get("properties")))
    properties = bytes(call["properties"]).decode() if members_of(call.get("properties")) else "{}"
    own_members = _join(call)
    names = _names(properties, own_members)
    return EventRow(
        organization_id=reception.organization_text,
        event_id=_event_id(raw, call, reception),
        event_type=kind,
        event_name=_text(call.get("event"), call.get("name")) or kind,
        device_id=device_id,
        session_id=_text(context.find("sessionId")),
        platform=_platform(context, device),
        event_timestamp=format_row_time(timestamp),
        properties=properties,
        user_properties=own_members if merged.members is call else _join(merged.members),
        revenue=revenue,
        currency=currency,
        received_at=reception.received_text,
        device_names=names.devices,
        user_names=names.users,
        reason=HELD_FOR_CLOCK if is_held else "",
    )


def _names(properties: str, own_members: str) -> SubjectNames:
    """Return the names of devices and users. Members that the batch shares are no names."""
    try:
        return find_names(properties, own_members)
    except RecursionError as error:
        raise InvalidEventError("", "invalid", "The call has too many nested values.") from error


def _join(call: Members) -> str:
    return join_members(call, {"properties", *TRANSPORT_MEMBERS}).decode()


def _event_id(raw: bytes, call: Members, reception: BatchContext) -> str:
    """Return `messageId`, or an id that is derived from the text of the call.

    The id is derived if `messageId` is absent, a placeholder or too long. The text is the call's own, without the
    members that its batch shares: a retry may be in another batch.
    """
    message_id = _scalar(call.get("messageId"))
    if len(message_id) <= TEXT_MAX_CHARACTERS and not is_placeholder(message_id):
        return message_id
    return derive_event_id(reception.organization_id, raw)


def _timestamp(call: Members, reception: BatchContext) -> datetime:
    """Return the time of the call, or `NO_TIME`.

    `NO_TIME` replaces a time that is unreadable, or that no tier would accept at any time. RudderStack's server SDKs
    send `originalTimestamp` alone. A time without a zone is UTC. A call without a time gets the time of receipt.
    """
    value = next((call[name] for name in TIME_MEMBERS if bytes(call.get(name, ABSENT)) != ABSENT), None)
    if value is None:
        return reception.received_at
    try:
        moment = msgspec.json.decode(value, type=datetime)
    except msgspec.ValidationError:
        return NO_TIME
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return NO_TIME if reception.is_outdated(moment) or moment >= LAST_MOMENT else moment


def _platform(context: MergedObject, device: MergedObject) -> str:
    named = _text(device.find("type"), context.inner("os").find("name"))
    return named.lower() or ("server" if context.find("userAgent") is None else "web")


def _money(properties: Members) -> tuple[str, str]:
    """Return revenue and currency, zero if they are no amount of a known currency.

    The original values stay in `properties`.
    """
    named = properties.get("currency")
    currency = DEFAULT_CURRENCY if named is None or bytes(named) == b"null" else find_currency(_scalar(named))
    try:
        money = round_money(Decimal(_scalar(properties.get("revenue")) or "0"))
    except InvalidOperation:
        money = None
    if money is None or currency is None:
        return "0", DEFAULT_CURRENCY
    return format_money(money), currency


def _id(*candidates: msgspec.Raw | None) -> str:
    """Return the first candidate that is no placeholder, cut to 255 characters."""
    return next((text for text in (_text(candidate) for candidate in candidates) if not is_placeholder(text)), "")


def _text(*candidates: msgspec.Raw | None) -> str:
    """Return the first candidate that is not empty, cut to 255 characters."""
    return next((text[:TEXT_MAX_CHARACTERS] for text in map(_scalar, candidates) if text), "")


def _scalar(value: msgspec.Raw | None) -> str:
    """Return a JSON string, or a number with all its digits, as text.

    Other values are empty.
    """
    text = b"" if value is None else bytes(value)
    if text[:1] == b'"':
        return str(msgspec.json.decode(text))
    return text.decode() if text[:1] in NUMBER_STARTS else ""
