"""The rows of events in the order of their storage.

Times of events are milliseconds since 1970, times of storage are seconds.
"""

from dataclasses import dataclass
from typing import Any, Final

from tenancy.rules.stored_events import EventFilter, ReceivedPosition, ReceivedRow
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.stored_events import IS_WANTED, wanted_parameters

# The index created_at_minmax finds the granules with the seconds. The sort key finds those with the times.
FROM_WINDOW: Final = """
    FROM events
    WHERE organization_id = {organization_id:UUID}
      AND created_at >= toDateTime({start_second:UInt32}, 'UTC') AND created_at < toDateTime({end_second:UInt32}, 'UTC')
      AND event_timestamp >= fromUnixTimestamp64Milli({start_time:Int64}, 'UTC')
      AND event_timestamp <= fromUnixTimestamp64Milli({last_time:Int64}, 'UTC')
"""
READ_WINDOW: Final = "SELECT event_id" + FROM_WINDOW
LIST_RECEIVED: Final = (
    """
    SELECT toUnixTimestamp(created_at), toUnixTimestamp64Milli(event_timestamp), device_id, event_id, version"""
    + FROM_WINDOW
    + """
      AND (toUnixTimestamp(created_at), toUnixTimestamp64Milli(event_timestamp), device_id, event_id)
        > ({created_at:Int64}, {event_timestamp:Int64}, {device_id:String}, {event_id:String})
      AND """
    + IS_WANTED
    + """
    ORDER BY created_at, event_timestamp, device_id, event_id, version DESC
    LIMIT 1 BY created_at, event_timestamp, device_id, event_id
    LIMIT {row_limit:UInt32}
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The rows that were stored from *start_second* to before *end_second*.

    The times of their events are from *start_time* to *last_time*. A window of several seconds has all wanted times.
    """

    start_second: int
    end_second: int
    start_time: int
    last_time: int

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of `FROM_WINDOW`."""
        return {
            "start_second": self.start_second,
            "end_second": self.end_second,
            "start_time": self.start_time,
            "last_time": self.last_time,
        }


def estimate_rows_of_window(reader: TenantReader, window: Window) -> int:
    """Return how many rows `list_received_rows` would read."""
    return reader.estimate_rows(READ_WINDOW, window.parameters)


def list_received_rows(
    reader: TenantReader, wanted: EventFilter, window: Window, after: ReceivedPosition, *, row_limit: int
) -> list[ReceivedRow]:
    """Return at most *row_limit* rows of *window* after *after*, in the order of storage.

    The times of *wanted* are no condition, because the window has them.
    """
    parameters = {**window.parameters, **after._asdict(), **wanted_parameters(wanted), "row_limit": row_limit}
    rows = reader.query(LIST_RECEIVED, parameters)
    return [ReceivedRow(ReceivedPosition(*values), version) for *values, version in rows]
