"""What ClickHouse has of an organization's events, as it takes it away: a page of a day at a time, in their order.

Times are milliseconds since 1970, as the column holds them: ClickHouse may move a text's time into its range.
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final, LiteralString

from tenancy.rules.events.frames import EventTable
from tenancy.stores.clickhouse.client import TenantReader

FIND_NEXT_EVENT: Final = """
    SELECT count(), toUnixTimestamp64Milli(min(event_timestamp)) FROM events
    WHERE organization_id = {organization_id:UUID}
      AND event_timestamp >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
"""
FIND_NEXT_HELD_EVENT: Final = """
    SELECT count(), toUnixTimestamp64Milli(min(event_timestamp)) FROM held_events
    WHERE organization_id = {organization_id:UUID} AND reason != 'released'
      AND event_timestamp >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
"""
EXPORTED_COLUMNS: Final = (
    "event_id, event_type, event_name, device_id, session_id, platform, event_timestamp, properties, user_properties, "
    "revenue, currency, received_at"
)
# A page is found by a time and how many events of that time were read before: that names no device, and an event that
# is written in between is read twice at worst.
LIST_EVENTS: Final = (
    "SELECT "
    + EXPORTED_COLUMNS
    + """, ''
    FROM events FINAL
    WHERE organization_id = {organization_id:UUID}
      AND event_timestamp >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
      AND event_timestamp < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    ORDER BY event_timestamp, device_id, event_id LIMIT {limit:UInt32} OFFSET {start_offset:UInt64}
"""
)
LIST_HELD_EVENTS: Final = (
    "SELECT "
    + EXPORTED_COLUMNS
    + """, reason
    FROM held_events FINAL
    WHERE organization_id = {organization_id:UUID} AND reason != 'released'
      AND event_timestamp >= fromUnixTimestamp64Milli({start:Int64}, 'UTC')
      AND event_timestamp < fromUnixTimestamp64Milli({end:Int64}, 'UTC')
    ORDER BY event_timestamp, device_id, event_id LIMIT {limit:UInt32} OFFSET {start_offset:UInt64}
"""
)
STATEMENTS: Final[dict[EventTable, tuple[LiteralString, LiteralString]]] = {
    "events": (FIND_NEXT_EVENT, LIST_EVENTS),
    "held_events": (FIND_NEXT_HELD_EVENT, LIST_HELD_EVENTS),
}
COLUMNS: Final[tuple[str, ...]] = (*EXPORTED_COLUMNS.split(", "), "reason")


def find_next_event(reader: TenantReader, table: EventTable, start: int) -> int | None:
    """Return when the first event of *table* happened from *start* on, None without any."""
    [(count, moment)] = reader.query(STATEMENTS[table][0], {"start": start})
    return int(moment) if count else None


def list_events(
    reader: TenantReader, table: EventTable, *, start: int, end: int, start_offset: int, limit: int
) -> list[dict[str, Any]]:
    """Return at most *limit* events of *table* from *start* to before *end* in order, but the first *start_offset*."""
    parameters = {"start": start, "end": end, "start_offset": start_offset, "limit": limit}
    return [_event(row) for row in reader.query(STATEMENTS[table][1], parameters)]


def _event(row: Sequence[Any]) -> dict[str, Any]:
    values: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    values["event_timestamp"] = values["event_timestamp"].replace(tzinfo=UTC)
    values["received_at"] = values["received_at"].replace(tzinfo=UTC)
    if not values["reason"]:
        del values["reason"]
    return values
