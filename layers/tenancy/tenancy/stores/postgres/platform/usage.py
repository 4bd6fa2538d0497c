"""Usage of all organizations, as the roll-up writes it."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from tenancy.rules.entitlements import Entitlements
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import (
    TOTAL_PERIOD,
    DailyEvents,
    EventCounts,
    FinishedRollUp,
    HeldUsage,
    MonthlyUsage,
    Period,
    RequestCounts,
    TouchedOrganization,
)
from tenancy.stores.postgres.client import Connection

# One statement for all organizations. An organization under erasure gets no row. A day may lose its last event to an
# earlier day, where a copy arrived first. It is not among the counted days then, so it is set to 0. Closed months stay.
CLEAR_DAILY_EVENTS: Final = """
    UPDATE tenant_usage AS u SET events_count = 0, unique_users_count = 0, storage_bytes = 0
    FROM jsonb_to_recordset(%(touched)s) AS touched (organization_id uuid, first_day date)
    WHERE u.organization_id = touched.organization_id AND u.metric_date >= touched.first_day
      AND u.metric_date >= %(first_open)s
"""
UPSERT_DAILY_EVENTS: Final = """
    INSERT INTO tenant_usage (organization_id, metric_date, events_count, unique_users_count, storage_bytes)
    SELECT new.organization_id, new.metric_date, new.events, new.unique_users, new.storage_bytes
    FROM jsonb_to_recordset(%(days)s)
        AS new (organization_id uuid, metric_date date, events bigint, unique_users bigint, storage_bytes bigint)
    JOIN organizations AS o ON o.id = new.organization_id AND o.status NOT IN ('erasing', 'erased')
    WHERE new.metric_date >= %(first_open)s
    ON CONFLICT (organization_id, metric_date) DO UPDATE SET
        events_count = excluded.events_count,
        unique_users_count = excluded.unique_users_count,
        storage_bytes = excluded.storage_bytes
"""
UPSERT_SETTLEMENTS: Final = """
    INSERT INTO settlements (organization_id, rolled_up_at)
    SELECT touched.organization_id, %(rolled_up_at)s
    FROM jsonb_to_recordset(%(touched)s) AS touched (organization_id uuid, first_day date)
    JOIN organizations AS o ON o.id = touched.organization_id AND o.status NOT IN ('erasing', 'erased')
    ON CONFLICT (organization_id) DO UPDATE SET rolled_up_at = excluded.rolled_up_at
"""
UPSERT_DAILY_PREDICTIONS: Final = """
    INSERT INTO tenant_usage (organization_id, metric_date, ml_predictions_count)
    SELECT l.organization_id, l.metric_date, sum(l.amount)
    FROM usage_ledger AS l JOIN organizations AS o ON o.id = l.organization_id AND o.status NOT IN ('erasing', 'erased')
    WHERE l.metric = 'ml_predictions' AND l.metric_date >= %s
    GROUP BY l.organization_id, l.metric_date
    ON CONFLICT (organization_id, metric_date) DO UPDATE SET ml_predictions_count = excluded.ml_predictions_count
    WHERE tenant_usage.ml_predictions_count <> excluded.ml_predictions_count
"""
# Organizations whose rows in ClickHouse are not the reason. A worker may erase a data subject until its claim ends.
LIST_CHANGED: Final = """
    SELECT o.id FROM organizations AS o LEFT JOIN measurements AS m ON m.organization_id = o.id
    WHERE o.status NOT IN ('erasing', 'erased')
      AND (m.organization_id IS NULL OR m.active_at >= %(since)s OR o.updated_at >= %(since)s)
    UNION SELECT organization_id FROM usage_ledger WHERE metric_date >= %(first_day)s AND created_at >= %(since)s
    UNION SELECT organization_id FROM erasures WHERE claimed_until >= %(since)s
"""
UPSERT_MEASUREMENTS: Final = """
    INSERT INTO measurements (
        organization_id, storage_bytes, held_events, recent_from, recent_hours, recent_events, recent_held_events,
        measured_at, active_at
    )
    SELECT o.id, coalesce(new.storage_bytes, 0), coalesce(new.held_events, 0), %(recent_from)s,
           coalesce(new.recent_hours, '{}'), coalesce(new.recent_events, '{}'), coalesce(new.recent_held_events, '{}'),
           %(measured_at)s, CASE WHEN new.has_held THEN %(measured_at)s::timestamptz END
    FROM organizations AS o
    LEFT JOIN jsonb_to_recordset(%(measured)s)
        AS new (
            organization_id uuid, storage_bytes bigint, held_events bigint, recent_hours timestamptz[],
            recent_events bigint[], recent_held_events bigint[], has_held boolean
        )
        ON new.organization_id = o.id
    WHERE o.status NOT IN ('erasing', 'erased') AND (%(changed)s::uuid[] IS NULL OR o.id = ANY (%(changed)s))
    ON CONFLICT (organization_id) DO UPDATE SET
        storage_bytes = excluded.storage_bytes, held_events = excluded.held_events,
        recent_from = excluded.recent_from, recent_hours = excluded.recent_hours,
        recent_events = excluded.recent_events, recent_held_events = excluded.recent_held_events,
        measured_at = excluded.measured_at, active_at = greatest(measurements.active_at, excluded.active_at)
