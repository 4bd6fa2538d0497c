"""One page of events, oldest first by the time of their storage.

A page searches windows of the time of storage. Their rows are found by the index of that time. A row is shown if it is
the copy that counts, which may lie outside the window.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tenancy.rules.durations import RECEIVED_EVENTS_DELAY, RECEIVED_EVENTS_SPAN
from tenancy.rules.stored_events import (
    END_OF_EVENT_TIMES,
    FIRST_EVENT_TIME,
    EventFilter,
    ReceivedPosition,
    ReceivedRow,
    StoredEvent,
)
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.received_events import Window, estimate_rows_of_window, list_received_rows
from tenancy.use_cases.events.counted_copies import list_counted_copies
from tenancy.use_cases.events.fitting import SHRINKING, shrink_until

ROWS_OF_WINDOWS: Final = 100_000
SPAN_SECONDS: Final = RECEIVED_EVENTS_SPAN // timedelta(seconds=1)


class ReceivedScan(NamedTuple):
    """Events in the order of storage, and the position after the last one that was searched."""

    events: list[StoredEvent]
    end: ReceivedPosition
    has_more: bool


def first_position(now: datetime) -> ReceivedPosition:
    """Return the position at which a list without a cursor begins."""
    return ReceivedPosition.start_of(int((now - RECEIVED_EVENTS_SPAN).timestamp()))


def scan_received(
    reader: TenantReader, wanted: EventFilter, after: ReceivedPosition, *, now: datetime, limit: int
) -> ReceivedScan:
    """Return at most *limit* of the *wanted* events after *after*, oldest first."""
    last_end = int((now - RECEIVED_EVENTS_DELAY).timestamp())
    if after.created_at >= last_end:
        return ReceivedScan([], after, has_more=False)
    span_end = min(after.created_at + SPAN_SECONDS, last_end)
    rows, end = _search(reader, wanted, after, span_end, row_limit=limit + 1)
    keys, events = list_counted_copies(reader, [row.key for row in rows[:limit]])
    looked_up = rows[: len(keys)]
    counted = [event for row in looked_up if (event := events.get(row.key)) and event.received_row == row]
    if len(looked_up) < len(rows):
        return ReceivedScan(counted, looked_up[-1].position, has_more=True)
    return ReceivedScan(counted, end, has_more=end.created_at < last_end)


def _search(
    reader: TenantReader, wanted: EventFilter, after: ReceivedPosition, span_end: int, *, row_limit: int
) -> tuple[list[ReceivedRow], ReceivedPosition]:
    """Return the rows of the first window with *wanted* events, and the position after it.

    All windows together have at most `ROWS_OF_WINDOWS`. After an empty window the next one may be longer.
    """
    rows_left, seconds = ROWS_OF_WINDOWS, span_end - after.created_at
    while True:
        window = _choose_window(reader, after, seconds, rows_left)
        rows = list_received_rows(reader, wanted, window, after, row_limit=row_limit)
        end = _end_of(window)
        rows_left -= estimate_rows_of_window(reader, window)
        if rows or end.created_at >= span_end or rows_left < ROWS_OF_WINDOWS // 2:
            return rows, end
        seconds = min(SHRINKING * (window.end_second - window.start_second), span_end - end.created_at)
        after = end


def _choose_window(reader: TenantReader, after: ReceivedPosition, seconds: int, max_rows: int) -> Window:
    """Return a window after *after* of at most *seconds* and *max_rows*.

    If a second has more rows, the window is a part of that second: the events with the first times.
    """

    def whole(seconds: int) -> Window:
        return Window(
            start_second=after.created_at,
            end_second=after.created_at + seconds,
            start_time=FIRST_EVENT_TIME,
            last_time=END_OF_EVENT_TIMES,
        )

    def part(times: int) -> Window:
        return Window(
            start_second=after.created_at,
            end_second=after.created_at + 1,
            start_time=after.event_timestamp,
            last_time=after.event_timestamp + times - 1,
        )

    def fits(window: Window) -> bool:
        return estimate_rows_of_window(reader, window) <= max_rows

    fitting = shrink_until(lambda seconds: fits(whole(seconds)), seconds)
    if fitting > 1 or fits(whole(1)):
        return whole(fitting)
    return part(shrink_until(lambda times: fits(part(times)), END_OF_EVENT_TIMES - after.event_timestamp + 1))


def _end_of(window: Window) -> ReceivedPosition:
    """Return the position after all rows of *window*."""
    if window.last_time == END_OF_EVENT_TIMES:
        return ReceivedPosition.start_of(window.end_second)
    return ReceivedPosition(window.start_second, window.last_time + 1, "", "")
