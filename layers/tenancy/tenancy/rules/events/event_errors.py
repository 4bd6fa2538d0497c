"""Lists all fields of an event of POST /v1/events that are at fault.

It is slow, because it reads each member alone. Only the first rejected events of a batch are read in this way. Each
further one has the same short error, because thousands of invalid events fit into a few kilobytes.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from tenancy.errors import FieldError, TenantMismatchError
from tenancy.rules.events.fields import (
    TEXT_START,
    TYPE_MAX_CHARACTERS,
    convert_currency,
    convert_revenue,
    convert_time,
)
from tenancy.rules.events.leap_seconds import replace_leap_second
from tenancy.rules.events.row import BatchContext, InvalidEventError
from tenancy.rules.json_members import (
    JSON_NULL,
    NO_OBJECT_TEXT,
    Check,
    Fault,
    KnownMember,
    check_object,
    check_text,
    find_members,
    list_member_errors,
)
from tenancy.rules.resolution import ORGANIZATION_MEMBER, find_mentions
from tenancy.rules.texts import NAME_MAX_CHARACTERS

IGNORED_MEMBERS: Final = frozenset({"sentAt", "writeKey", "context"})  # SDKs of Segment add them to each event
MISMATCH_TEXT: Final = "`organization_id` of an event is not the organization of the credential."
TIME_TEXT: Final = "Expected an RFC 3339 time with a zone, such as 2026-11-24T12:00:00Z."
CURRENCY_TEXT: Final = "Expected an ISO 4217 currency code, such as EUR."
MAX_EXPLAINED: Final = 50  # invalid events of a batch
SHORT_TEXT: Final = (
    f"The event is not valid. Fields are listed for the first {MAX_EXPLAINED} events. Correct those first."
)
SHORT: Final = (FieldError(location="", code="invalid", message=SHORT_TEXT),)


def explain_invalid_event(raw: bytes, reception: BatchContext) -> InvalidEventError:
    """Return the error for the refused event *raw*, with all fields at fault.

    Raises:
        TenantMismatchError: the event names another organization. That comes before all other faults.
    """
    members = find_members(replace_leap_second(raw, "event_timestamp") or raw)
    if members is None:
        return InvalidEventError("", "invalid_type", NO_OBJECT_TEXT)
    _require_own_organization(members.get(ORGANIZATION_MEMBER, JSON_NULL), reception)
    known = {**EVENT_MEMBERS, "event_timestamp": KnownMember(check=check_time(reception), is_required=True)}
    errors = list_member_errors(members, known, ignored=IGNORED_MEMBERS | {ORGANIZATION_MEMBER})
    return InvalidEventError.of(errors, event_id=_event_id(members))


def refuse_invalid_event(raw: bytes, reception: BatchContext) -> InvalidEventError:
    """Return the short error for the refused event *raw*, which names no field.

    Raises:
        TenantMismatchError: the event names another organization.
    """
    for mention in find_mentions(raw):
        if mention.text.lower() != reception.organization_text:
            raise TenantMismatchError(MISMATCH_TEXT)
    return InvalidEventError.of(SHORT, event_id=None)


def _require_own_organization(value: bytes | msgspec.Raw, reception: BatchContext) -> None:
    """Compare `organization_id`. A value that is no text names another organization."""
    text = bytes(value)
    if text == JSON_NULL:
        return
    named = msgspec.json.decode(text, type=str) if text.startswith(TEXT_START) else ""
    if named.lower() != reception.organization_text:
        raise TenantMismatchError(MISMATCH_TEXT)


def _check_value(kind: Any, text: str, convert: Callable[[Any], object]) -> Check:  # noqa: ANN401 - a type of msgspec
    """Return the check for a text that is a value of *kind* and that *convert* takes. *text* describes it."""

    def check(value: bytes) -> Fault | None:
        if not value.startswith(TEXT_START):
            return "invalid_type", text
        try:
            convert(msgspec.json.decode(value, type=kind))
        except msgspec.ValidationError:
            return "invalid", text
        except InvalidEventError as error:
            return error.errors[0].code, error.errors[0].message
        return None

    return check


def check_time(reception: BatchContext) -> Check:
    """Return the check for the time of an event that is received now."""

    def convert(moment: datetime) -> object:
        if moment.tzinfo is None:
            raise InvalidEventError("event_timestamp", "invalid", TIME_TEXT)
        return convert_time(moment, reception)

    return _check_value(datetime, TIME_TEXT, convert)


def _check_revenue(value: bytes) -> Fault | None:
    try:
        convert_revenue(value)
    except InvalidEventError as error:
        return error.errors[0].code, error.errors[0].message
    return None


EVENT_MEMBERS: Final[Mapping[str, KnownMember]] = MappingProxyType(
    {
        "event_type": KnownMember(check=check_text(1, TYPE_MAX_CHARACTERS), is_required=True),
        "event_name": KnownMember(check=check_text(1, NAME_MAX_CHARACTERS), is_required=True),
        "device_id": KnownMember(check=check_text(1, NAME_MAX_CHARACTERS), is_required=True),
        "platform": KnownMember(check=check_text(1, TYPE_MAX_CHARACTERS), is_required=True),
        "event_timestamp": KnownMember(check=_check_value(datetime, TIME_TEXT, str), is_required=True),
        "event_id": KnownMember(check=check_text(1, NAME_MAX_CHARACTERS)),
        "session_id": KnownMember(check=check_text(0, NAME_MAX_CHARACTERS)),
        "properties": KnownMember(check=check_object),
        "user_properties": KnownMember(check=check_object),
        "revenue": KnownMember(check=_check_revenue),
        "currency": KnownMember(check=_check_value(str, CURRENCY_TEXT, convert_currency)),
    }
)


def _event_id(members: Mapping[str, msgspec.Raw]) -> str | None:
    value = bytes(members.get("event_id", JSON_NULL))
    return msgspec.json.decode(value, type=str) if value.startswith(TEXT_START) else None
