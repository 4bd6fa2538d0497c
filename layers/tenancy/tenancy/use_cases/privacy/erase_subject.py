"""Erase a data subject from all stores and from derived data, in several passes.

The first pass erases all stored rows. The next pass erases rows that were queued at that time, corrects the counts of a
roll-up that ran at the same time, and confirms the erasure. Later passes look once a day for rows that devices and
queues deliver late. The last pass runs when no queue can hold a message of that time, and deletes the subject's digest.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import batched
from typing import Final
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.durations import (
    ERASURE_LATER_PASS_INTERVAL,
    ERASURE_MIN_RETRY_AFTER,
    ERASURE_NEXT_PASS_AFTER,
    ERASURE_RETRY_AFTER,
    EXPORT_FILE_RETENTION,
    PRIVACY_JOB_CLAIM_TIME,
    SETTLING_TIME,
    SUBJECT_DIGEST_RETENTION,
)
from tenancy.rules.erasures import ErasureJob, ErasureStatus, SubjectRows, WrittenPeriod
from tenancy.rules.tenant import CallerKind
from tenancy.rules.usage import DailyEvents, first_open_day
from tenancy.stores.aws.exports import Exports
from tenancy.stores.clickhouse.client import ClickHouseError, Client, TenantReader
from tenancy.stores.clickhouse.events import list_daily_events
from tenancy.stores.clickhouse.platform.statistics import replace_statistics
from tenancy.stores.clickhouse.platform.subjects import count_subject, delete_subject, find_subject
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.platform.erasure_jobs import (
    claim_erasure,
    update_closed_days,
    update_days,
    update_erasure,
    update_erasure_due,
    update_found,
)
from tenancy.stores.postgres.platform.export_jobs import list_stale_exports, withdraw_exports

ERASURE_DONE: Final = "erasure.done"
DAYS_AT_ONCE: Final = 31


def claim_due_erasure(platform_db: Database, *, now: datetime) -> ErasureJob | None:
    """Claim the erasure of the next organization in turn. Return None if none is due."""
    with platform_db.transaction() as conn:
        return claim_erasure(conn, now=now, until=now + PRIVACY_JOB_CLAIM_TIME)


def postpone_erasure(platform_db: Database, job: ErasureJob, *, due_at: datetime) -> None:
    """Release the job, so that a worker continues it from *due_at* on."""
    with platform_db.tenant_transaction(job.organization_id) as conn:
        update_erasure_due(conn, job, due_at=due_at)


def erase_subject(
    platform_db: Database,
    client: Client,
    exports: Exports,
    job: ErasureJob,
    *,
    is_last_turn: bool,
    writer_wait: timedelta,
    clock: Callable[[], datetime],
) -> bool:
    """Run one turn of a pass, and return whether the pass is finished.

    A pass deletes the subject's rows that were written more than *writer_wait* ago. All inserts of that time have
    ended, so it deletes exactly the rows that it has found. If newer rows are left, the pass is not finished, and the
    job is due again after *writer_wait*, or after a minute if that is sooner. Only the last turn can finish the pass:
    before it, dead letters of the subject may be left. The found rows are stored before the deletion, and applied to
    usage at the end of the pass. So a repeated turn counts no row twice.

    Raises:
        UnavailableError: a store is unreachable. The next run repeats the turn.
    """
    until = job.found.until or clock() - writer_wait
    try:
        found = _erase(platform_db, client, job, WrittenPeriod(_since(job), until), clock)
        remaining = count_subject(
            client, job.organization_id, job.subject, WrittenPeriod(since=_since(job)), through=job.requested_at
        )
    except ClickHouseError as error:
        raise UnavailableError("ClickHouse is unreachable.") from error
    now = clock()
    if any(remaining):
        postpone_erasure(
            platform_db, job, due_at=now + min(max(writer_wait, ERASURE_MIN_RETRY_AFTER), ERASURE_RETRY_AFTER)
        )
        return False
    if is_last_turn or found != job.found:
        _withdraw_exports(platform_db, exports, job, found, now=now)
    if not is_last_turn:
        return False
    days = _recount_days(client, job, found, now=now)
    with platform_db.tenant_transaction(job.organization_id) as conn:
        return _end_pass(conn, job, found, days, covered_until=until, now=now)


def _since(job: ErasureJob) -> datetime | None:
    """Return the time from which on no pass has covered the written rows, or None before the first pass."""
    return job.covered_until and job.covered_until - SETTLING_TIME


def _erase(
    platform_db: Database, client: Client, job: ErasureJob, written: WrittenPeriod, clock: Callable[[], datetime]
) -> SubjectRows:
    """Delete the subject's rows, rewrite the statistics of their days, and return the rows."""
    first_open = first_open_day(clock()) if job.status is ErasureStatus.PENDING else None
    rows = find_subject(
        client, job.organization_id, job.subject, written, through=job.requested_at, first_open=first_open
    )
    found = job.found.merged(rows)
    if rows:
        _store_found(platform_db, job, replace(found, until=written.until))
        delete_subject(client, job.organization_id, job.subject, written, through=job.requested_at)
    if rows or job.found.until:
        _store_found(platform_db, job, found)
    for days in batched(sorted(found.event_days), DAYS_AT_ONCE, strict=False):
        replace_statistics(client, job.organization_id, days, run=clock())
    return found


