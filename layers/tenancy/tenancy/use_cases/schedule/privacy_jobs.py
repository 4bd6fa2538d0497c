"""Every minute: exports and erasures that are due, of all organizations; several workers never do the same one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenancy.errors import UnavailableError
from tenancy.rules.durations import PRIVACY_JOB_RETRY_AFTER
from tenancy.rules.erasures import ErasureJob
from tenancy.rules.exports import ExportJob
from tenancy.stores.aws.exports import Exports
from tenancy.stores.clickhouse.client import Client, TenantReader
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.privacy.erase_subject import claim_due_erasure, erase_subject, postpone_erasure
from tenancy.use_cases.privacy.export_pages import ExportSource
from tenancy.use_cases.privacy.write_export import (
    ExportStores,
    claim_due_export,
    delete_expired_export,
    postpone_export,
    write_export,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyJobStores:
    """What jobs work on. Exports are read with what binds a tenant: the functions' role, and ClickHouse's reader."""

    platform_db: Database
    db: Database
    writer: Callable[[], Client]
    reader: Callable[[], Client]
    exports: Exports
    writer_wait: timedelta  # no row appears that was written longer ago


@dataclass(slots=True)
class PrivacyJobRun:
    """How many passes of erasures and exports came to their end, exports expired, and jobs an outage put off."""

    erasures: int = 0
    exports: int = 0
    expired: int = 0
    put_off: int = 0


def run_privacy_jobs(
    stores: PrivacyJobStores, *, has_time: Callable[[], bool], clock: Callable[[], datetime]
) -> PrivacyJobRun:
    """Do jobs until none is due or the time is over; what is not done, the next minute goes on with.

    Exports that have expired are deleted, then data subjects erased, then exports written.

    Each has times of its own, from *clock*: a run may take minutes.

    Raises:
        UnavailableError: the platform's database is away.
    """
    done = PrivacyJobRun()
    while _expire(stores, done, clock) and has_time():
        pass
    while has_time() and (erasure := claim_due_erasure(stores.platform_db, now=clock())):
        _erase(stores, erasure, done, clock)
    while has_time() and (export := claim_due_export(stores.platform_db, now=clock())):
        _export(stores, export, done, has_time, clock)
    return done


def _expire(stores: PrivacyJobStores, done: PrivacyJobRun, clock: Callable[[], datetime]) -> bool:
    """Delete what one export has left, and say whether there may be another."""
    export_stores = ExportStores(platform_db=stores.platform_db, exports=stores.exports)
    try:
        is_deleted = delete_expired_export(export_stores, now=clock())
    except UnavailableError:
        done.put_off += 1
        return False
    done.expired += is_deleted
    return is_deleted


def _erase(stores: PrivacyJobStores, job: ErasureJob, done: PrivacyJobRun, clock: Callable[[], datetime]) -> None:
    try:
        done.erasures += erase_subject(
            stores.platform_db, stores.writer(), stores.exports, job, writer_wait=stores.writer_wait, clock=clock
        )
    except UnavailableError:
        postpone_erasure(stores.platform_db, job, due_at=clock() + PRIVACY_JOB_RETRY_AFTER)
        done.put_off += 1


def _export(
    stores: PrivacyJobStores,
    job: ExportJob,
    done: PrivacyJobRun,
    has_time: Callable[[], bool],
    clock: Callable[[], datetime],
) -> None:
    export_stores = ExportStores(platform_db=stores.platform_db, exports=stores.exports)
    try:
        reader = TenantReader(stores.reader(), job.organization_id)
        source = ExportSource(db=stores.db, reader=reader, organization_id=job.organization_id)
        done.exports += write_export(export_stores, source, job, has_time=has_time, clock=clock)
    except UnavailableError:
        postpone_export(stores.platform_db, job, due_at=clock() + PRIVACY_JOB_RETRY_AFTER)
        done.put_off += 1
