"""Events of all organizations: written by load, counted by the roll-up."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from tenancy.rules.events.frames import EventTable
from tenancy.rules.usage import DailyEvents, TouchedOrganization
from tenancy.stores.clickhouse.client import Client

EVENT_COLUMNS: Final = (
    "organization_id", "event_id", "event_type", "event_name", "device_id", "session_id", "platform",
    "event_timestamp", "properties", "user_properties", "revenue", "currency", "received_at",
    "device_names", "user_names",
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
# Of touched organizations: their days of receipt from the first touched one on. A row that came late may replace a
# copy that was received on a later day, never one of an earlier day; so these are all days that may have changed.
# The last column is the events of each hour that counters are not settled for.
LIST_TOUCHED_DAYS: Final = """
    WITH
        touched AS (
            SELECT organization_id, min(toDate(received_at)) AS first_day FROM events
            WHERE created_at >= {since:DateTime64(3, 'UTC')} GROUP BY organization_id
        ),
        event_days AS (
            SELECT DISTINCT organization_id, toDate(event_timestamp) FROM events
            INNER JOIN touched USING (organization_id) WHERE toDate(received_at) >= first_day
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
    """Insert the rows of zstd *frames* (JSONEachRow) in one statement; a second time with *token* adds nothing.

    *token* must name the exact bytes: another text under a known token would be dropped silently.

    Raises:
        DatabaseError: some row is not what the table takes; none of the rows is stored.
        OperationalError: the server does not answer; the rows may be stored.
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
    """Return the organizations with rows written *since* then."""
    rows = client.query(LIST_TOUCHED, parameters={"since": since}).result_rows
    return [
        TouchedOrganization(organization_id=organization_id, first_day=first_day) for organization_id, first_day in rows
    ]


def list_touched_days(client: Client, *, since: datetime, recent: datetime) -> list[DailyEvents]:
    """Return every day of receipt that has events and whose count may have changed through rows written *since* then.

    Hours from *recent* on are counted apart as well.
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
    """Return when the oldest of the events that were written *since* then was received.

    Without any it is when the last one was written; None when none ever was.
    """
    for statement in (FIND_OLDEST_ARRIVAL, FIND_LAST_ARRIVAL):
        [(rows, moment)] = client.query(statement, parameters={"since": since, "now": now}).result_rows
        if rows:
            found: datetime = moment
            return found.replace(tzinfo=UTC)
    return None
