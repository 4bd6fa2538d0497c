"""Lists all attributes of a CloudEvent that are at fault.

It is slow, for the same reason as event_errors.py.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from tenancy.errors import FieldError
from tenancy.rules.events.event_errors import SHORT, check_time
from tenancy.rules.events.fields import TEXT_START, TYPE_MAX_CHARACTERS
from tenancy.rules.events.leap_seconds import replace_leap_second
from tenancy.rules.events.row import MAX_EVENT_BYTES, BatchContext, InvalidEventError, join_event_id
from tenancy.rules.json_members import (
    JSON_NULL,
    NO_OBJECT_TEXT,
    Fault,
    KnownMember,
    check_text,
    find_members,
    list_member_errors,
)
from tenancy.rules.texts import NAME_MAX_CHARACTERS

DATA_MEMBERS: Final = frozenset({"data", "data_base64"})
SPEC_VERSION: Final = "1.0"
SPEC_VERSION_TEXT: Final = "Expected the version 1.0 of CloudEvents, as text."
BASE64_TEXT: Final = "Expected a text in Base64."
TWO_DATA_TEXT: Final = "Send `data` or `data_base64`, not both."


def explain_invalid_cloud_event(raw: bytes, reception: BatchContext) -> InvalidEventError:
    """Return the error for the refused event *raw*, with all attributes at fault."""
    members = find_members(replace_leap_second(raw, "time") or raw)
    if members is None:
        return InvalidEventError("", "invalid_type", NO_OBJECT_TEXT)
    known = {**CLOUD_EVENT_MEMBERS, "time": KnownMember(check=check_time(reception))}
    errors = list_member_errors({name: members[name] for name in known if name in members}, known)
    absent = msgspec.Raw(JSON_NULL)
    fault = find_data_fault(members.get("data", absent), members.get("data_base64", absent))
    if fault:
        errors.append(FieldError(location="data_base64", code=fault[0], message=fault[1]))
    return InvalidEventError.of(errors, event_id=_find_id(members, reception))


def refuse_invalid_cloud_event(_raw: bytes, _reception: BatchContext) -> InvalidEventError:
    """Return the short error for a refused event, which names no attribute."""
    return InvalidEventError.of(SHORT, event_id=None)


def find_data_fault(data: msgspec.Raw, data_base64: msgspec.Raw) -> Fault | None:
    """Return the fault of the data of an event.

    Binary data excludes other data (JSON event format, 3.1).
    """
    binary = bytes(data_base64)
    if binary == JSON_NULL:
        return None
    if bytes(data) != JSON_NULL:
        return "invalid", TWO_DATA_TEXT
    if not binary.startswith(TEXT_START):
        return "invalid_type", BASE64_TEXT
    try:
        msgspec.json.decode(binary, type=bytes)
    except msgspec.ValidationError:
        return "invalid", BASE64_TEXT
    return None


def _check_spec_version(value: bytes) -> Fault | None:
    if not value.startswith(TEXT_START):
        return "invalid_type", SPEC_VERSION_TEXT
    return None if msgspec.json.decode(value, type=str) == SPEC_VERSION else ("unknown", SPEC_VERSION_TEXT)


CLOUD_EVENT_MEMBERS: Final[Mapping[str, KnownMember]] = MappingProxyType(
    {
        "specversion": KnownMember(check=_check_spec_version, is_required=True),
        "id": KnownMember(check=check_text(1, MAX_EVENT_BYTES), is_required=True),
        "source": KnownMember(check=check_text(1, MAX_EVENT_BYTES), is_required=True),
        "type": KnownMember(check=check_text(1, TYPE_MAX_CHARACTERS), is_required=True),
        "subject": KnownMember(check=check_text(1, NAME_MAX_CHARACTERS), is_required=True),
        "platform": KnownMember(check=check_text(1, TYPE_MAX_CHARACTERS)),
    }
)


def _find_id(members: Mapping[str, msgspec.Raw], reception: BatchContext) -> str | None:
    """Return the id of the event, if `source` and `id` are texts."""
    source, sent_id = (bytes(members.get(name, JSON_NULL)) for name in ("source", "id"))
    if not (source.startswith(TEXT_START) and sent_id.startswith(TEXT_START)):
        return None
    texts = (msgspec.json.decode(each, type=str) for each in (source, sent_id))
    return join_event_id(reception.organization_id, *texts)
