"""The sweep of every minute: run outbox entries, seal audit logs, restart deletions.

It also deletes the stored answers of provisioning after a day, because they hold keys, expired sessions, and the sealed
successors of refresh tokens after 30 seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tenancy.rules.audit_chain import ChainLink
from tenancy.rules.durations import IDEMPOTENT_ANSWER_RETENTION, SWEEP_LEASE_TIME
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.idempotent_requests import delete_answers_before
from tenancy.stores.postgres.platform.leases import delete_lease, take_lease
from tenancy.stores.postgres.platform.provisioning_requests import delete_requests_before
from tenancy.stores.postgres.platform.quarantine import delete_quarantines
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.audit.seal_audit import seal_audit_logs
from tenancy.use_cases.deletion.restart_deletions import RestartedDeletions, restart_deletions
from tenancy.use_cases.domains.start_domain_work import start_domain_work
from tenancy.use_cases.keys.register_platform_keys import register_recent_ends
from tenancy.use_cases.outbox.run_entries import (
    OutboxBacklog,
    OutboxKind,
    OutboxRun,
    OutboxTargets,
    find_outbox_backlog,
    run_due_entries,
)
from tenancy.use_cases.schedule.failures import collect_failures
from tenancy.use_cases.schedule.persist_request_counts import persist_request_counts
from tenancy.use_cases.sessions.expire_sessions import expire_sessions, forget_successors
from tenancy.use_cases.usage.enqueue_quota_notices import enqueue_quota_notices

SWEEP_LEASE: Final = "sweep"
PUBLICATIONS: Final = (OutboxKind.STANDING, OutboxKind.CREDENTIAL)
# The share of the sweep's time after which a step stops, so that the steps after it have time left.
LOGS_UNTIL: Final = 0.5
DELETIONS_UNTIL: Final = 0.75
OUTBOX_UNTIL: Final = 1.0


@dataclass(slots=True, kw_only=True)
class SweepRun:
    """The results of a sweep.

    *requests_persisted* is the number of persisted request counts, None if Redis is unreachable. *sealed* has the new
    head of each sealed audit log. *backlog* is the outbox after the sweep. The result of a failed step is the default
    value. The caller must raise the *failures*.
    """

    requests_persisted: int | None = None
    quota_notices_enqueued: int = 0
    sessions_deleted: int = 0
    successors_deleted: int = 0
    sealed: Mapping[UUID, ChainLink] = field(default_factory=dict)
    domains_started: int = 0
    deletions: RestartedDeletions | None = None
    outbox: OutboxRun = field(default_factory=OutboxRun)
    backlog: OutboxBacklog | None = None
    failures: list[Exception] = field(default_factory=list)


def sweep(
    platform_db: Database,
    redis: Redis,
    targets: OutboxTargets,
    *,
    now: datetime,
    has_time: Callable[[float], bool] = lambda _: True,
) -> SweepRun | None:
    """Run all steps of a sweep, or return None if another sweep holds the lease.

    The steps are independent: a step that fails does not stop the others. Changed standings and states of credentials
    are published first, so that a suspended organization or a revoked key is refused soon. Then ends of platform keys
    are registered. Then request counts are persisted, because Redis may lose them. All other outbox entries run
    last, as many as there is time for: thousands of mails must not delay other steps.

    *has_time* takes a share (0 to 1) of the sweep's time and returns whether less than that share has passed.

    Raises:
        UnavailableError: the database is unreachable. The next minute tries again.
    """
    holder = uuid4()
    with platform_db.transaction() as conn:
        if not take_lease(conn, SWEEP_LEASE, holder, now=now, ends_at=now + SWEEP_LEASE_TIME):
            return None
    try:
        return _sweep(platform_db, redis, targets, now, has_time)
    finally:
        with platform_db.transaction() as conn:
            delete_lease(conn, SWEEP_LEASE, holder)


def _sweep(
    platform_db: Database, redis: Redis, targets: OutboxTargets, now: datetime, has_time: Callable[[float], bool]
) -> SweepRun:
    run = SweepRun()
    for kind in PUBLICATIONS:
        with collect_failures(run.failures):
            run.outbox += run_due_entries(
                platform_db, targets, now=now, kind=kind, has_time=lambda: has_time(LOGS_UNTIL)
            )
    with collect_failures(run.failures):
        if targets.register is not None:
            register_recent_ends(platform_db, targets.register, now=now)
    with collect_failures(run.failures):
        run.requests_persisted = persist_request_counts(platform_db, redis, now=now)
    with collect_failures(run.failures):
        run.quota_notices_enqueued = enqueue_quota_notices(platform_db, now=now, has_time=lambda: has_time(LOGS_UNTIL))
    with collect_failures(run.failures):
        sealed = seal_audit_logs(platform_db, now=now, has_time=lambda: has_time(LOGS_UNTIL))
        run.sealed = sealed.heads
        run.failures += sealed.failures
    with collect_failures(run.failures):
        _delete_expired(platform_db, now)
    with collect_failures(run.failures):
        run.successors_deleted = forget_successors(platform_db, now=now, has_time=lambda: has_time(LOGS_UNTIL))
    with collect_failures(run.failures):
        run.sessions_deleted = expire_sessions(platform_db, now=now, has_time=lambda: has_time(LOGS_UNTIL))
    with collect_failures(run.failures):
        if targets.domain_executions is not None:
            starts = start_domain_work(
                platform_db, targets.domain_executions, now=now, has_time=lambda: has_time(DELETIONS_UNTIL)
            )
            run.domains_started = starts.started
            run.failures += starts.failures
    with collect_failures(run.failures):
        if targets.executions is not None:
            run.deletions = restart_deletions(
                platform_db, targets.executions, now=now, has_time=lambda: has_time(DELETIONS_UNTIL)
            )
    with collect_failures(run.failures):
        run.outbox += run_due_entries(platform_db, targets, now=now, has_time=lambda: has_time(OUTBOX_UNTIL))
    with collect_failures(run.failures):
        run.backlog = find_outbox_backlog(platform_db, now=now)
    return run


def _delete_expired(platform_db: Database, now: datetime) -> None:
    with platform_db.transaction() as conn:
        delete_requests_before(conn, created_before=now - IDEMPOTENT_ANSWER_RETENTION, now=now)
        delete_answers_before(conn, created_before=now - IDEMPOTENT_ANSWER_RETENTION)
        delete_quarantines(conn, ended_before=now)
