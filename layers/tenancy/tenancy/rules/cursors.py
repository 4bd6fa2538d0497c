"""Pages of lists, and the cursors that lead from one page to the next.

A cursor is opaque to clients. It is a position in one list of one organization, as one query selects and sorts it. It
grants no access. Every other list refuses it, before it reads anything. Positions are encoded as MessagePack, because
JSON makes a control character of a name six times as long.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple
from uuid import UUID

import msgspec

from tenancy.errors import FieldError, InvalidError

MAX_PAGE: Final = 100  # rows of a page of most lists: the default and the maximum
# API Gateway refuses a request line and headers of more than 10,240 bytes. A test compares the longest positions.
MAX_CURSOR_CHARACTERS: Final = 4_096
TAG_BYTES: Final = 16
CURSOR_TEXT: Final = (
    "`cursor` does not belong to this list. Send `next_cursor` of the previous page with the same query."
)


class TimePosition(NamedTuple):
    """The position of a row in a list that is sorted by time and id."""

    moment: Annotated[datetime, msgspec.Meta(tz=True)]
    id: UUID

    @classmethod
    def of(cls, moment: datetime, identifier: UUID) -> "TimePosition":
        """Return the position with the time in UTC, so that equal positions are equal texts."""
        return cls(moment.astimezone(UTC), identifier)


@dataclass(frozen=True, slots=True, kw_only=True)
class PagedList[Position]:
    """One list of one organization, as one query selects and sorts it.

    *parameters* are the values of the query that do so. The size of a page is not one of them. *position* is the type
    of the values by which rows are sorted.
    """

    name: str
    organization_id: UUID
    position: type[Position]
    parameters: Sequence[object] = ()

    def format_cursor(self, position: Position) -> str:
        """Return the cursor that follows the row at *position*."""
        return _encode(self._tag() + msgspec.msgpack.encode(position))

    def find_position(self, cursor: str | None) -> Position | None:
        """Return the position of the row before *cursor*, or None without a cursor.

        Raises:
            InvalidError: *cursor* was not made for this list.
        """
        if cursor is None:
            return None
        content = _decode(cursor)
        if content is None or content[:TAG_BYTES] != self._tag():
            raise invalid_cursor()
        try:
            return msgspec.msgpack.decode(content[TAG_BYTES:], type=self.position)
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            raise invalid_cursor() from error

    def _tag(self) -> bytes:
        """Return a digest of the list. Cursors of other lists begin with another one."""
        identity = msgspec.json.encode([self.name, self.organization_id, self.parameters])
        return hashlib.sha256(identity).digest()[:TAG_BYTES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page[Row]:
    """One page of a list. *has_more* tells that further rows follow.

    *end_cursor* is the cursor after the last row that was searched. If it is None, that is the last row of the page.
    """

    rows: Sequence[Row]
    has_more: bool
    cursor_after: Callable[[Row], str]
    end_cursor: str | None = None

    @classmethod
    def of(cls, rows: Sequence[Row], limit: int, cursor_after: Callable[[Row], str]) -> "Page[Row]":
        """Return the page of the first *limit* of *rows*.

        *rows* have one row more than *limit* if another page follows.
        """
        return cls(rows=rows[:limit], has_more=len(rows) > limit, cursor_after=cursor_after)

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the next page, None on the last one.

        A list to poll has a cursor on every page.
        """
        if self.end_cursor is not None:
            return self.end_cursor
        return self.cursor_after(self.rows[-1]) if self.has_more else None

    def first(self, count: int) -> "Page[Row]":
        """Return a page that ends after *count* rows, at least one."""
        if count >= len(self.rows):
            return self
        return replace(self, rows=self.rows[:count], has_more=True, end_cursor=None)


def is_cursor(text: str) -> bool:
    """Tell whether *text* has the form of a cursor. It may be one of another list."""
    return _decode(text) is not None


def invalid_cursor() -> InvalidError:
    """Return the refusal of a cursor. It is the same for every cause."""
    errors = [FieldError(location="query/cursor", code="invalid", message=CURSOR_TEXT)]
    return InvalidError(CURSOR_TEXT, errors=errors)


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode("ascii").rstrip("=")


def _decode(cursor: str) -> bytes | None:
    """Return the tag and the position in *cursor*, or None if `_encode` makes no such text."""
    if len(cursor) > MAX_CURSOR_CHARACTERS:
        return None
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if len(content) > TAG_BYTES and _encode(content) == cursor else None
