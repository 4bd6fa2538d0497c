"""Stored events, newest first by their own time, and the copies that count.

No statement has FINAL. Copies of one event have one key, so they follow each other in the sort key. In the order of the
sort key ClickHouse reads only as many rows as a LIMIT takes. The LIMIT is inside, the choice among the copies outside
(docs/decisions/0051-reading-events.md).

Times are milliseconds since 1970, as in the column.
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from tenancy.rules.statistics import NO_APP
from tenancy.rules.stored_events import EventFilter, EventKey, EventScan, StoredEvent
from tenancy.rules.unix_time import milliseconds_of
from tenancy.stores.clickhouse.client import TenantReader

SHOWN_COLUMNS: Final = (
    "event_id, event_type, event_name, device_id, session_id, platform, event_timestamp, properties, user_properties, "
    "revenue, currency, received_at, app_id, created_at, version"
)
SHOWN_NAMES: Final[tuple[str, ...]] = tuple(SHOWN_COLUMNS.split(", "))
# Rows from start_time on and before a key, in the reverse order of the sort key.
IS_BEFORE_KEY: Final = """
    WHERE organization_id = {organization_id:UUID}
      AND event_timestamp >= fromUnixTimestamp64Milli({start_time:Int64}, 'UTC')
      AND (
          event_timestamp < fromUnixTimestamp64Milli({time:Int64}, 'UTC')
          OR event_timestamp = fromUnixTimestamp64Milli({time:Int64}, 'UTC')
             AND (
                 device_id < {device_id:String} OR device_id = {device_id:String} AND event_id < {event_id:String}
             )
      )
"""
BEFORE_KEY: Final = (
    IS_BEFORE_KEY
    + """
    ORDER BY event_timestamp DESC, device_id DESC, event_id DESC LIMIT {row_limit:UInt32}
"""
)
# The first copy of a key counts: it was received first. Of equal copies the one that was stored first is shown.
LIST_NEWEST: Final = (
    "SELECT "
    + SHOWN_COLUMNS
    + """, found FROM (
        SELECT *, count() OVER () AS found FROM (
            SELECT """
    + SHOWN_COLUMNS
    + " FROM events"
    + BEFORE_KEY
    + """)
    )
    ORDER BY event_timestamp DESC, device_id DESC, event_id DESC, version DESC, created_at
    LIMIT 1 BY event_timestamp, device_id, event_id
"""
)
IS_WANTED: Final = """
    (NOT {is_of_event_type:Bool} OR event_type = {wanted_event_type:String})
    AND (NOT {is_of_event_name:Bool} OR event_name = {wanted_event_name:String})
    AND (NOT {is_of_device_id:Bool} OR device_id = {wanted_device_id:String})
    AND (NOT {is_of_app_id:Bool} OR app_id = {wanted_app_id:UUID})
"""
# Counts the searched rows, and returns the last two keys and the first wanted keys.
SEARCH_NEWEST: Final = (
    """
    SELECT any(found), groupArraySorted(2)(key),
           arraySlice(arrayReverseSort(groupArrayIf(key, is_wanted)), 1, {key_limit:UInt32})
    FROM (
        SELECT (toUnixTimestamp64Milli(event_timestamp), device_id, event_id) AS key, found,
               """
    + IS_WANTED
    + """ AS is_wanted
        FROM (
            SELECT *, count() OVER () AS found FROM (
                SELECT event_timestamp, device_id, event_id, event_type, event_name, app_id, version, created_at
                FROM events"""
    + BEFORE_KEY
    + """)
        )
        ORDER BY event_timestamp DESC, device_id DESC, event_id DESC, version DESC, created_at
        LIMIT 1 BY event_timestamp, device_id, event_id
    )
"""
)
READ_BEFORE: Final = "SELECT event_id FROM events" + IS_BEFORE_KEY
# ClickHouse finds the keys by the sort key only if they come from a sub-query. Without the condition on event_id a key
# costs a granule of each part with the same times. The index of ids leaves out the parts without copies. All copies of
# an event have its id, so the index hides none.
LIST_BY_KEYS: Final = (
    "SELECT "
    + SHOWN_COLUMNS
    + """ FROM events
    WHERE organization_id = {organization_id:UUID} AND (event_timestamp, device_id, event_id) IN (
        SELECT fromUnixTimestamp64Milli(key.1, 'UTC'), key.2, key.3
        FROM (SELECT arrayJoin({keys:Array(Tuple(Int64, String, String))}) AS key)
    )
      AND event_id IN {event_ids:Array(String)}
    ORDER BY event_timestamp, device_id, event_id, version DESC, created_at
    LIMIT 1 BY event_timestamp, device_id, event_id
