"""One page of events, oldest first by the time of their storage.

A page takes a window of the time of storage. Its rows are found by the index of that time. A row is shown if it is the
copy that counts, which may lie outside the window.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tenancy.rules.durations import RECEIVED_EVENTS_DELAY, RECEIVED_EVENTS_SPAN
from tenancy.rules.stored_events import END_OF_TIMES, FIRST_TIME, EventFilter, ReceivedPosition, StoredEvent
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.received_events import Window, estimate_rows_of_window, list_received_rows
from tenancy.use_cases.events.counted_copies import list_counted_copies
from tenancy.use_cases.events.halving import halve_until

ROWS_OF_WINDOW: Final = 100_000
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
    window = _choose_window(reader, after, min(SPAN_SECONDS, last_end - after.created_at))
    rows = list_received_rows(reader, wanted, window, after, row_limit=limit + 1)
    keys, events = list_counted_copies(reader, [row.key for row in rows[:limit]])
    looked_up = rows[: len(keys)]
    counted = [event for row in looked_up if (event := events.get(row.key)) and event.received_row == row]
    if len(looked_up) < len(rows):
        return ReceivedScan(counted, looked_up[-1].position, has_more=True)
    end = _end_of(window)
    return ReceivedScan(counted, end, has_more=end.created_at < last_end)


def _choose_window(reader: TenantReader, after: ReceivedPosition, seconds: int) -> Window:
    """Return a window after *after* of at most *seconds* and `ROWS_OF_WINDOW`.

    If a second has more rows, the window is a part of that second: the events with the first times.
    """

    def window(seconds: int) -> Window:
        return Window(
            start_second=after.created_at,
            end_second=after.created_at + seconds,
            start_time=FIRST_TIME,
            last_time=END_OF_TIMES,
        )

    def part(times: int) -> Window:
        return Window(
            start_second=after.created_at,
            end_second=after.created_at + 1,
            start_time=after.event_timestamp,
            last_time=after.event_timestamp + times - 1,
        )

    def fits(window: Window) -> bool:
        return estimate_rows_of_window(reader, window) <= ROWS_OF_WINDOW

    whole = window(halve_until(lambda seconds: fits(window(seconds)), seconds))
    if whole.end_second > after.created_at + 1 or fits(whole):
        return whole
    return part(halve_until(lambda times: fits(part(times)), END_OF_TIMES - after.event_timestamp + 1))


def _end_of(window: Window) -> ReceivedPosition:
    """Return the position after all rows of *window*."""
    if window.last_time == END_OF_TIMES:
        return ReceivedPosition.start_of(window.end_second)
    return ReceivedPosition(window.start_second, window.last_time + 1, "", "")
