"""The events of an organization for its export, one page of a day at a time, in order.

Times are milliseconds since 1970, as in the column. A time as text could be moved into ClickHouse's range.
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
    "revenue, currency, received_at, app_id"
)
# A page begins at a time and an offset, so its position names no device. If an event is written between two pages, an
# event may be read twice.
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
    """Return the time of the first event of *table* from *start* on, or None without any."""
    [(count, first_time)] = reader.query(STATEMENTS[table][0], {"start": start})
    return int(first_time) if count else None


def list_events(
    reader: TenantReader, table: EventTable, *, start: int, end: int, start_offset: int, limit: int
) -> list[dict[str, Any]]:
    """Return at most *limit* events of *table* from *start* to before *end*, in order.

    The first *start_offset* events are skipped.
    """
    parameters = {"start": start, "end": end, "start_offset": start_offset, "limit": limit}
    return [_event(row) for row in reader.query(STATEMENTS[table][1], parameters)]


def _event(row: Sequence[Any]) -> dict[str, Any]:
    values: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
    values["event_timestamp"] = values["event_timestamp"].replace(tzinfo=UTC)
    values["received_at"] = values["received_at"].replace(tzinfo=UTC)
    values["app_id"] = values["app_id"] if values["app_id"].int else None
    if not values["reason"]:
        del values["reason"]
    return values
