"""Run the due exports and erasures of all organizations.

Each job is claimed, so that only one worker runs it at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tenancy.errors import UnavailableError
from tenancy.rules.durations import PRIVACY_JOB_RETRY_AFTER
from tenancy.rules.erasures import ErasureJob
from tenancy.rules.exports import ExportJob
from tenancy.rules.register import erased_subject
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.register import Register
from tenancy.stores.clickhouse.client import Client, TenantReader
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.dead_letters.expire import expire_dead_letters
from tenancy.use_cases.homes.find_copies import find_copies
from tenancy.use_cases.privacy.erase_from_dead_letters import erase_from_dead_letters
from tenancy.use_cases.privacy.erase_subject import claim_due_erasure, erase_subject, postpone_erasure
from tenancy.use_cases.privacy.export_pages import ExportSource
from tenancy.use_cases.privacy.write_export import (
    ExportStores,
    claim_due_export,
    delete_expired_export,
    postpone_export,
    write_export,
)
from tenancy.use_cases.schedule.failures import skip_moved


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyJobStores:
    """The stores that jobs use.

    Exports are read as a tenant: by the functions' role and by ClickHouse's reader. *homes* are all databases,
    *platform_db* among them. *homes* is None with one database.
    """

    platform_db: Database
    homes: Homes | None = None
    db: Database
    writer: Callable[[], Client]
    reader: Callable[[], Client]
    exports: Exports
    dead_letters: DeadLetterObjects
    register: Register
    writer_wait: timedelta  # a row becomes visible within this time after its write


@dataclass(slots=True)
class PrivacyJobRun:
    """The numbers of jobs that a run has finished, expired or postponed.

    *erasures* are finished passes. *postponed* jobs need a store that is unreachable. *waiting* erasures wait for the
    end of a move. *letters_expired* are deleted dead letters. *causes* are the errors of postponed erasures.
    """

    erasures: int = 0
    exports: int = 0
    expired: int = 0
    postponed: int = 0
    waiting: int = 0
    letters_expired: int = 0
    causes: list[UnavailableError] = field(default_factory=list)


def run_privacy_jobs(
    stores: PrivacyJobStores, *, has_time: Callable[[], bool], clock: Callable[[], datetime]
) -> PrivacyJobRun:
    """Run due jobs while there is time. The next minute continues.

    Expired exports and dead letters are deleted first. Then data subjects are erased. Then exports are written. Each
    job reads the time from *clock*, because a run may take minutes.

    Raises:
        UnavailableError: the platform's database is unreachable.
    """
    run = PrivacyJobRun()
    while _delete_expired(stores, run, clock) and has_time():
        pass
    _expire_letters(stores, run, has_time, clock)
    _run_due_erasures(stores, run, has_time, clock)
    while has_time() and (export := claim_due_export(stores.platform_db, now=clock())):
        with skip_moved():
            _export(stores, export, run, has_time, clock)
    return run


def run_due_erasures(
    stores: PrivacyJobStores, *, has_time: Callable[[], bool], clock: Callable[[], datetime]
) -> PrivacyJobRun:
    """Run the due erasures of data subjects alone, while there is time.

    Raises:
        UnavailableError: the platform's database is unreachable.
    """
    run = PrivacyJobRun()
    _run_due_erasures(stores, run, has_time, clock)
    return run


def _run_due_erasures(
    stores: PrivacyJobStores, run: PrivacyJobRun, has_time: Callable[[], bool], clock: Callable[[], datetime]
) -> None:
    while has_time() and (erasure := claim_due_erasure(stores.platform_db, now=clock())):
        with skip_moved():
            _erase(stores, erasure, run, has_time, clock)


def _delete_expired(stores: PrivacyJobStores, run: PrivacyJobRun, clock: Callable[[], datetime]) -> bool:
    """Delete the files of one expired export, and return whether there may be another."""
    export_stores = ExportStores(platform_db=stores.platform_db, exports=stores.exports)
    try:
        is_deleted = delete_expired_export(export_stores, now=clock())
    except UnavailableError:
        run.postponed += 1
        return False
    run.expired += is_deleted
    return is_deleted


def _expire_letters(
    stores: PrivacyJobStores, run: PrivacyJobRun, has_time: Callable[[], bool], clock: Callable[[], datetime]
) -> None:
    try:
        expiry = expire_dead_letters(stores.platform_db, stores.dead_letters, has_time=has_time, now=clock())
    except UnavailableError:
        run.postponed += 1
        return
    run.letters_expired += expiry.deleted
    run.postponed += bool(expiry.kept)


def _erase(
    stores: PrivacyJobStores,
    job: ErasureJob,
    run: PrivacyJobRun,
    has_time: Callable[[], bool],
    clock: Callable[[], datetime],
) -> None:
    """Run one turn of an erasure.

    First the register gets the subject. The erasure is postponed while a move of the organization is unfinished. While
    dead letters are left, the job is due again at once: another organization has its turn first.
    """
    is_searched, failures = False, list[UnavailableError]()
    try:
        stores.register.put(erased_subject(job))
        if stores.homes is not None and find_copies(stores.homes, job.organization_id):
            postpone_erasure(stores.platform_db, job, due_at=clock() + PRIVACY_JOB_RETRY_AFTER)
            run.waiting += 1
            return
    except UnavailableError as error:
        failures.append(error)
    else:
        is_searched = _erase_registered(stores, job, run, has_time, clock, failures)
    if failures:
        postpone_erasure(stores.platform_db, job, due_at=clock() + PRIVACY_JOB_RETRY_AFTER)
        run.causes += failures
        run.postponed += 1
    elif not is_searched:
        postpone_erasure(stores.platform_db, job, due_at=clock())


def _erase_registered(
    stores: PrivacyJobStores,
    job: ErasureJob,
    run: PrivacyJobRun,
    has_time: Callable[[], bool],
    clock: Callable[[], datetime],
    failures: list[UnavailableError],
) -> bool:
    """Erase from dead letters and from the other stores, and return whether all dead letters were searched.

    Neither waits for the other. Their errors are added to *failures*.
    """
    is_searched = False
    try:
        is_searched = erase_from_dead_letters(
            stores.platform_db, stores.dead_letters, job, writer_wait=stores.writer_wait, has_time=has_time, clock=clock
        )
    except UnavailableError as error:
        failures.append(error)
    try:
        run.erasures += _erase_subject(stores, job, clock, is_last_turn=is_searched)
    except UnavailableError as error:
        failures.append(error)
    return is_searched


def _erase_subject(
    stores: PrivacyJobStores, job: ErasureJob, clock: Callable[[], datetime], *, is_last_turn: bool
) -> bool:
    return erase_subject(
        stores.platform_db,
        stores.writer(),
        stores.exports,
        job,
        is_last_turn=is_last_turn,
        writer_wait=stores.writer_wait,
        clock=clock,
    )


def _export(
    stores: PrivacyJobStores,
    job: ExportJob,
    run: PrivacyJobRun,
    has_time: Callable[[], bool],
    clock: Callable[[], datetime],
) -> None:
    export_stores = ExportStores(platform_db=stores.platform_db, exports=stores.exports)
    try:
        reader = TenantReader(stores.reader(), job.organization_id)
        source = ExportSource(db=stores.db, reader=reader, organization_id=job.organization_id)
        run.exports += write_export(export_stores, source, job, has_time=has_time, clock=clock)
    except UnavailableError:
        postpone_export(stores.platform_db, job, due_at=clock() + PRIVACY_JOB_RETRY_AFTER)
        run.postponed += 1
