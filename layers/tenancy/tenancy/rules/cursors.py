"""Cursors of lists that are sorted by time and id, newest first: opaque to clients, a place to us, never a right."""

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from tenancy.errors import FieldError, InvalidError


def format_cursor(moment: datetime, identifier: UUID) -> str:
    """Return the cursor of the place right after the entry with that time and id."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {identifier}".encode()).decode()


def parse_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Return the time and the id that *cursor* stands for.

    Raises:
        InvalidError: it is not one that a list gave.
    """
    try:
        time, _, identifier = base64.urlsafe_b64decode(cursor).decode("ascii").partition(" ")
        return datetime.fromisoformat(time).astimezone(UTC), UUID(identifier)
    except (binascii.Error, ValueError, OverflowError) as error:
        message = "The cursor is invalid. Use `next_cursor` of the previous page."
        raise InvalidError(
            message, errors=[FieldError(location="query/cursor", code="invalid", message=message)]
        ) from error
