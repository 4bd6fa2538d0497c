"""Thresholds of quotas that were reached, each noted once, in the transaction that found it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.quotas import QuotaNotice
from tenancy.stores.postgres.client import Connection

INSERT_NOTICE: Final = """
    INSERT INTO quota_notices (organization_id, metric, period, percent, used, quota, noted_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


def insert_notices(conn: Connection, organization_id: UUID, notices: Sequence[QuotaNotice], *, now: datetime) -> None:
    """Note thresholds of one organization's quotas; one that is noted already stays as it is."""
    for each in notices:
        values = (organization_id, each.metric, each.period, each.percent, each.used, each.quota, now)
        conn.execute(INSERT_NOTICE, values)
