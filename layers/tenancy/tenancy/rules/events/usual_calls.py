"""Makes the rows of usual calls of Segment SDKs, in a fraction of the time of `segment.py`, which makes all rows.

A call is usual if it has a text, an object or nothing where an SDK puts one, a readable `timestamp` with a zone that is
in range, a `messageId` and an id of the device that are no placeholders, no text of more than 255 characters among its
ids, no `organization_id`, and at most 4,000 bytes. Every other call is left out without a reason. The caller then calls
`parse_segment_message`, as for each call of a batch whose calls share members. tests/unit/test_usual_calls.py compares
both.

Steps for all calls together, as in `usual_events.py`, are no faster here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec

from tenancy.rules.events.fields import EMPTY_OBJECT_TEXT, NULL_TEXT
from tenancy.rules.events.names import NULL_VALUE, PLAIN_MAX_CHARACTERS, find_names, may_have_names
from tenancy.rules.events.placeholders import ID_STARTS, is_placeholder
from tenancy.rules.events.property_money import convert_money, scalar_text
from tenancy.rules.events.row import TRANSPORT_MEMBERS, BatchContext, EventRow, format_event_time
from tenancy.rules.events.segment import TYPES
from tenancy.rules.texts import NAME_MAX_CHARACTERS

NOT_SENT: Final = msgspec.Raw()
EMPTY_OBJECT_CHARACTERS: Final = "{} \t\r\n"

type Id = Annotated[str, msgspec.Meta(max_length=NAME_MAX_CHARACTERS)]
type Names = tuple[str, ...]


class _Device(msgspec.Struct, gc=False):
    id: Id | None = None
    type: str | None = None


class _Os(msgspec.Struct, gc=False):
    name: str | None = None


class _Context(msgspec.Struct, gc=False):
    device: _Device | None = None
    os: _Os | None = None
    sessionId: msgspec.Raw = NOT_SENT  # noqa: N815 - the SDKs' spelling
    userAgent: msgspec.Raw = NOT_SENT  # noqa: N815


class _Properties(msgspec.Struct, gc=False):
    revenue: msgspec.Raw = NULL_VALUE
    currency: str | None = None


class _Call(msgspec.Struct, gc=False):
    """A call. The last four members make it unusual or have rare names."""

    messageId: Id  # noqa: N815
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    type: str | None = None
    event: str | None = None
    name: str | None = None
    anonymousId: Id | None = None  # noqa: N815
    userId: Id | None = None  # noqa: N815
    context: _Context | None = None
    properties: _Properties | None = None
    organization_id: msgspec.Raw = NOT_SENT
    device_id: msgspec.Raw = NOT_SENT
    user_id: msgspec.Raw = NOT_SENT
    previousId: msgspec.Raw = NOT_SENT  # noqa: N815


NO_CONTEXT: Final = _Context()
NO_DEVICE: Final = _Device()
NO_PROPERTIES: Final = _Properties()

_call_decoder: Final = msgspec.json.Decoder(_Call)
_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder: Final = msgspec.json.Encoder()


def find_usual_calls(
    raws: Sequence[msgspec.Raw], reception: BatchContext, event_type: str | None = None
) -> dict[int, EventRow]:
    """Return the rows of the usual calls among the JSON texts *raws*, by index.

    *event_type* is the type from the path.
    """
    rows = {}
    for index, raw in enumerate(raws):
        try:
            call = _call_decoder.decode(raw)
        except msgspec.ValidationError:
            continue
        if (
            len(raw) <= PLAIN_MAX_CHARACTERS
            and call.organization_id is NOT_SENT
            and reception.earliest <= call.timestamp <= reception.latest
            and (kind := event_type or call.type) in TYPES
            and (device := _find_device(call))
            and not is_placeholder(call.messageId)
        ):
            rows[index] = _row(raw, call, kind, device, reception)
    return rows


def _row(raw: msgspec.Raw, call: _Call, kind: str, device: str, reception: BatchContext) -> EventRow:
    context = call.context or NO_CONTEXT
    members = _members_decoder.decode(raw)
    properties = _properties(members.pop("properties", NULL_VALUE))
    for name in TRANSPORT_MEMBERS:
        members.pop(name, None)
    user_properties = _encoder.encode(members).decode()
    devices, users = _find_names(call, properties, user_properties)
    revenue, currency = _find_money(call.properties or NO_PROPERTIES, reception)
    return EventRow(
        reception.organization_text,
        call.messageId,
        kind,
        (call.event or call.name or kind)[:NAME_MAX_CHARACTERS],
        device,
        "" if context.sessionId is NOT_SENT else scalar_text(context.sessionId)[:NAME_MAX_CHARACTERS],
        _platform(context),
        format_event_time(call.timestamp),
        properties,
        user_properties,
        revenue,
        currency,
        reception.received_text,
        devices,
        users,
        reception.app_text,
    )


def _find_device(call: _Call) -> str:
    """Return the first id of the device that is no placeholder, or nothing."""
    device = (call.context or NO_CONTEXT).device or NO_DEVICE
    for text in (device.id, call.anonymousId, call.userId):
        if text and (text[0] in ID_STARTS or not is_placeholder(text)):
            return text
    return ""


def _platform(context: _Context) -> str:
    named = (context.device and context.device.type) or (context.os and context.os.name)
    return named[:NAME_MAX_CHARACTERS].lower() if named else "server" if context.userAgent is NOT_SENT else "web"


def _properties(value: msgspec.Raw) -> str:
    """Return the text of an object, or `{}` for null."""
    text = str(value, "utf-8")
    return text if text != NULL_TEXT and text.strip(EMPTY_OBJECT_CHARACTERS) else EMPTY_OBJECT_TEXT


def _find_money(sent: _Properties, reception: BatchContext) -> tuple[str, str]:
    """Return revenue and currency. Equal ones of a request are read once."""
    key = bytes(sent.revenue), sent.currency
    money = reception.moneys.get(key)
    if money is None:
        money = reception.moneys[key] = convert_money(sent.revenue, sent.currency)
    return money


def _find_names(call: _Call, properties: str, user_properties: str) -> tuple[Names, Names]:
    """Return the names of devices and users: those in the properties, then those in the other members."""
    if may_have_names(properties) or not (call.device_id is call.user_id is call.previousId is NOT_SENT):
        return find_names(properties, user_properties)
    return (call.anonymousId,) if call.anonymousId else (), (call.userId,) if call.userId else ()
