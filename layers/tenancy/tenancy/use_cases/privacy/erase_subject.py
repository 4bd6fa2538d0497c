"""Every minute: a data subject leaves every store and what was derived from it, pass after pass until nothing comes.

The first pass erases what is stored. What was in a queue then, and what a roll-up counted beside it, is gone after the
next one, which confirms. What devices and queues bring later is looked for once a day; the last pass comes when no
queue can hold a message of that time, and forgets the subject.
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
    """Claim the erasure whose organization has its turn, None when nothing is due."""
    with platform_db.transaction() as conn:
        return claim_erasure(conn, now=now, until=now + PRIVACY_JOB_CLAIM_TIME)


def postpone_erasure(platform_db: Database, job: ErasureJob, *, due_at: datetime) -> None:
    """Let the job be gone on with from *due_at* on."""
    with platform_db.tenant_transaction(job.organization_id) as conn:
        update_erasure_due(conn, job, due_at=due_at)


def erase_subject(
    platform_db: Database,
    client: Client,
    exports: Exports,
    job: ErasureJob,
    *,
    writer_wait: timedelta,
    clock: Callable[[], datetime],
) -> bool:
    """Do one pass, and say whether it came to its end: it does not while rows of the time before still arrive.

    It is about rows that were written longer ago than *quiet*: no more of them appear, so that what is found is what
    is deleted. It is noted before, and made up for with the end of the pass: a death in between is repeated, and
    counts nothing twice.

    Raises:
        UnavailableError: a store is away; the next run repeats the pass.
    """
    until = job.found.until or clock() - writer_wait
    try:
        found = _erase(platform_db, client, job, WrittenPeriod(_since(job), until), clock)
        after = count_subject(
            client, job.organization_id, job.subject, WrittenPeriod(since=_since(job)), through=job.requested_at
        )
    except ClickHouseError as error:
        raise UnavailableError("ClickHouse does not answer.") from error
    now = clock()
    if any(after):
        postpone_erasure(platform_db, job, due_at=now + ERASURE_RETRY_AFTER)
        return False
    _withdraw_exports(platform_db, exports, job, found, now=now)
    days = _count_days(client, job, found, now=now)
    with platform_db.tenant_transaction(job.organization_id) as conn:
        return _end_pass(conn, job, found, days, covered_until=until, now=now)


def _since(job: ErasureJob) -> datetime | None:
    """Return after when rows were written that no pass has seen."""
    return job.covered_until and job.covered_until - SETTLING_TIME


def _erase(
    platform_db: Database, client: Client, job: ErasureJob, written: WrittenPeriod, clock: Callable[[], datetime]
) -> SubjectRows:
    """Delete the subject's rows, write the statistics of their days anew, and return what there was."""
    first_open = first_open_day(clock()) if job.status is ErasureStatus.PENDING else None
    now_there = find_subject(
        client, job.organization_id, job.subject, written, through=job.requested_at, first_open=first_open
    )
    found = job.found.merged(now_there)
    if now_there:
        _note(platform_db, job, replace(found, until=written.until))
        delete_subject(client, job.organization_id, job.subject, written, through=job.requested_at)
    if now_there or job.found.until:
        _note(platform_db, job, found)
    for days in batched(sorted(found.event_days), DAYS_AT_ONCE, strict=False):
        replace_statistics(client, job.organization_id, days, run=clock())
    return found


def _note(platform_db: Database, job: ErasureJob, found: SubjectRows) -> None:
    with platform_db.tenant_transaction(job.organization_id) as conn:
        update_found(conn, job, found)


def _withdraw_exports(
    platform_db: Database, exports: Exports, job: ErasureJob, found: SubjectRows, *, now: datetime
) -> None:
    """Take back what was exported before: it has the subject in it. First the database, so that no link is made.

    Every pass deletes what is stale: a worker that the one before has overtaken may have left a file, and died.
    """
    with platform_db.tenant_transaction(job.organization_id) as conn:
        if found or job.status is ErasureStatus.PENDING:  # an export may have what retention has deleted since
            withdraw_exports(conn, job.organization_id, now=now)
        stale = list_stale_exports(conn, job.organization_id, since=now - EXPORT_FILE_RETENTION)
    for export_id, generation in stale.items():
        exports.delete_generations(job.organization_id, export_id, before=generation)


def _count_days(client: Client, job: ErasureJob, found: SubjectRows, *, now: datetime) -> list[DailyEvents]:
    """Return what is left of the days whose bills may still change, nothing at all included."""
    first_open = date.min if job.status is ErasureStatus.PENDING else first_open_day(now)
    days = sorted(day for day in found.receipt_days - found.losses.keys() if day >= first_open)
    if not days:
        return []
    reader = TenantReader(client, job.organization_id)
    left = {day.metric_date: day for day in list_daily_events(reader, job.organization_id, days[0])}
    return [left.get(day) or _empty(job.organization_id, day) for day in days]


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
    """Write usage, where the job stands, and the record of its end, all at once.

    A closed day loses what was counted before it closed: that is what the first pass has found.
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
    """Return where the job stands after a pass, and when the next one is due: soon after one that found something."""
    forget_at = job.requested_at + SUBJECT_DIGEST_RETENTION
    if job.status is ErasureStatus.PENDING:
        return ErasureStatus.ERASED, now + ERASURE_NEXT_PASS_AFTER
    if found:
        return job.status, now + ERASURE_NEXT_PASS_AFTER
    if now < forget_at:
        return ErasureStatus.CONFIRMED, min(now + ERASURE_LATER_PASS_INTERVAL, forget_at)
    return ErasureStatus.CONFIRMED, None


def _record(job: ErasureJob, now: datetime) -> AuditRecord:
    """Say that the erasure is done that somebody asked for; who it was about is nowhere in the log."""
    actor = Actor(kind=CallerKind(job.actor_kind), id=job.actor_id, request_id="", source_address="")
    return AuditRecord.done(ERASURE_DONE, str(job.id), actor, now=now)
