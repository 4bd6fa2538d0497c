"""Erase the data subjects of the register again."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import AuditRecord
from tenancy.rules.durations import REPLAYED_ERASURE_TIME
from tenancy.rules.register import RegisteredErasure
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.erasures import insert_erasure
from tenancy.stores.postgres.platform.deletions import list_erasing
from tenancy.stores.postgres.platform.restored import list_uncovered, reset_erasure
from tenancy.use_cases.deletion.erase import RowsLeftError
from tenancy.use_cases.privacy.request_erasure import ERASURE_REQUESTED
from tenancy.use_cases.restore.restorer import RESTORER
from tenancy.use_cases.schedule.privacy_jobs import PrivacyJobStores, run_due_erasures

type Pause = Callable[[Sequence[UUID]], None]


def erase_subjects_again(
    stores: PrivacyJobStores,
    subjects: Mapping[UUID, Sequence[RegisteredErasure]],
    *,
    clock: Callable[[], datetime],
    pause: Pause,
) -> int:
    """Let the erasures look at all rows again, run these passes, and return their number.

    Later passes follow as usual, once the restored databases serve. Organizations that are erased have no subjects.
    *pause* gets the erasures that wait for rows that were written a moment before the backup, and sleeps.

    Raises:
        UnavailableError: a store is unreachable. A further call repeats all of them.
        RowsLeftError: rows are left, although they are old enough. ClickHouse may have ignored a DELETE.
    """
    with stores.platform_db.transaction() as conn:
        erased = list_erasing(conn, subjects)
    begun = []
    for organization_id, erasures in subjects.items():
        if organization_id not in erased:
            for erasure in erasures:
                _begin(stores, organization_id, erasure, now=clock())
                begun.append(erasure.id)
    deadline = clock() + stores.writer_wait + REPLAYED_ERASURE_TIME
    while waiting := _run(stores, begun, clock):
        if clock() > deadline:
            raise RowsLeftError(f"clickhouse/events or clickhouse/held_events, of {', '.join(map(str, waiting))}")
        pause(waiting)
    return len(begun)


def _run(stores: PrivacyJobStores, begun: Sequence[UUID], clock: Callable[[], datetime]) -> list[UUID]:
    """Run the due erasures, and return those of *begun* that are not finished."""
    run = run_due_erasures(stores, has_time=lambda: True, clock=clock)
    if run.postponed:
        raise UnavailableError("A store is unreachable. Erasures of data subjects are postponed.")
    with stores.platform_db.transaction() as conn:
        return list_uncovered(conn, begun)


def _begin(stores: PrivacyJobStores, organization_id: UUID, erasure: RegisteredErasure, *, now: datetime) -> None:
    record = AuditRecord.done(ERASURE_REQUESTED, str(erasure.id), RESTORER, now=now)
    with stores.platform_db.tenant_transaction(organization_id) as conn:
        is_known = reset_erasure(conn, organization_id, erasure.id, erasure.subject)
    if not is_known:
        _insert(stores.db, organization_id, erasure, record)


def _insert(db: Database, organization_id: UUID, erasure: RegisteredErasure, record: AuditRecord) -> None:
    """Insert an erasure that the restored database lacks, as a request does. It is due at once."""
    with db.tenant_transaction(organization_id) as conn:
        insert_erasure(conn, organization_id, erasure.id, RESTORER, subject=erasure.subject, now=erasure.requested_at)
        insert_audit_record(conn, organization_id, record)