def _store_found(platform_db: Database, job: ErasureJob, found: SubjectRows) -> None:
    with platform_db.tenant_transaction(job.organization_id) as conn:
        update_found(conn, job, found)


def _withdraw_exports(
    platform_db: Database, exports: Exports, job: ErasureJob, found: SubjectRows, *, now: datetime
) -> None:
    """Withdraw earlier exports, because they contain the subject.

    The database is updated before the files are deleted, so that no new link is signed. Every pass deletes stale files:
    a worker that lost its job may have left one.
    """
    with platform_db.tenant_transaction(job.organization_id) as conn:
        if found or job.status is ErasureStatus.PENDING:  # retention may have deleted rows that are in an export
            withdraw_exports(conn, job.organization_id, now=now)
        stale = list_stale_exports(conn, job.organization_id, since=now - EXPORT_FILE_RETENTION)
    for export_id, generation in stale.items():
        exports.delete_generations(job.organization_id, export_id, before=generation)


def _recount_days(client: Client, job: ErasureJob, found: SubjectRows, *, now: datetime) -> list[DailyEvents]:
    """Return new counts of the open days on which found rows were received.

    A day without remaining events counts zero. Closed days are not counted again: *found* has their losses.
    """
    first_open = date.min if job.status is ErasureStatus.PENDING else first_open_day(now)
    days = sorted(day for day in found.receipt_days - found.losses.keys() if day >= first_open)
    if not days:
        return []
    reader = TenantReader(client, job.organization_id)
    counted = {day.metric_date: day for day in list_daily_events(reader, job.organization_id, days[0])}
    return [counted.get(day) or _empty(job.organization_id, day) for day in days]


def _empty(organization_id: UUID, day: date) -> DailyEvents:
    return DailyEvents(organization_id=organization_id, metric_date=day, events=0, unique_users=0, storage_bytes=0)


def _end_pass(
    conn: Connection,
    job: ErasureJob,
    found: SubjectRows,
    days: list[DailyEvents],
    *,
    covered_until: datetime,
    now: datetime,
) -> bool:
    """Write usage, the job's new state and the audit record in one transaction.

    *days* replace the counts of open days. From closed days the events that the first pass found are subtracted,
    because the day's count contains them.
    """
    status, due_at = _next(job, found, now=now)
    if not update_erasure(conn, job, status, found, covered_until=covered_until, now=now, due_at=due_at):
        return False
    update_days(conn, job.organization_id, days)
    update_closed_days(conn, job.organization_id, found.losses)
    if status is ErasureStatus.CONFIRMED is not job.status:
        insert_audit_record(conn, job.organization_id, _record(job, now))
    return True


def _next(job: ErasureJob, found: SubjectRows, *, now: datetime) -> tuple[ErasureStatus, datetime | None]:
    """Return the state after a pass, and the due time of the next one.

    The next pass is due soon if this one found rows. A pass over all rows does not confirm an erasure: also that of a
    replay is followed by another one.
    """
    last_pass_at = job.requested_at + SUBJECT_DIGEST_RETENTION
    if job.covered_until is None and job.status is not ErasureStatus.CONFIRMED:
        return ErasureStatus.ERASED, now + ERASURE_NEXT_PASS_AFTER
    if found:
        return job.status, now + ERASURE_NEXT_PASS_AFTER
    if now < last_pass_at:
        return ErasureStatus.CONFIRMED, min(now + ERASURE_LATER_PASS_INTERVAL, last_pass_at)
    return ErasureStatus.CONFIRMED, None


def _record(job: ErasureJob, now: datetime) -> AuditRecord:
    """Return the audit record of a confirmed erasure. It does not name the data subject."""
    actor = Actor(kind=CallerKind(job.actor_kind), id=job.actor_id, request_id="", source_address="")
    return AuditRecord.done(ERASURE_DONE, str(job.id), actor, now=now)
