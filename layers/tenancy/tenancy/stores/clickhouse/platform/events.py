"""Events of all organizations, as load inserts and the roll-up counts them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from tenancy.rules.events.frames import EventTable
from tenancy.rules.usage import DailyEvents, TouchedOrganization
from tenancy.stores.clickhouse.client import Client

EVENT_COLUMNS: Final = (
    "organization_id", "event_id", "event_type", "event_name", "device_id", "session_id", "platform",
    "event_timestamp", "properties", "user_properties", "revenue", "currency", "received_at",
    "device_names", "user_names", "app_id",
)  # fmt: skip
COLUMNS: Final[dict[EventTable, tuple[str, ...]]] = {
    "events": EVENT_COLUMNS,
    "held_events": (*EVENT_COLUMNS, "reason"),
}
INSERT_SETTINGS: Final = {"async_insert": 0, "input_format_skip_unknown_fields": 0}

LIST_TOUCHED: Final = """
    SELECT organization_id, min(toDate(received_at)) FROM events
    WHERE created_at >= {since:DateTime64(3, 'UTC')} GROUP BY organization_id
"""
# The days of receipt of touched organizations, from the first touched day on. A late row may replace a copy that was
# received on a later day, but none of an earlier day. So these are all days that may have changed. The last column
# counts the events of each hour that the counters are not settled for. IN finds the rows of touched organizations by
# the sort key. The join alone would read all events.
LIST_TOUCHED_DAYS: Final = """
    WITH
        touched AS (
            SELECT organization_id, min(toDate(received_at)) AS first_day FROM events
            WHERE created_at >= {since:DateTime64(3, 'UTC')} GROUP BY organization_id
        ),
        event_days AS (
            SELECT DISTINCT organization_id, toDate(event_timestamp) FROM events
            INNER JOIN touched USING (organization_id)
            WHERE organization_id IN (SELECT organization_id FROM touched) AND toDate(received_at) >= first_day
        )
    SELECT organization_id, toDate(received_at) AS metric_date, count(), uniqExact(device_id),
           sum(bytes),
           sumMapIf(map(toStartOfHour(received_at), toUInt64(1)), received_at >= {recent:DateTime64(3, 'UTC')})
    FROM (
        SELECT *, bytes FROM events FINAL WHERE (organization_id, toDate(event_timestamp)) IN event_days
    ) AS deduplicated
    INNER JOIN touched USING (organization_id)
    WHERE toDate(received_at) >= first_day
    GROUP BY organization_id, metric_date
"""
FIND_OLDEST_ARRIVAL: Final = """
    SELECT count(), min(received_at) FROM (
        SELECT created_at, received_at FROM events
        UNION ALL SELECT created_at, received_at FROM held_events
    ) WHERE created_at >= {since:DateTime64(3, 'UTC')} AND created_at <= {now:DateTime64(3, 'UTC')}
"""
FIND_LAST_ARRIVAL: Final = """
    SELECT count(), max(created_at) FROM (
        SELECT created_at FROM events UNION ALL SELECT created_at FROM held_events
    ) WHERE created_at <= {now:DateTime64(3, 'UTC')}
"""


def insert_frames(client: Client, table: EventTable, frames: Sequence[bytes], *, token: str) -> None:
    """Insert the rows of zstd *frames* (JSONEachRow) in one statement.

    A second insert with the same *token* adds nothing. So *token* must identify the exact bytes: ClickHouse silently
    drops other bytes under a known token.

    Raises:
        DatabaseError: the table rejects a row. No row is stored.
        OperationalError: ClickHouse is unreachable. The rows may be stored.
    """
    client.raw_insert(
        table,
        column_names=COLUMNS[table],
        insert_block=b"".join(frames),
        fmt="JSONEachRow",
        compression="zstd",
        settings={**INSERT_SETTINGS, "insert_deduplication_token": token},
    )


def list_touched(client: Client, *, since: datetime) -> list[TouchedOrganization]:
    """Return the organizations with rows that were written after *since*."""
    rows = client.query(LIST_TOUCHED, parameters={"since": since}).result_rows
    return [
        TouchedOrganization(organization_id=organization_id, first_day=first_day) for organization_id, first_day in rows
    ]


def list_touched_days(client: Client, *, since: datetime, recent: datetime) -> list[DailyEvents]:
    """Return the days of receipt whose counts may have changed through rows written after *since*.

    Days without events are left out. The hours from *recent* on are also counted separately.
    """
    rows = client.query(LIST_TOUCHED_DAYS, parameters={"since": since, "recent": recent}).result_rows
    return [
        DailyEvents(
            organization_id=organization_id,
            metric_date=day,
            events=events,
            unique_users=users,
            storage_bytes=size,
            recent_hours={hour.replace(tzinfo=UTC): count for hour, count in hours.items()},
        )
        for organization_id, day, events, users, size, hours in rows
    ]


def find_oldest_arrival(client: Client, *, since: datetime, now: datetime) -> datetime | None:
    """Return the time of receipt of the oldest event that was written after *since*.

    Without such an event it searches as long before the last write. It returns None if there was no write.
    """
    found = _find_moment(client, FIND_OLDEST_ARRIVAL, since=since, now=now)
    if found is not None:
        return found
    last = _find_moment(client, FIND_LAST_ARRIVAL, since=since, now=now)
    if last is None:
        return None
    return _find_moment(client, FIND_OLDEST_ARRIVAL, since=last - (now - since), now=now)


def _find_moment(client: Client, statement: str, *, since: datetime, now: datetime) -> datetime | None:
    [(rows, moment)] = client.query(statement, parameters={"since": since, "now": now}).result_rows
    found: datetime = moment
    return found.replace(tzinfo=UTC) if rows else None
