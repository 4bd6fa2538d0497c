"""Every minute: finish what a committed change still owes, whoever left it, and seal the audit logs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tenancy.audit_chain import Link
from tenancy.stores.platform.leases import delete_lease, take_lease
from tenancy.stores.postgres import Database
from tenancy.use_cases.effects import Drained, World, drain
from tenancy.use_cases.seal_audit import seal_audit_logs

LEASE: Final = "sweep"
LEASE_TIME: Final = timedelta(minutes=2)  # longer than the function's time-out


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did: effects, and the new heads of the audit logs that it sealed."""

    drained: Drained
    sealed: Mapping[UUID, Link]


def sweep(platform_db: Database, world: World, *, now: datetime) -> Swept | None:
    """Do every due effect of all organizations and seal their logs; None when another sweep holds the lease.

    Raises:
        UnavailableError: the database is away; the next minute tries again.
    """
    holder = uuid4()
    with platform_db.transaction() as conn:
        if not take_lease(conn, LEASE, holder, now=now, ends_at=now + LEASE_TIME):
            return None
    try:
        drained = drain(platform_db, world, now=now)
        return Swept(drained=drained, sealed=seal_audit_logs(platform_db, now=now))
    finally:
        with platform_db.transaction() as conn:
            delete_lease(conn, LEASE, holder)
