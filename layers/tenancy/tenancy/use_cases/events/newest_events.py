"""One page of events, newest first by their own time."""

from typing import Final

from tenancy.rules.stored_events import EventFilter, EventKey, EventScan
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.stored_events import list_newest_events, search_newest_keys
from tenancy.use_cases.events.counted_copies import list_counted_copies

SEARCHED_ROWS: Final = 60_000  # of a page with filters, plus one granule of each part
ROWS_PER_EVENT: Final = 2  # of a page without filters: an event may have a copy that ClickHouse has not merged yet
MORE_ROWS: Final = 4  # times as many, if all searched rows are copies of one event


def scan_newest(reader: TenantReader, wanted: EventFilter, before: EventKey, *, limit: int) -> EventScan[EventKey]:
    """Return at most *limit* of the *wanted* events before *before*, newest first."""
    scan = _list if wanted.is_by_time_only else _search
    row_limit = ROWS_PER_EVENT * (limit + 1) if wanted.is_by_time_only else SEARCHED_ROWS
    while True:
        events, end = scan(reader, wanted, before, limit, row_limit)
        if end != before:
            return EventScan(events, end)
        row_limit *= MORE_ROWS


def _list(
    reader: TenantReader, wanted: EventFilter, before: EventKey, limit: int, row_limit: int
) -> EventScan[EventKey]:
    events, end = list_newest_events(reader, wanted, before, row_limit=row_limit)
    if len(events) > limit:
        return EventScan(events[:limit], events[limit - 1].key)
    return EventScan(events, end)


def _search(
    reader: TenantReader, wanted: EventFilter, before: EventKey, limit: int, row_limit: int
) -> EventScan[EventKey]:
    """Find the keys first, then read the events of the first *limit* keys."""
    found, end = search_newest_keys(reader, wanted, before, row_limit=row_limit, key_limit=limit + 1)
    keys, events = list_counted_copies(reader, found[:limit])
    if len(keys) < len(found):
        end = keys[-1]
    return EventScan([events[key] for key in keys if key in events], end)
