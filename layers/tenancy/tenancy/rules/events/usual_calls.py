"""Makes the rows of usual calls of Segment SDKs, in a fraction of the time of `segment.py`, which makes all rows.

A call is usual if it has a text, an object or nothing where an SDK puts one, a readable `timestamp` with a zone that is
in range, a `messageId` and an id of the device that are no placeholders, no `organization_id`, and at most 4,000 bytes.
Every other call is given up without a reason. The caller then calls `parse_segment_message`, as for each call of a
batch whose calls share members. tests/unit/test_usual_calls.py compares both.
"""

from datetime import datetime
from typing import Final

import msgspec

from tenancy.rules.events.fields import EMPTY_OBJECT_TEXT, OBJECT_TEXT_START
from tenancy.rules.events.names import (
    NAMED_MEMBERS,
    NULL_VALUE,
    PLAIN_MAX_CHARACTERS,
    cut_name,
    find_names,
    may_have_names,
)
from tenancy.rules.events.placeholders import is_placeholder
from tenancy.rules.events.property_money import NO_MONEY, find_money, scalar_text
from tenancy.rules.events.row import BatchContext, EventRow, format_event_time
from tenancy.rules.events.segment import NO_OWN_MEMBERS, TYPES
from tenancy.rules.resolution import ORGANIZATION_MEMBER
from tenancy.rules.texts import NAME_MAX_CHARACTERS

NOT_SENT: Final = msgspec.Raw()
RARE_NAMES: Final = NAMED_MEMBERS - {"anonymousId", "userId"}
EMPTY_OBJECT_CHARACTERS: Final = "{} \t\r\n"


class _Device(msgspec.Struct, gc=False):
    id: str | None = None
    type: str | None = None


class _Os(msgspec.Struct, gc=False):
    name: str | None = None


class _Context(msgspec.Struct, gc=False):
    device: _Device | None = None
    os: _Os | None = None
    sessionId: msgspec.Raw = NOT_SENT  # noqa: N815 - the SDKs' spelling
    userAgent: msgspec.Raw = NOT_SENT  # noqa: N815


class _Call(msgspec.Struct, gc=False):
    messageId: str  # noqa: N815
    timestamp: datetime
    type: str | None = None
    event: str | None = None
    name: str | None = None
    anonymousId: str | None = None  # noqa: N815
    userId: str | None = None  # noqa: N815
    context: _Context | None = None
    properties: msgspec.Raw = NULL_VALUE


class _Money(msgspec.Struct, gc=False):
    revenue: msgspec.Raw = NULL_VALUE
    currency: msgspec.Raw = NULL_VALUE


NO_CONTEXT: Final = _Context()
NO_DEVICE: Final = _Device()

_call_decoder: Final = msgspec.json.Decoder(_Call)
_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder: Final = msgspec.json.Encoder()
_money_decoder: Final = msgspec.json.Decoder(_Money)


def find_usual_row(raw: bytes, reception: BatchContext, event_type: str | None = None) -> EventRow | None:
    """Return the row for the JSON text *raw* of a usual call, None for any other.

    *event_type* is the type from the path.
    """
    if len(raw) > PLAIN_MAX_CHARACTERS:
        return None
    try:
        call = _call_decoder.decode(raw)
    except msgspec.ValidationError:
        return None
    moment = call.timestamp
    if moment.tzinfo is None or not reception.is_in_range(moment) or not _is_id(call.messageId):
        return None
    kind, device_name = event_type or call.type, _find_device(call)
    if kind not in TYPES or device_name is None:
        return None
    own_members = _members_decoder.decode(raw)
    if ORGANIZATION_MEMBER in own_members:
        return None
    for name in NO_OWN_MEMBERS:
        own_members.pop(name, None)
    return _row(call, kind, device_name, own_members, reception)


def _row(
    call: _Call, kind: str, device_name: str, own_members: dict[str, msgspec.Raw], reception: BatchContext
) -> EventRow:
    context = call.context or NO_CONTEXT
    properties = _properties(call)
    revenue, currency = NO_MONEY if properties == EMPTY_OBJECT_TEXT else _find_money(call.properties, reception)
    user_properties = _encoder.encode(own_members).decode()
    device_names, user_names = _find_names(call, properties, own_members, user_properties)
    return EventRow(
        reception.organization_text,
        call.messageId,
        kind,
        (call.event or call.name or kind)[:NAME_MAX_CHARACTERS],
        device_name,
        scalar_text(context.sessionId)[:NAME_MAX_CHARACTERS],
        _platform(context),
        format_event_time(call.timestamp),
        properties,
        user_properties,
        revenue,
        currency,
        reception.received_text,
        device_names,
        user_names,
        reception.app_text,
    )


def _find_names(
    call: _Call, properties: str, own_members: dict[str, msgspec.Raw], user_properties: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of devices and users: those in the properties, then those in the other members."""
    if may_have_names(properties) or not own_members.keys().isdisjoint(RARE_NAMES):
        return find_names(properties, user_properties)
    device, user = call.anonymousId, call.userId
    return (cut_name(device),) if device else (), (cut_name(user),) if user else ()


def _is_id(text: str) -> bool:
    return len(text) <= NAME_MAX_CHARACTERS and not is_placeholder(text)


def _find_device(call: _Call) -> str | None:
    """Return the first id of the device that is no placeholder. None if there is none, or it is too long."""
    device = (call.context or NO_CONTEXT).device or NO_DEVICE
    for text in (device.id, call.anonymousId, call.userId):
        if text is not None and not is_placeholder(text[:NAME_MAX_CHARACTERS]):
            return text if len(text) <= NAME_MAX_CHARACTERS else None
    return None


def _platform(context: _Context) -> str:
    named = (context.device and context.device.type) or (context.os and context.os.name)
    return named[:NAME_MAX_CHARACTERS].lower() if named else "web" if len(context.userAgent) else "server"


def _properties(call: _Call) -> str:
    text = str(call.properties, "utf-8")
    return text if text.startswith(OBJECT_TEXT_START) and text.strip(EMPTY_OBJECT_CHARACTERS) else EMPTY_OBJECT_TEXT


def _find_money(properties: msgspec.Raw, reception: BatchContext) -> tuple[str, str]:
    """Return revenue and currency. Equal ones of a request are read once."""
    sent = _money_decoder.decode(properties)
    key = bytes(sent.revenue), bytes(sent.currency)
    money = reception.moneys.get(key)
    if money is None:
        money = reception.moneys[key] = find_money({"revenue": sent.revenue, "currency": sent.currency})
    return money
