"""An organization's tenant_usage."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from tenancy.stores.postgres import Connection
from tenancy.usage import DailyUsage

LIST_DAILY_USAGE: Final = """
    SELECT metric_date, events_count AS events, api_requests_count AS api_requests, storage_bytes,
           ml_predictions_count AS ml_predictions, unique_users_count AS unique_users
    FROM tenant_usage WHERE organization_id = %s ORDER BY metric_date
"""
FIND_ROLLED_UP_AT: Final = "SELECT rolled_up_at FROM settlements WHERE organization_id = %s"


def list_daily_usage(conn: Connection, organization_id: UUID) -> list[DailyUsage]:
    """Return all days that were rolled up, in order."""
    with conn.cursor(row_factory=class_row(DailyUsage)) as cursor:
        return cursor.execute(LIST_DAILY_USAGE, (organization_id,)).fetchall()


def find_rolled_up_at(conn: Connection, organization_id: UUID) -> datetime | None:
    """Return when the roll-up started that last counted the organization's events, None before the first.

    Read it before the days: a roll-up that commits in between then makes them newer than they are taken for, and what
    is not settled is counted again; the other way around it would be missed.
    """
    row = conn.execute(FIND_ROLLED_UP_AT, (organization_id,)).fetchone()
    return row[0] if row else None
