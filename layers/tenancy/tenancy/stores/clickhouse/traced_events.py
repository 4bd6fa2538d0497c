"""Stored and held events by their ids.

Times of events are milliseconds since 1970. An id without a time is searched among the events since a time.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

from tenancy.rules.stored_events import END_OF_EVENT_TIMES
from tenancy.rules.traced_events import FoundEvent, TracedId
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.parameter_size import split_by_size

# The numbers of the ids that a row answers. A device or a time that the client gave must be equal.
ANSWERED_IDS: Final = """
    arrayJoin(arrayFilter(
        (number, id) -> id.1 = event_id AND (NOT id.2 OR id.3 = device_id)
            AND if(id.4, id.5 = toUnixTimestamp64Milli(event_timestamp), is_recent),
        arrayEnumerate({asked:Array(Tuple(String, Bool, String, Bool, Int64))}),
        {asked:Array(Tuple(String, Bool, String, Bool, Int64))}
    )) AS number
"""
HAS_ID: Final = """
    WHERE organization_id = {organization_id:UUID} AND event_id IN {event_ids:Array(String)}
"""
# A condition on the sort key hides no copy of an event.
IS_SEARCHED: Final = (
    HAS_ID
    + """
      AND (
          is_recent OR event_timestamp IN (
              SELECT fromUnixTimestamp64Milli(arrayJoin({times:Array(Int64)}), 'UTC')
          )
      )
"""
)
# All copies of an event have its id, so the index of ids finds all of them.
TRACE_STORED: Final = (
    """
    SELECT number, device_id, event_timestamp, received_at, '' FROM (
        SELECT device_id, event_timestamp, received_at, version, created_at,
               event_timestamp >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AS is_recent,"""
    + ANSWERED_IDS
    + "FROM events"
    + IS_SEARCHED
    + """
    )
    ORDER BY number, event_timestamp DESC, device_id, version DESC, created_at LIMIT 1 BY number
"""
)
# Held events may have a wrong time. So an id without a time is also searched by the time of receipt. No condition on
# received_at selects rows: it would hide a copy that was received earlier, or its mark `released`.
TRACE_HELD: Final = (
    """
    SELECT number, device_id, event_timestamp, received_at, reason FROM (
        SELECT device_id, event_timestamp, received_at, reason,
               event_timestamp >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
                   OR received_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AS is_recent,"""
    + ANSWERED_IDS
    + "FROM held_events FINAL"
    + HAS_ID
    + """
          AND reason != 'released'
    )
    ORDER BY number, event_timestamp DESC, device_id LIMIT 1 BY number
"""
)
# Of 100 events one may be slower: a redriven dead letter is days old, and tells nothing of the queue.
MEASURE_DELIVERY: Final = """
    SELECT count(), quantileExact(0.99)(toUnixTimestamp(created_at) - toUnixTimestamp64Milli(received_at) / 1000)
    FROM events
    WHERE organization_id = {organization_id:UUID} AND created_at >= toDateTime({since:UInt32}, 'UTC')
"""
LAST_STORAGE: Final = """
    SELECT count(), toUnixTimestamp(max(created_at)) FROM events
    WHERE organization_id = {organization_id:UUID}
      AND created_at >= toDateTime({start:UInt32}, 'UTC') AND created_at < toDateTime({end:UInt32}, 'UTC')
"""
STORED_BETWEEN: Final = """
    SELECT event_id FROM events
    WHERE organization_id = {organization_id:UUID}
      AND created_at >= toDateTime({start:UInt32}, 'UTC') AND created_at < toDateTime({end:UInt32}, 'UTC')
"""


def trace_stored_events(reader: TenantReader, asked: Sequence[TracedId], *, since: int) -> dict[int, FoundEvent]:
    """Return the stored events that *asked* names, by the index of their id.

    If several events fit an id, the newest one is returned.
    """
    return _trace(reader, TRACE_STORED, asked, since)


def trace_held_events(reader: TenantReader, asked: Sequence[TracedId], *, since: int) -> dict[int, FoundEvent]:
    """Return the held events that *asked* names, as `trace_stored_events` does."""
    return _trace(reader, TRACE_HELD, asked, since)


def measure_delivery(reader: TenantReader, since: datetime) -> float | None:
    """Return the time from receipt to storage in seconds that 99 of 100 rows took at most, or None without rows.

    Only rows that were stored from *since* on count. Clocks of two hosts differ, so the result is at least 0.
    """
    [(count, seconds)] = reader.query(MEASURE_DELIVERY, {"since": int(since.timestamp())})
    return max(0.0, float(seconds)) if count else None


def find_last_storage(reader: TenantReader, *, start: int, end: int) -> datetime | None:
    """Return when the last row was stored, from second *start* to before second *end*. None without rows."""
    [(count, second)] = reader.query(LAST_STORAGE, {"start": start, "end": end})
    return datetime.fromtimestamp(second, UTC) if count else None


def estimate_rows_stored(reader: TenantReader, *, start: int, end: int) -> int:
    """Return how many rows `find_last_storage` would read."""
    return reader.estimate_rows(STORED_BETWEEN, {"start": start, "end": end})


def _trace(
    reader: TenantReader, statement: LiteralString, asked: Sequence[TracedId], since: int
) -> dict[int, FoundEvent]:
    found: dict[int, FoundEvent] = {}
    searched = 0
    for part in split_by_size(asked, lambda each: (*_asked(each), each.event_id)):
        found |= _found(reader.query(statement, _parameters(part, since)), searched)
        searched += len(part)
    return found


def _asked(each: TracedId) -> tuple[str, bool, str, bool, int]:
    return (
        each.event_id,
        each.device_id is not None,
        each.device_id or "",
        each.event_timestamp is not None,
        each.event_timestamp or 0,
    )


def _parameters(asked: Sequence[TracedId], since: int) -> Mapping[str, Any]:
    has_unknown_time = any(each.event_timestamp is None for each in asked)
    return {
        "asked": list(map(_asked, asked)),
        "event_ids": [each.event_id for each in asked],
        "times": [each.event_timestamp for each in asked if each.event_timestamp is not None],
        "since": since if has_unknown_time else END_OF_EVENT_TIMES,
    }


def _found(rows: Sequence[Sequence[Any]], first: int) -> dict[int, FoundEvent]:
    """Return the events of *rows*. Their ids are numbered from 1 on, and *first* is the index of the first one."""
    return {
        first + number - 1: FoundEvent(
            device_id=device_id,
            event_timestamp=event_timestamp.replace(tzinfo=UTC),
            received_at=received_at.replace(tzinfo=UTC),
            reason=reason,
        )
        for number, device_id, event_timestamp, received_at, reason in rows
    }