"""
# The number of requests is known up to the last flush. It never decreases, because the counter in Redis may have
# restarted at 0. Each of the two numbers keeps its larger value, so management never exceeds all requests. The next
# roll-up handles the organizations with more requests.
UPSERT_DAILY_REQUESTS: Final = """
    WITH counted AS (
        INSERT INTO tenant_usage (organization_id, metric_date, api_requests_count, management_requests_count)
        SELECT new.organization_id, new.metric_date, new.requests, new.management
        FROM jsonb_to_recordset(%(counts)s)
            AS new (organization_id uuid, metric_date date, requests bigint, management bigint)
        JOIN organizations AS o ON o.id = new.organization_id AND o.status NOT IN ('erasing', 'erased')
        ON CONFLICT (organization_id, metric_date) DO UPDATE SET
            api_requests_count = greatest(tenant_usage.api_requests_count, excluded.api_requests_count),
            management_requests_count =
                greatest(tenant_usage.management_requests_count, excluded.management_requests_count)
        WHERE tenant_usage.api_requests_count < excluded.api_requests_count
           OR tenant_usage.management_requests_count < excluded.management_requests_count
        RETURNING organization_id
    )
    UPDATE measurements SET active_at = greatest(active_at, %(now)s)
    WHERE organization_id IN (SELECT organization_id FROM counted)
"""
LIST_MONTHLY_USAGE: Final = """
    SELECT o.id, o.tier, o.overrides, o.status, coalesce(u.events, 0), coalesce(u.requests, 0),
           coalesce(u.management, 0), coalesce(p.used, 0), coalesce(m.storage_bytes, 0) + coalesce(s.used, 0)
    FROM organizations AS o
    LEFT JOIN (
        SELECT organization_id, sum(events_count)::bigint AS events, sum(api_requests_count)::bigint AS requests,
               sum(management_requests_count)::bigint AS management
        FROM tenant_usage
        WHERE metric_date >= %(start)s AND metric_date < %(end)s
          AND (%(changed)s::uuid[] IS NULL OR organization_id = ANY (%(changed)s))
        GROUP BY organization_id
    ) AS u ON u.organization_id = o.id
    LEFT JOIN measurements AS m ON m.organization_id = o.id
    LEFT JOIN usage_totals AS p
      ON p.organization_id = o.id AND p.metric = 'ml_predictions' AND p.period = %(start)s
    LEFT JOIN usage_totals AS s ON s.organization_id = o.id AND s.metric = 'storage_bytes' AND s.period = %(total)s
    WHERE o.status NOT IN ('erasing', 'erased') AND (%(changed)s::uuid[] IS NULL OR o.id = ANY (%(changed)s))
"""
DELETE_RESERVATIONS: Final = "DELETE FROM usage_reservations WHERE expires_at < %s"
# Retention is applied after the roll-up of the same run, which gives it its own time.
FIND_LAST_ROLL_UP: Final = """
    SELECT r.started_at, r.recent_from,
           r.counters_settled_at IS NOT NULL
               AND NOT EXISTS (SELECT FROM clean_ups AS c WHERE c.finished_at >= r.started_at)
    FROM roll_ups AS r ORDER BY r.started_at DESC LIMIT 1
"""
INSERT_ROLL_UP: Final = """
    INSERT INTO roll_ups (started_at, finished_at, recent_from) VALUES (%s, clock_timestamp(), %s)
    ON CONFLICT DO NOTHING
