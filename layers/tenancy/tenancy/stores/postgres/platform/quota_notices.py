"""Thresholds of quotas that were reached, of all organizations: noted by the roll-up, announced by the sweep."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from tenancy.rules.quotas import QuotaNotice
from tenancy.stores.postgres.client import Connection

INSERT_ALL_NOTICES: Final = """
    INSERT INTO quota_notices (organization_id, metric, period, percent, used, quota, noted_at)
    SELECT new.organization_id, new.metric, new.period, new.percent, new.used, new.quota, %(now)s
    FROM jsonb_to_recordset(%(notices)s) AS new (
        organization_id uuid, metric text, period date, percent integer, used bigint, quota bigint
    )
    ON CONFLICT DO NOTHING
"""
LIST_UNANNOUNCED: Final = """
    SELECT n.organization_id, n.metric, n.period, n.percent, n.used, n.quota
    FROM quota_notices AS n JOIN organizations AS o ON o.id = n.organization_id
    WHERE n.announced_at IS NULL AND o.status IN ('active', 'suspended') ORDER BY n.noted_at LIMIT %s
"""
UPDATE_ANNOUNCED: Final = """
    UPDATE quota_notices SET announced_at = %(now)s
    WHERE organization_id = %(organization_id)s AND metric = %(metric)s AND period = %(period)s
      AND percent = %(percent)s AND quota = %(quota)s AND announced_at IS NULL
"""
LIST_ADMINS: Final = """
    SELECT email FROM users
    WHERE organization_id = %s AND role IN ('super_admin', 'admin') AND status = 'active' ORDER BY email
"""


def insert_all_notices(conn: Connection, notices: Sequence[QuotaNotice], *, now: datetime) -> None:
    """Note thresholds of many organizations; those that are noted already stay as they are."""
    rows = [
        {
            "organization_id": str(each.organization_id),
            "metric": each.metric,
            "period": each.period.isoformat(),
            "percent": each.percent,
            "used": each.used,
            "quota": each.quota,
        }
        for each in notices
    ]
    conn.execute(INSERT_ALL_NOTICES, {"notices": Jsonb(rows), "now": now})


def list_unannounced(conn: Connection, *, limit: int) -> list[QuotaNotice]:
    """Return at most *limit* notices that nobody was told of yet, oldest first."""
    with conn.cursor(row_factory=class_row(QuotaNotice)) as cursor:
        return cursor.execute(LIST_UNANNOUNCED, (limit,)).fetchall()


def update_announced(conn: Connection, notice: QuotaNotice, *, now: datetime) -> bool:
    """Mark *notice* as announced, and say whether it was not yet."""
    values = {
        "organization_id": notice.organization_id,
        "metric": notice.metric,
        "period": notice.period,
        "percent": notice.percent,
        "quota": notice.quota,
        "now": now,
    }
    return conn.execute(UPDATE_ANNOUNCED, values).rowcount == 1


def list_admins(conn: Connection, organization_id: UUID) -> list[str]:
    """Return the addresses of an organization's admins, in its own transaction."""
    return [email for (email,) in conn.execute(LIST_ADMINS, (organization_id,))]
