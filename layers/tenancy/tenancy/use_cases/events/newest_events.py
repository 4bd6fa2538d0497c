"""One page of events, newest first by their own time."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from tenancy.rules.events.row import MAX_CLOCK_AHEAD
from tenancy.rules.stored_events import EventFilter, EventKey, EventScan
from tenancy.rules.unix_time import first_time_of, milliseconds_of
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.stored_events import estimate_rows_before, list_newest_events, search_newest_keys
from tenancy.use_cases.events.counted_copies import list_counted_copies
from tenancy.use_cases.events.fitting import MAX_ROWS_OF_PAGE, ROWS_OF_GRANULE, find_fitting_amount

ROWS_OF_SEARCH: Final = 100_000  # of a page with filters. The rest of the page's rows is for the found keys.
# The shortest search reads a granule of each part that has its times. A table may have many such parts.
ROWS_BEYOND_SHORTEST: Final = 2 * ROWS_OF_GRANULE
MAX_ROWS_OF_SEARCH: Final = 140_000
SHRINKING: Final = 8  # times fewer milliseconds after each check of a search
ROWS_PER_EVENT: Final = 2  # of a page without filters: an event may have a copy that ClickHouse has not merged yet
MORE_ROWS: Final = 4  # times as many, if all searched rows are copies of one event


class SearchRange(NamedTuple):
    """The rows of a search: those from *start_time* on, and at most *row_limit*. *is_last* if no rows are earlier."""

    start_time: int
    row_limit: int
    is_last: bool


def scan_newest(
    reader: TenantReader, wanted: EventFilter, before: EventKey, *, now: datetime, limit: int
) -> EventScan[EventKey]:
    """Return at most *limit* of the *wanted* events before *before*, newest first."""
    scan: Callable[[int], EventScan[EventKey]]
    if wanted.is_by_time_only:
        scan, row_limit = partial(_list, reader, wanted, before, limit), ROWS_PER_EVENT * (limit + 1)
    else:
        searched = _choose_range(reader, wanted, before, now)
        scan, row_limit = partial(_search, reader, wanted, before, limit, searched), searched.row_limit
    while True:
        events, end = scan(row_limit)
        if end != before:
            return EventScan(events, end)
        row_limit *= MORE_ROWS


def _choose_range(reader: TenantReader, wanted: EventFilter, before: EventKey, now: datetime) -> SearchRange:
    """Return the times before *before* that a search reads with about `ROWS_OF_SEARCH`.

    If one millisecond has more rows, or the table has more overlapping parts, a LIMIT ends the search.
    """
    first = wanted.start_time if reader.first_kept is None else first_time_of(reader.first_kept)
    first = max(first, wanted.start_time)
    usual_end = max(first + 1, min(before.event_timestamp, milliseconds_of(now + MAX_CLOCK_AHEAD)))

    def estimate(times: int) -> int:
        return estimate_rows_before(reader, usual_end - times, before)

    shortest = estimate(1)
    if shortest > MAX_ROWS_OF_SEARCH:
        return SearchRange(first, ROWS_OF_GRANULE, is_last=True)
    max_rows = min(MAX_ROWS_OF_SEARCH, max(ROWS_OF_SEARCH, shortest + ROWS_BEYOND_SHORTEST))
    times = find_fitting_amount(estimate, usual_end - first, max_rows=max_rows, divisor=SHRINKING).amount
    return SearchRange(usual_end - times, max_rows + 1, is_last=usual_end - times == first)


def _list(
    reader: TenantReader, wanted: EventFilter, before: EventKey, limit: int, row_limit: int
) -> EventScan[EventKey]:
    events, end = list_newest_events(reader, wanted, before, row_limit=row_limit)
    if len(events) > limit:
        return EventScan(events[:limit], events[limit - 1].key)
    return EventScan(events, end)


def _search(
    reader: TenantReader, wanted: EventFilter, before: EventKey, limit: int, searched: SearchRange, row_limit: int
) -> EventScan[EventKey]:
    """Find the keys first, then read the events of the first *limit* keys."""
    found, end = search_newest_keys(
        reader, wanted, before, start_time=searched.start_time, row_limit=row_limit, key_limit=limit + 1
    )
    if end is None and not searched.is_last:
        end = EventKey(searched.start_time, "", "")
    keys, events = list_counted_copies(reader, found[:limit], max_rows=MAX_ROWS_OF_PAGE - reader.rows_read)
    if len(keys) < len(found):
        end = keys[-1]
    return EventScan([events[key] for key in keys if key in events], end)