"""
UPDATE_SETTLED: Final = "UPDATE roll_ups SET counters_settled_at = clock_timestamp() WHERE started_at = %s"


def update_daily_events(
    conn: Connection,
    touched: Iterable[TouchedOrganization],
    days: Iterable[DailyEvents],
    *,
    rolled_up_at: datetime,
    first_open: date,
) -> None:
    """Set the event counts of touched organizations, from the first touched day on, to *days*.

    Idempotent, because the counts are absolute. Organizations that are not in *touched* and days before *first_open*
    stay unchanged.
    """
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
    organizations = [
        {"organization_id": str(each.organization_id), "first_day": each.first_day.isoformat()} for each in touched
    ]
    values = {
        "touched": Jsonb(organizations),
        "days": Jsonb(rows),
        "first_open": first_open,
        "rolled_up_at": rolled_up_at,
    }
    conn.execute(CLEAR_DAILY_EVENTS, values)
    conn.execute(UPSERT_DAILY_EVENTS, values)
    conn.execute(UPSERT_SETTLEMENTS, values)


def update_daily_predictions(conn: Connection, *, since: date) -> None:
    """Set the predictions of every day from *since* on to the numbers in the ledger."""
    conn.execute(UPSERT_DAILY_PREDICTIONS, (since,))


def update_daily_requests(
    conn: Connection, requests: Mapping[tuple[UUID, date], RequestCounts], *, now: datetime
) -> None:
    """Set the requests of organizations and days to the counters of Redis, unless that is less."""
    rows = [
        {
            "organization_id": str(organization_id),
            "metric_date": day.isoformat(),
            "requests": count.all,
            "management": count.management,
        }
        for (organization_id, day), count in requests.items()
    ]
    conn.execute(UPSERT_DAILY_REQUESTS, {"counts": Jsonb(rows), "now": now})


def list_changed(conn: Connection, *, since: datetime) -> set[UUID]:
    """Return the organizations that may have changed after *since* without a new row in ClickHouse.

    They made requests, reported usage, had held events or an erasure of a data subject, were changed, or were never
    measured.
    """
    values = {"since": since, "first_day": since.astimezone(UTC).date()}
    return {organization_id for (organization_id,) in conn.execute(LIST_CHANGED, values)}


def update_measurements(
    conn: Connection,
    storage_bytes: Mapping[UUID, int],
    held: Iterable[HeldUsage],
    recent_hours: Mapping[UUID, Mapping[datetime, EventCounts]],
    *,
    changed: Collection[UUID] | None,
    recent_from: datetime,
    measured_at: datetime,
) -> None:
    """Store the stored bytes and held events of the *changed* organizations, or of all, also if both are 0.

    *recent_hours* has the counted events of each hour from *recent_from* on.
    """
    of_month = {each.organization_id: each.events_of_month for each in held}
    rows = [
        {
            "organization_id": str(organization_id),
            "storage_bytes": storage_bytes.get(organization_id, 0),
            "held_events": of_month.get(organization_id, 0),
            "recent_hours": [hour.isoformat() for hour in hours],
            "recent_events": [events for events, _ in hours.values()],
            "recent_held_events": [held_events for _, held_events in hours.values()],
            "has_held": organization_id in of_month,
        }
        for organization_id in storage_bytes.keys() | of_month.keys() | recent_hours.keys()
        for hours in [recent_hours.get(organization_id, {})]
    ]
    values = {
        "measured": Jsonb(rows),
        "changed": None if changed is None else list(changed),
        "recent_from": recent_from,
        "measured_at": measured_at,
    }
    conn.execute(UPSERT_MEASUREMENTS, values)


def list_monthly_usage(
    conn: Connection, month: Period, *, changed: Collection[UUID] | None = None
) -> list[MonthlyUsage]:
    """Return the usage in *month* and the stored bytes of the *changed* organizations, or of all, as last counted."""
    values = {
        "start": month.start,
        "end": month.end,
        "total": TOTAL_PERIOD,
        "changed": None if changed is None else list(changed),
    }
    return [
        MonthlyUsage(
            organization_id=organization_id,
            entitlements=Entitlements(tier=Tier(tier), overrides=overrides),
            status=OrganizationStatus(status),
            events=events,
            requests=RequestCounts(all=requests, management=management),
            ml_predictions=predictions,
            storage_bytes=storage_bytes,
        )
        for organization_id, tier, overrides, status, events, requests, management, predictions, storage_bytes in (
            conn.execute(LIST_MONTHLY_USAGE, values)
        )
    ]


def delete_reservations(conn: Connection, *, expired_before: datetime) -> None:
    """Delete reservations that expired before *expired_before*."""
    conn.execute(DELETE_RESERVATIONS, (expired_before,))


def find_last_roll_up(conn: Connection) -> FinishedRollUp | None:
    """Return the last finished roll-up, or None before the first."""
    row = conn.execute(FIND_LAST_ROLL_UP).fetchone()
    return FinishedRollUp(started_at=row[0], recent_from=row[1], is_settled=row[2]) if row else None


def insert_roll_up(conn: Connection, *, started_at: datetime, recent_from: datetime) -> None:
    """Store a roll-up that has finished now. Its counters are not settled yet."""
    conn.execute(INSERT_ROLL_UP, (started_at, recent_from))


def update_settled(conn: Connection, *, started_at: datetime) -> None:
    """Store that the counters are settled."""
    conn.execute(UPDATE_SETTLED, (started_at,))