"""
)


def list_newest_events(
    reader: TenantReader, wanted: EventFilter, before: EventKey, *, row_limit: int
) -> EventScan[EventKey]:
    """Return the events before *before*, newest first, from at most *row_limit* rows.

    Only the times of *wanted* are a condition. The last key is left out if rows follow, because other copies of it may
    be among them.
    """
    rows = reader.query(LIST_NEWEST, _range(wanted.start_time, before) | {"row_limit": row_limit}, is_in_order=True)
    events = [_event_of(row[:-1]) for row in rows]
    if not rows or rows[0][-1] < row_limit:
        return EventScan(events, None)
    return EventScan(events[:-1], events[-2].key if len(events) > 1 else before)


def search_newest_keys(
    reader: TenantReader, wanted: EventFilter, before: EventKey, *, start_time: int, row_limit: int, key_limit: int
) -> tuple[list[EventKey], EventKey | None]:
    """Search at most *row_limit* rows from *start_time* to before *before* for *wanted* events, newest first.

    Return the first *key_limit* of their keys, and the last key that was searched, None if all rows were.
    """
    parameters = _range(start_time, before) | wanted_parameters(wanted)
    parameters |= {"row_limit": row_limit, "key_limit": key_limit}
    [(found, last_keys, keys)] = reader.query(SEARCH_NEWEST, parameters, is_in_order=True)
    wanted_keys = [EventKey(*key) for key in keys]
    if found < row_limit:
        return wanted_keys, None
    last, *earlier = [EventKey(*key) for key in last_keys]
    return [key for key in wanted_keys if key != last], earlier[0] if earlier else before


def estimate_rows_before(reader: TenantReader, start_time: int, before: EventKey) -> int:
    """Return how many rows a search from *start_time* to before *before* would read."""
    return reader.estimate_rows(READ_BEFORE, _range(start_time, before))


def list_events_by_keys(reader: TenantReader, keys: Sequence[EventKey]) -> dict[EventKey, StoredEvent]:
    """Return the events with *keys*, by their key. Each is the copy that counts."""
    rows = reader.query(LIST_BY_KEYS, _keys(keys), is_in_order=True)
    return {event.key: event for event in map(_event_of, rows)}


def estimate_rows_of_keys(reader: TenantReader, keys: Sequence[EventKey]) -> int:
    """Return how many rows `list_events_by_keys` would read."""
    return reader.estimate_rows(LIST_BY_KEYS, _keys(keys))


def parameters_of_key(key: EventKey) -> tuple[int, str, str, str]:
    """Return the values that `list_events_by_keys` sends of *key*."""
    return key.event_timestamp, key.device_id, key.event_id, key.event_id


def wanted_parameters(wanted: EventFilter) -> dict[str, Any]:
    """Return the parameters of `IS_WANTED`."""
    texts = {"event_type": wanted.event_type, "event_name": wanted.event_name, "device_id": wanted.device_id}
    conditions: dict[str, Any] = {f"is_of_{name}": text is not None for name, text in texts.items()}
    conditions |= {f"wanted_{name}": text or "" for name, text in texts.items()}
    return {**conditions, "is_of_app_id": wanted.app_id is not None, "wanted_app_id": wanted.app_id or NO_APP}


def _event_of(row: Sequence[Any]) -> StoredEvent:
    """Return the event of a row with `SHOWN_COLUMNS`."""
    values: dict[str, Any] = dict(zip(SHOWN_NAMES, row, strict=True))
    event_timestamp = values["event_timestamp"].replace(tzinfo=UTC)
    return StoredEvent(
        key=EventKey(milliseconds_of(event_timestamp), values["device_id"], values["event_id"]),
        event_type=values["event_type"],
        event_name=values["event_name"],
        session_id=values["session_id"],
        platform=values["platform"],
        event_timestamp=event_timestamp,
        received_at=values["received_at"].replace(tzinfo=UTC),
        app_id=values["app_id"] if values["app_id"].int else None,
        revenue=values["revenue"],
        currency=values["currency"],
        properties=values["properties"],
        user_properties=values["user_properties"],
        created_at=int(values["created_at"].replace(tzinfo=UTC).timestamp()),
        version=values["version"],
    )


def _keys(keys: Sequence[EventKey]) -> dict[str, Any]:
    return {"keys": list(map(tuple, keys)), "event_ids": [key.event_id for key in keys]}


def _range(start_time: int, before: EventKey) -> dict[str, Any]:
    return {
        "start_time": start_time,
        "time": before.event_timestamp,
        "device_id": before.device_id,
        "event_id": before.event_id,
    }
