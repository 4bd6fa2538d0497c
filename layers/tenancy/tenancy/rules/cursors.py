"""Cursors of lists that are sorted by time and id, newest first, or by two texts.

A cursor is opaque to clients. It is a position in a list and grants no access.
"""

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from tenancy.errors import FieldError, InvalidError


def format_cursor(moment: datetime, identifier: UUID) -> str:
    """Return the cursor that follows the entry with that time and id."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {identifier}".encode()).decode()


def parse_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Return the time and the id of the entry before *cursor*.

    Raises:
        InvalidError: *cursor* was not made by `format_cursor`.
    """
    try:
        time, _, identifier = base64.urlsafe_b64decode(cursor).decode("ascii").partition(" ")
        return datetime.fromisoformat(time).astimezone(UTC), UUID(identifier)
    except (binascii.Error, ValueError, OverflowError) as error:
        raise _invalid() from error


def format_text_cursor(first: str, second: str) -> str:
    """Return the cursor that follows the entry with these two texts, of which *first* has no line break."""
    return base64.urlsafe_b64encode(f"{first}\n{second}".encode()).decode()


def parse_text_cursor(cursor: str) -> tuple[str, str]:
    """Return the two texts of the entry before *cursor*.

    Raises:
        InvalidError: *cursor* was not made by `format_text_cursor`.
    """
    try:
        first, separator, second = base64.urlsafe_b64decode(cursor).decode().partition("\n")
    except (binascii.Error, ValueError) as error:
        raise _invalid() from error
    if not separator or "\0" in first + second:
        raise _invalid()
    return first, second


def _invalid() -> InvalidError:
    message = "The cursor is invalid. Use `next_cursor` of the previous page."
    return InvalidError(message, errors=[FieldError(location="query/cursor", code="invalid", message=message)])
