"""Every minute: finish what committed changes and deletions owe, keep what Redis has counted, seal the audit logs.

The answers of provisioning, which hold keys, are forgotten after a day.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tenancy.audit_chain import Link
from tenancy.errors import UnavailableError
from tenancy.stores.platform.leases import delete_lease, take_lease
from tenancy.stores.platform.provisioning_requests import delete_requests_before
from tenancy.stores.platform.quarantine import delete_quarantines
from tenancy.stores.postgres import Database
from tenancy.stores.redis import Redis
from tenancy.use_cases.announce import announce_notices
from tenancy.use_cases.effects import Backlog, Drained, World, drain, find_backlog
from tenancy.use_cases.keep_requests import keep_requests
from tenancy.use_cases.restart_deletions import Restarted, restart_deletions
from tenancy.use_cases.seal_audit import seal_audit_logs

LEASE: Final = "sweep"
LEASE_TIME: Final = timedelta(minutes=2)  # longer than the function's time-out
ANSWERS_KEPT: Final = timedelta(hours=24)  # of provisioning, for who asks again with the same Idempotency-Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did: effects, notices announced, and the new heads of the audit logs that it sealed.

    *requests_kept* is of how many organizations requests were kept, None while Redis is away; *deletions* is None
    while Step Functions is. *backlog* is what is owed afterwards.
    """

    drained: Drained
    backlog: Backlog
    announced: int
    requests_kept: int | None
    sealed: Mapping[UUID, Link]
    deletions: Restarted | None


def sweep(
    platform_db: Database,
    redis: Redis,
    world: World,
    *,
    now: datetime,
    has_time: Callable[[], bool] = lambda: True,
) -> Swept | None:
    """Do every due effect of all organizations and seal their logs; None when another sweep holds the lease.

    Requests are kept first, because Redis may lose them. Effects come last, as many as there is time for: thousands of
    mails must not keep anything else waiting.

    Raises:
        UnavailableError: the database is away; the next minute tries again.
    """
    holder = uuid4()
    with platform_db.transaction() as conn:
        if not take_lease(conn, LEASE, holder, now=now, ends_at=now + LEASE_TIME):
            return None
    try:
        kept = keep_requests(platform_db, redis, now=now)
        announced = announce_notices(platform_db, now=now)
        sealed = seal_audit_logs(platform_db, now=now)
        with platform_db.transaction() as conn:
            delete_requests_before(conn, created_before=now - ANSWERS_KEPT, now=now)
            delete_quarantines(conn, ended_before=now)
        deletions = _restart_deletions(platform_db, world, now)
        drained = drain(platform_db, world, now=now, has_time=has_time)
        backlog = find_backlog(platform_db, now=now)
        return Swept(
            drained=drained,
            backlog=backlog,
            announced=announced,
            requests_kept=kept,
            sealed=sealed,
            deletions=deletions,
        )
    finally:
        with platform_db.transaction() as conn:
            delete_lease(conn, LEASE, holder)


def _restart_deletions(platform_db: Database, world: World, now: datetime) -> Restarted | None:
    """Restart what was lost; the rest of a sweep does not wait for Step Functions."""
    if world.executions is None:
        return None
    try:
        return restart_deletions(platform_db, world.executions, now=now)
    except UnavailableError:
        return None
