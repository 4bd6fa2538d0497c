"""Events in the words of the Segment SDKs -> rows (the mapping: docs/api.md, "Segment")."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final

import msgspec

from tenancy.events.currencies import CURRENCIES
from tenancy.events.money import find_money, money_text
from tenancy.events.row import (
    DEFAULT_CURRENCY,
    MAX_EVENT_BYTES,
    NUL,
    InvalidEventError,
    Reception,
    Row,
    derived_event_id,
    refuse_nul,
    row_time,
)

TYPES: Final = frozenset({"track", "identify", "page", "screen", "group", "alias"})
BATCH_PATHS: Final = frozenset({"/batch", "/b", "/import"})
# What a path with one call in its body says that it is: each type, and its first letter.
TYPE_OF_PATH: Final[Mapping[str, str]] = MappingProxyType(
    {path: name for name in sorted(TYPES) for path in (f"/{name}", f"/{name[0]}")}
)
HELD_FOR_CLOCK: Final = "clock"
TEXT_MAX_CHARACTERS: Final = 255
# Differ from one try to the next, so they are no part of an event; the key is a secret.
TRANSPORT_MEMBERS: Final = frozenset({"sentAt", "writeKey"})

type Identifier = str | int | float | None


class Device(msgspec.Struct, frozen=True):
    """`context.device`, as far as it matters here."""

    id: Identifier = None
    type: str | None = None


class Named(msgspec.Struct, frozen=True):
    """`context.os` and `context.library`."""

    name: str | None = None


class Context(msgspec.Struct, frozen=True):
    """`context`, as far as it matters here; all of it is kept in user_properties."""

    device: Device | None = None
    os: Named | None = None
    userAgent: str | None = None  # noqa: N815 - the SDKs' spelling
    sessionId: Identifier = None  # noqa: N815


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One call of an SDK."""

    type: str = ""
    event: str | None = None
    name: str | None = None
    messageId: str | None = None  # noqa: N815
    anonymousId: Identifier = None  # noqa: N815
    userId: Identifier = None  # noqa: N815
    timestamp: datetime | None = None
    context: Context | None = None


class Purchase(msgspec.Struct, frozen=True):
    """What `properties` may say about money."""

    revenue: msgspec.Raw = msgspec.Raw(b"null")
    currency: msgspec.Raw = msgspec.Raw(b"null")


_message_decoder: Final = msgspec.json.Decoder(Message)
_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_purchase_decoder: Final = msgspec.json.Decoder(Purchase)
_encoder: Final = msgspec.json.Encoder()


def parse_message(raw: bytes, reception: Reception, *, event_type: str | None = None) -> Row:
    """Return the row for the JSON text *raw* of one SDK call; *event_type* is what the path says, where it does.

    The client's timestamp stays: a corrected one would differ on every retry. One that cannot be believed makes a
    row that is held with reason `clock`.

    Raises:
        InvalidEventError: it is no SDK call, or says not on what device it happened.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise InvalidEventError("", "too_large", f"An event has at most {MAX_EVENT_BYTES} bytes.")
    try:
        message = _message_decoder.decode(raw)
        members = _members_decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise InvalidEventError("", "invalid", str(error)) from error
    call = event_type or message.type
    if call not in TYPES:
        raise InvalidEventError("type", "unknown", f"Expected one of {', '.join(sorted(TYPES))}.")
    return _row(raw, call, message, members, reception)


def _row(raw: bytes, call: str, message: Message, members: Mapping[str, msgspec.Raw], reception: Reception) -> Row:
    context = message.context or Context()
    device_id = _text(context.device.id if context.device else None, message.anonymousId, message.userId)
    if not device_id:
        raise InvalidEventError("anonymousId", "missing", "An event needs a device, an anonymousId or a userId.")
    timestamp = _timestamp(message) or reception.received_at
    revenue, currency = _money(members.get("properties"))
    row = Row(
        organization_id=reception.organization_text,
        event_id=message.messageId or derived_event_id(reception.organization_id, _join(members, TRANSPORT_MEMBERS)),
        event_type=call,
        event_name=_text(message.event, message.name, call),
        device_id=device_id,
        session_id=_text(context.sessionId),
        platform=_platform(context),
        event_timestamp=row_time(timestamp),
        properties=_properties(members),
        user_properties=_join(members, {"properties", *TRANSPORT_MEMBERS}).decode(),
        revenue=revenue,
        currency=currency,
        received_at=reception.received_text,
        reason="" if reception.is_in_range(timestamp) else HELD_FOR_CLOCK,
    )
    if NUL in raw:
        refuse_nul(messageId=row.event_id, event=row.event_name, anonymousId=row.device_id)
    return row


def _timestamp(message: Message) -> datetime | None:
    """Return when it happened; a time without a zone is UTC."""
    if message.timestamp is not None and message.timestamp.tzinfo is None:
        return message.timestamp.replace(tzinfo=UTC)
    return message.timestamp


def _properties(members: Mapping[str, msgspec.Raw]) -> str:
    text = bytes(members.get("properties", b"{}"))
    return text.decode() if text.startswith(b"{") else "{}"


def _platform(context: Context) -> str:
    if context.device and context.device.type:
        return context.device.type.lower()[:TEXT_MAX_CHARACTERS]
    if context.os and context.os.name:
        return context.os.name.lower()[:TEXT_MAX_CHARACTERS]
    return "web" if context.userAgent else "server"


def _text(*candidates: Identifier) -> str:
    """Return the first candidate that says something, as text of at most 255 characters."""
    for candidate in candidates:
        if candidate is not None and candidate != "":
            return str(candidate)[:TEXT_MAX_CHARACTERS]
    return ""


def _money(properties: msgspec.Raw | None) -> tuple[str, str]:
    """Return revenue and currency; what is no amount of a known currency counts as none, and stays in properties."""
    nothing = "0", DEFAULT_CURRENCY
    if properties is None or not bytes(properties).startswith(b"{"):
        return nothing
    purchase = _purchase_decoder.decode(properties)
    try:
        amount = Decimal(_scalar(purchase.revenue) or "0")
    except InvalidOperation:
        return nothing
    currency = _scalar(purchase.currency).upper() or DEFAULT_CURRENCY
    money = find_money(amount)
    if money is None or currency not in CURRENCIES:
        return nothing
    return money_text(money), currency


def _scalar(value: msgspec.Raw) -> str:
    """Return the text of a JSON number or string, so that a number keeps its digits; nothing for null."""
    text = bytes(value).decode()
    return "" if text == "null" else text.strip('"')


def _join(members: Mapping[str, msgspec.Raw], without: frozenset[str] | set[str]) -> bytes:
    """Return the JSON object of *members* but those named *without*, their texts untouched."""
    parts = (_encoder.encode(name) + b":" + bytes(value) for name, value in members.items() if name not in without)
    return b"{" + b",".join(parts) + b"}"
