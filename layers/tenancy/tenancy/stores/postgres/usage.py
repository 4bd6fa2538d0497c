"""The daily usage of an organization."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from tenancy.rules.entitlements import retention_days_of
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import DailyUsage
from tenancy.stores.postgres.client import Connection

LIST_DAILY_USAGE: Final = """
    SELECT metric_date, events_count AS events, management_requests_count AS api_requests,
           api_requests_count - management_requests_count AS ingest_requests, storage_bytes,
           ml_predictions_count AS ml_predictions, unique_users_count AS unique_users
    FROM tenant_usage WHERE organization_id = %s ORDER BY metric_date
"""
# A report is in the ledger at once, and in tenant_usage after the next roll-up.
LIST_DAILY_PREDICTIONS: Final = """
    SELECT metric_date, sum(amount)::bigint FROM usage_ledger
    WHERE organization_id = %s AND metric = 'ml_predictions' AND metric_date >= %s
    GROUP BY metric_date ORDER BY metric_date
"""
# One statement, so that a change is in both parts or in none. A request's context may have a change that the replica
# has not replayed.
LIST_RETENTIONS_SINCE: Final = """
    SELECT tier, (overrides ->> 'data_retention_days')::int FROM organizations WHERE id = %(organization_id)s
    UNION ALL
    SELECT from_tier, retention_days FROM tier_changes
    WHERE organization_id = %(organization_id)s AND changed_at > %(since)s
"""
FIND_ROLLED_UP_AT: Final = "SELECT rolled_up_at FROM settlements WHERE organization_id = %s"


def list_daily_usage(conn: Connection, organization_id: UUID) -> list[DailyUsage]:
    """Return all days that were rolled up, in order."""
    with conn.cursor(row_factory=class_row(DailyUsage)) as cursor:
        return cursor.execute(LIST_DAILY_USAGE, (organization_id,)).fetchall()


def list_daily_predictions(conn: Connection, organization_id: UUID, *, since: date) -> dict[date, int]:
    """Return the predictions in the ledger for each day from *since* on that has any."""
    return dict(conn.execute(LIST_DAILY_PREDICTIONS, (organization_id, since)).fetchall())


def list_retentions_since(conn: Connection, organization_id: UUID, since: datetime) -> list[int]:
    """Return the retention of the organization in days, and those that ended after *since*."""
    rows = conn.execute(LIST_RETENTIONS_SINCE, {"organization_id": organization_id, "since": since})
    return [retention_days_of(Tier(tier), days) for tier, days in rows]


def find_rolled_up_at(conn: Connection, organization_id: UUID) -> datetime | None:
    """Return the start of the last roll-up that counted the organization's events, or None.

    Read it before the days. If a roll-up commits between the two reads, the days are newer than this time, and
    unsettled events are counted again. In the other order they would be missed.
    """
    row = conn.execute(FIND_ROLLED_UP_AT, (organization_id,)).fetchone()
    return row[0] if row else None
