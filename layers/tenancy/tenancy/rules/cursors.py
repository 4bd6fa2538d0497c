"""Cursors of lists that are sorted by time and id, newest first.

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
        message = "The cursor is invalid. Use `next_cursor` of the previous page."
        raise InvalidError(
            message, errors=[FieldError(location="query/cursor", code="invalid", message=message)]
        ) from error
