"""Monthly: what retention no longer keeps is deleted, a tier at a time."""

from collections import defaultdict
from datetime import date, datetime
from typing import Final
from uuid import UUID

from tenancy.rules.durations import DOWNGRADE_RETENTION
from tenancy.rules.tiers import first_kept_day
from tenancy.rules.usage import first_open_day, month_of
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.retention import delete_expired
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.clean_ups import has_clean_up, insert_clean_up
from tenancy.stores.postgres.platform.organizations import list_retentions

CHUNK: Final = 1_000  # organizations a statement


def apply_retention(platform_db: Database, client: Client, *, now: datetime) -> int | None:
    """Delete what is older than each organization's retention; return of how many, None when this month's is done.

    A death in between leaves the month unmarked: the next run does the rest.

    Raises:
        ClickHouseError, UnavailableError: a store is away; the next run goes on.
    """
    month = month_of(now.date()).start
    with platform_db.transaction() as conn:
        if has_clean_up(conn, month):
            return None
        tiers = list_retentions(conn, changed_since=now - DOWNGRADE_RETENTION)
    by_day: defaultdict[date, list[UUID]] = defaultdict(list)
    for organization_id, held in tiers.items():
        by_day[first_kept_day(held, now)].append(organization_id)
    for first_kept, organizations in by_day.items():
        for start in range(0, len(organizations), CHUNK):
            chunk = organizations[start : start + CHUNK]
            delete_expired(client, chunk, first_kept=first_kept, first_open=first_open_day(now))
    with platform_db.transaction() as conn:
        insert_clean_up(conn, month, finished_at=now)
    return len(tiers)
