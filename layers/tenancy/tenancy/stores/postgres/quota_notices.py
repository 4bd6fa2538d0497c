"""Reached thresholds of quotas. Each is inserted once, in the transaction that finds it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.quotas import QuotaNotice
from tenancy.stores.postgres.client import Connection

# The columns of a `QuotaNotice`.
QUOTA_NOTICE_COLUMNS: Final = "organization_id, metric, period, percent, used, quota"
INSERT_NOTICE: Final = (
    "INSERT INTO quota_notices ("
    + QUOTA_NOTICE_COLUMNS
    + """, noted_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
)


def insert_notices(conn: Connection, organization_id: UUID, notices: Sequence[QuotaNotice], *, now: datetime) -> None:
    """Insert reached thresholds of one organization's quotas. Existing ones stay unchanged."""
    for each in notices:
        values = (organization_id, each.metric, each.period, each.percent, each.used, each.quota, now)
        conn.execute(INSERT_NOTICE, values)
