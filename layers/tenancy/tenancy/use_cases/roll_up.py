"""Hourly: what was written since the last run -> daily statistics and tenant_usage, for all organizations at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from tenancy.stores.clickhouse import Client
from tenancy.stores.platform.events import insert_daily_statistics, list_touched, list_touched_days
from tenancy.stores.platform.leases import delete_lease, take_lease
from tenancy.stores.platform.usage import find_last_roll_up, insert_roll_up, update_daily_events
from tenancy.stores.postgres import Database
from tenancy.usage import unsettled_since

LEASE: Final = "roll_up"
LEASE_TIME: Final = timedelta(minutes=15)  # the function's time-out


@dataclass(frozen=True, slots=True, kw_only=True)
class RollUp:
    """What a run did: organizations and days of receipt that it counted; *ran* is False while another one runs."""

    ran: bool
    organizations: int = 0
    days: int = 0


def roll_up(platform_db: Database, client: Client, *, now: datetime) -> RollUp:
    """Count again every day with rows written since the last finished run; doing it twice changes nothing.

    Statistics come first, usage and the mark of the run in one transaction after them: a run that dies in between
    is repeated by the next one, and readers take unfinished days from the events.
    """
    holder = uuid4()
    with platform_db.transaction() as conn:
        if not take_lease(conn, LEASE, holder, now=now, ends_at=now + LEASE_TIME):
            return RollUp(ran=False)
        since = unsettled_since(find_last_roll_up(conn))
    try:
        return _count(platform_db, client, since=since, now=now)
    finally:
        with platform_db.transaction() as conn:
            delete_lease(conn, LEASE, holder)


def _count(platform_db: Database, client: Client, *, since: datetime, now: datetime) -> RollUp:
    touched = list_touched(client, since=since)  # before the counts: rows written in between are touched next time
    insert_daily_statistics(client, since=since, run=now)
    days = list_touched_days(client, since=since)
    with platform_db.transaction() as conn:
        update_daily_events(conn, touched, days, rolled_up_at=now)
        insert_roll_up(conn, started_at=now, finished_at=now)
    return RollUp(ran=True, organizations=len(touched), days=len(days))
