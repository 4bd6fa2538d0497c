"""Usage of all organizations, as the roll-up writes it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from psycopg.types.json import Jsonb

from tenancy.stores.postgres import Connection
from tenancy.usage import DailyEvents, Touched

# One statement however many organizations; one that was erased meanwhile gets no row. A day that lost its last event
# to an earlier one (its copy came first) is not among the counted days: it is set to nothing.
CLEAR_DAILY_EVENTS: Final = """
    UPDATE tenant_usage AS u SET events_count = 0, unique_users_count = 0, storage_bytes = 0
    FROM jsonb_to_recordset(%s) AS touched (organization_id uuid, first_day date)
    WHERE u.organization_id = touched.organization_id AND u.metric_date >= touched.first_day
"""
UPSERT_DAILY_EVENTS: Final = """
    INSERT INTO tenant_usage (organization_id, metric_date, events_count, unique_users_count, storage_bytes)
    SELECT new.organization_id, new.metric_date, new.events, new.unique_users, new.storage_bytes
    FROM jsonb_to_recordset(%s)
        AS new (organization_id uuid, metric_date date, events bigint, unique_users bigint, storage_bytes bigint)
    JOIN organizations AS o ON o.id = new.organization_id AND o.status <> 'erased'
    ON CONFLICT (organization_id, metric_date) DO UPDATE SET
        events_count = excluded.events_count,
        unique_users_count = excluded.unique_users_count,
        storage_bytes = excluded.storage_bytes
"""
UPSERT_SETTLEMENTS: Final = """
    INSERT INTO settlements (organization_id, rolled_up_at)
    SELECT touched.organization_id, %s
    FROM jsonb_to_recordset(%s) AS touched (organization_id uuid, first_day date)
    JOIN organizations AS o ON o.id = touched.organization_id AND o.status <> 'erased'
    ON CONFLICT (organization_id) DO UPDATE SET rolled_up_at = excluded.rolled_up_at
"""
FIND_LAST_ROLL_UP: Final = "SELECT max(started_at) FROM roll_ups"
INSERT_ROLL_UP: Final = "INSERT INTO roll_ups (started_at, finished_at) VALUES (%s, %s) ON CONFLICT DO NOTHING"


def update_daily_events(
    conn: Connection, touched: Iterable[Touched], days: Iterable[DailyEvents], *, rolled_up_at: datetime
) -> None:
    """Make the counts of every touched organization, from its first touched day on, what *days* say.

    Absolute, so that a second time changes nothing; an organization without an entry in *touched* stays as it is.
    """
    organizations = Jsonb(
        [{"organization_id": str(each.organization_id), "first_day": each.first_day.isoformat()} for each in touched]
    )
    rows = [
        {
            "organization_id": str(day.organization_id),
            "metric_date": day.metric_date.isoformat(),
            "events": day.events,
            "unique_users": day.unique_users,
            "storage_bytes": day.storage_bytes,
        }
        for day in days
    ]
    conn.execute(CLEAR_DAILY_EVENTS, (organizations,))
    conn.execute(UPSERT_DAILY_EVENTS, (Jsonb(rows),))
    conn.execute(UPSERT_SETTLEMENTS, (rolled_up_at, organizations))


def find_last_roll_up(conn: Connection) -> datetime | None:
    """Return when the last finished roll-up started, None before the first."""
    row = conn.execute(FIND_LAST_ROLL_UP).fetchone()
    return row[0] if row else None


def insert_roll_up(conn: Connection, *, started_at: datetime, finished_at: datetime) -> None:
    """Note a finished roll-up."""
    conn.execute(INSERT_ROLL_UP, (started_at, finished_at))
