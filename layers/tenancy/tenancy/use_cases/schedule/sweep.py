"""Every minute: finish what committed changes and deletions owe, keep what Redis has counted, seal the audit logs.

The answers of provisioning, which hold keys, are forgotten after a day.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tenancy.rules.audit_chain import Link
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.leases import delete_lease, take_lease
from tenancy.stores.postgres.platform.provisioning_requests import delete_requests_before
from tenancy.stores.postgres.platform.quarantine import delete_quarantines
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.deletion.restart_deletions import Restarted, restart_deletions
from tenancy.use_cases.outbox.effects import Backlog, Drained, Kind, World, drain, find_backlog
from tenancy.use_cases.schedule.failures import noted
from tenancy.use_cases.schedule.keep_requests import keep_requests
from tenancy.use_cases.usage.announce_notices import announce_notices

LEASE: Final = "sweep"
LEASE_TIME: Final = timedelta(minutes=2)  # longer than the function's time-out
ANSWERS_KEPT: Final = timedelta(hours=24)  # of provisioning, for who asks again with the same Idempotency-Key
# Until which share of a sweep's time a step goes on: none takes the time of those after it.
LOGS_UNTIL: Final = 0.5
DELETIONS_UNTIL: Final = 0.75
EFFECTS_UNTIL: Final = 1.0


@dataclass(slots=True, kw_only=True)
class Swept:
    """What a sweep did: effects, notices announced, and the new heads of the audit logs that it sealed.

    *requests_kept* is of how many organizations requests were kept, None while Redis is away; *backlog* is what is owed
    afterwards. What a step that failed has done is not in it; the caller has to raise the *failures*.
    """

    requests_kept: int | None = None
    announced: int = 0
    sealed: Mapping[UUID, Link] = field(default_factory=dict)
    deletions: Restarted | None = None
    drained: Drained = field(default_factory=Drained)
    backlog: Backlog | None = None
    failures: list[Exception] = field(default_factory=list)


def sweep(
    platform_db: Database,
    redis: Redis,
    world: World,
    *,
    now: datetime,
    has_time: Callable[[float], bool] = lambda _: True,
) -> Swept | None:
    """Do every due effect of all organizations and seal their logs; None when another sweep holds the lease.

    Each step is done whatever becomes of the others. Redis is told of changed standings first, so that nobody is served
    for longer; then requests are kept, because Redis may lose them. All other effects come last, as many as there is
    time for: thousands of mails must not keep anything else waiting. *has_time* says whether less than that share of
    the sweep's time is used.

    Raises:
        UnavailableError: the database is away; the next minute tries again.
    """
    holder = uuid4()
    with platform_db.transaction() as conn:
        if not take_lease(conn, LEASE, holder, now=now, ends_at=now + LEASE_TIME):
            return None
    try:
        return _sweep(platform_db, redis, world, now, has_time)
    finally:
        with platform_db.transaction() as conn:
            delete_lease(conn, LEASE, holder)


def _sweep(
    platform_db: Database, redis: Redis, world: World, now: datetime, has_time: Callable[[float], bool]
) -> Swept:
    swept = Swept()
    with noted(swept.failures):
        swept.drained = drain(platform_db, world, now=now, kind=Kind.STANDING, has_time=lambda: has_time(LOGS_UNTIL))
    with noted(swept.failures):
        swept.requests_kept = keep_requests(platform_db, redis, now=now)
    with noted(swept.failures):
        swept.announced = announce_notices(platform_db, now=now, has_time=lambda: has_time(LOGS_UNTIL))
    with noted(swept.failures):
        sealed = seal_audit_logs(platform_db, now=now, has_time=lambda: has_time(LOGS_UNTIL))
        swept.sealed = sealed.heads
        swept.failures += sealed.failures
    with noted(swept.failures):
        _forget(platform_db, now)
    with noted(swept.failures):
        if world.executions is not None:
            swept.deletions = restart_deletions(
                platform_db, world.executions, now=now, has_time=lambda: has_time(DELETIONS_UNTIL)
            )
    with noted(swept.failures):
        others = drain(platform_db, world, now=now, has_time=lambda: has_time(EFFECTS_UNTIL))
        swept.drained = swept.drained + others
    with noted(swept.failures):
        swept.backlog = find_backlog(platform_db, now=now)
    return swept


def _forget(platform_db: Database, now: datetime) -> None:
    with platform_db.transaction() as conn:
        delete_requests_before(conn, created_before=now - ANSWERS_KEPT, now=now)
        delete_quarantines(conn, ended_before=now)
