"""Reads leap seconds, which RFC 3339 allows and Python's times do not have."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from tenancy.rules.events.row import join_members
from tenancy.rules.json_members import ESCAPE

LEAP_SECOND: Final = re.compile(r"(.{10}[Tt ][0-9]{2}:[0-9]{2}:)60((?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})?)")
LEAP_DAYS: Final = ((6, 30), (12, 31))  # UTC has leap seconds at their end (RFC 3339, 5.7)
LAST_SECOND: Final = (23, 59, 59)
SIGN: Final = b":60"

_members_decoder: Final = msgspec.json.Decoder(Mapping[str, msgspec.Raw])


def find_leap_second(value: bytes) -> datetime | None:
    """Return the last second of the day for a JSON text with a leap second.

    A time without a zone stays without one. Return None if *value* is no leap second.
    """
    text = _replaced(value)
    return None if text is None else msgspec.json.decode(text, type=datetime)


def replace_leap_second(raw: bytes, member: str) -> bytes | None:
    """Replace a leap second in *member* of the JSON object *raw* by the last second of its day.

    Return None if *raw* has no leap second there.
    """
    if SIGN not in raw and ESCAPE not in raw:  # an escape may stand for a character of the sign
        return None
    try:
        members = _members_decoder.decode(raw)
    except msgspec.ValidationError:
        return None
    text = _replaced(bytes(members.get(member, b"null")))
    return None if text is None else join_members({**members, member: msgspec.Raw(text)}, frozenset())


def _replaced(value: bytes) -> bytes | None:
    """Return the JSON text of the last second of the day, or None if *value* is no leap second."""
    try:
        found = LEAP_SECOND.fullmatch(msgspec.json.decode(value, type=str))
        if found is None:
            return None
        text = f'"{found[1]}59{found[2]}"'.encode()
        moment = msgspec.json.decode(text, type=datetime)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        return None
    is_leap = (moment.month, moment.day) in LEAP_DAYS and (moment.hour, moment.minute, moment.second) == LAST_SECOND
    return text if is_leap else None
