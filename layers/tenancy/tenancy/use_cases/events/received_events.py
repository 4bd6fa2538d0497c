"""One page of events, oldest first by the time of their storage.

A page searches windows of the time of storage. Their rows are found by the index of that time. A row is shown if it is
the copy that counts, which may lie outside the window.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tenancy.rules.durations import RECEIVED_EVENTS_DELAY, RECEIVED_EVENTS_SPAN
from tenancy.rules.stored_events import EventFilter, ReceivedPosition, ReceivedRow, StoredEvent
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.received_events import list_received_rows
from tenancy.use_cases.events.counted_copies import list_counted_copies
from tenancy.use_cases.events.fitting import MAX_ROWS_OF_PAGE
from tenancy.use_cases.events.received_windows import Windows

ROWS_OF_WINDOWS: Final = 100_000
STATEMENTS_OF_WINDOWS: Final = 30  # after so many statements a page searches no further window
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
    rows, end = _search(Windows.of(reader, wanted, now=now), after, span_end, row_limit=limit + 1)
    rows_left = MAX_ROWS_OF_PAGE - reader.rows_read
    keys, events = list_counted_copies(reader, [row.key for row in rows[:limit]], max_rows=rows_left)
    looked_up = rows[: len(keys)]
    counted = [event for row in looked_up if (event := events.get(row.key)) and event.received_row == row]
    if len(looked_up) < len(rows):
        return ReceivedScan(counted, looked_up[-1].position, has_more=True)
    return ReceivedScan(counted, end, has_more=end.created_at < last_end)


def _search(
    windows: Windows, after: ReceivedPosition, span_end: int, *, row_limit: int
) -> tuple[list[ReceivedRow], ReceivedPosition]:
    """Return at most *row_limit* wanted rows of the next windows, and the position after the last window.

    The windows together have at most `ROWS_OF_WINDOWS`. Each one may be larger than the one before.
    """
    found: list[ReceivedRow] = []
    rows_read = statements = 0
    size = windows.first_size(span_end - after.created_at)
    while True:
        window, rows, checks = windows.choose(after, size, ROWS_OF_WINDOWS - rows_read)
        found += list_received_rows(windows.reader, windows.wanted, window, after, row_limit=row_limit - len(found))
        after = windows.end_of(window)
        rows_read += rows
        statements += checks + 1
        is_spent = rows_read > ROWS_OF_WINDOWS // 2 or statements >= STATEMENTS_OF_WINDOWS
        if is_spent or len(found) >= row_limit or after.created_at >= span_end:
            return found, after
        size = windows.next_size(window, span_end - after.created_at)
