"""Erase the data subjects of the register again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import AuditRecord
from tenancy.rules.register import RegisteredErasure
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.erasures import insert_erasure
from tenancy.stores.postgres.platform.deletions import list_erasing
from tenancy.stores.postgres.platform.restored import count_pending, reset_erasure
from tenancy.use_cases.privacy.request_erasure import ERASURE_REQUESTED
from tenancy.use_cases.restore.restorer import RESTORER
from tenancy.use_cases.schedule.privacy_jobs import PrivacyJobStores, run_due_erasures


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedErasures:
    """The number of restarted erasures, and the number of pending erasures of all organizations."""

    erasures: int
    pending: int


def erase_subjects_again(
    stores: PrivacyJobStores,
    subjects: Mapping[UUID, Sequence[RegisteredErasure]],
    *,
    clock: Callable[[], datetime],
) -> RepeatedErasures:
    """Restart the erasures, as if they were requested now, and run their first passes.

    Later passes follow as usual, once the restored databases serve requests. Erased organizations have no subjects.

    Raises:
        UnavailableError: a store is unreachable. A further call repeats all of them.
    """
    with stores.platform_db.transaction() as conn:
        erased = list_erasing(conn, subjects)
    begun = 0
    for organization_id, erasures in subjects.items():
        if organization_id not in erased:
            for erasure in erasures:
                _begin(stores, organization_id, erasure, now=clock())
                begun += 1
    run = run_due_erasures(stores, has_time=lambda: True, clock=clock)
    if run.postponed:
        raise UnavailableError("A store is unreachable. Erasures of data subjects are postponed.")
    with stores.platform_db.transaction() as conn:
        return RepeatedErasures(erasures=begun, pending=count_pending(conn))


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
