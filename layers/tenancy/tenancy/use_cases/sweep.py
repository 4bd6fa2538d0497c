"""Every minute: finish what a committed change still owes, whoever left it."""

from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from tenancy.stores.platform.leases import delete_lease, take_lease
from tenancy.stores.postgres import Database
from tenancy.use_cases.effects import Drained, World, drain

LEASE: Final = "sweep"
LEASE_TIME: Final = timedelta(minutes=2)  # longer than the function's time-out


def sweep(platform_db: Database, world: World, *, now: datetime) -> Drained | None:
    """Do every due effect of all organizations; None when another sweep holds the lease.

    Raises:
        UnavailableError: the database is away; the next minute tries again.
    """
    holder = uuid4()
    with platform_db.transaction() as conn:
        if not take_lease(conn, LEASE, holder, now=now, ends_at=now + LEASE_TIME):
            return None
    try:
        return drain(platform_db, world, now=now)
    finally:
        with platform_db.transaction() as conn:
            delete_lease(conn, LEASE, holder)
