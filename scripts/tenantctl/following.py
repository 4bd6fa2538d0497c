"""Show the newest rows of a list, oldest first, and then new ones as they appear."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from scripts.tenantctl.api import PAGE_ROWS, Document
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import Row

MOST_PAGES: Final = 10
REMEMBERED_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """A list, newest first: how to read a page, to name a row and to write it on a line.

    A page has a largest number of rows, and follows a cursor.
    """

    read_page: Callable[[int, str | None], Document]
    key_of: Callable[[Row], object]
    text_of: Callable[[Row], str]


def show_newest(session: Session, tail: Tail, *, limit: int) -> dict[object, None]:
    """Write the newest *limit* rows, and return their keys."""
    rows: list[Row] = []
    cursor = None
    while len(rows) < limit:
        page = tail.read_page(min(PAGE_ROWS, limit - len(rows)), cursor)
        rows += page["data"]
        if not page["pagination"]["has_more"]:
            break
        cursor = page["pagination"]["next_cursor"]
    return _show(session, tail, rows[:limit])


def follow(session: Session, tail: Tail, seen: dict[object, None], *, interval_seconds: float) -> None:
    """Write each new row, until the process is interrupted.

    A row is found if it is newer than the newest one that was there before, or among the first 100.
    """
    while True:
        time.sleep(interval_seconds)
        seen.update(_show(session, tail, _new_rows(tail, seen)))
        for key in list(seen)[:-REMEMBERED_ROWS]:
            del seen[key]


def _new_rows(tail: Tail, seen: dict[object, None]) -> list[Row]:
    """Return the rows that were not *seen*: of one page, and of more while all of a page are new."""
    new: list[Row] = []
    cursor = None
    for _ in range(MOST_PAGES):
        page = tail.read_page(PAGE_ROWS, cursor)
        unseen = [row for row in page["data"] if tail.key_of(row) not in seen]
        new += unseen
        cursor = page["pagination"]["next_cursor"]
        if len(unseen) < len(page["data"]) or not page["pagination"]["has_more"]:
            break
    return new


def _show(session: Session, tail: Tail, newest_first: Sequence[Row]) -> dict[object, None]:
    for row in reversed(newest_first):
        session.terminal.show_line(row, tail.text_of)
    return {tail.key_of(row): None for row in reversed(newest_first)}
