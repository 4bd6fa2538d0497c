"""Apply retention once a month: delete the events that are not kept any longer."""

from collections import defaultdict
from datetime import date, datetime
from typing import Final
from uuid import UUID

from tenancy.rules.durations import DOWNGRADE_RETENTION
from tenancy.rules.entitlements import first_kept_day
from tenancy.rules.usage import first_open_day, month_of
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.retention import delete_expired
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.clean_ups import has_clean_up, insert_clean_up
from tenancy.stores.postgres.platform.organizations import list_retentions

CHUNK: Final = 1_000  # organizations per statement


def apply_retention(platform_db: Database, client: Client, *, now: datetime) -> int | None:
    """Delete events past retention once a month, and return the number of organizations.

    Return None if this month's deletion is done. A run that dies leaves the month unmarked. The next run repeats it.

    Raises:
        ClickHouseError, UnavailableError: a store is unreachable. The next run continues.
    """
    month = month_of(now.date()).start
    with platform_db.transaction() as conn:
        if has_clean_up(conn, month):
            return None
        retentions = list_retentions(conn, changed_since=now - DOWNGRADE_RETENTION)
    by_day: defaultdict[date, list[UUID]] = defaultdict(list)
    for organization_id, applicable in retentions.items():
        by_day[first_kept_day(applicable, now)].append(organization_id)
    for first_kept, organizations in by_day.items():
        for start in range(0, len(organizations), CHUNK):
            chunk = organizations[start : start + CHUNK]
            delete_expired(client, chunk, first_kept=first_kept, first_open=first_open_day(now))
    with platform_db.transaction() as conn:
        insert_clean_up(conn, month, finished_at=now)
    return len(retentions)
