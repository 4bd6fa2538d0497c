"""Repeat deletions, and their undoing, which a restored backup does not know."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.audit_record import AuditRecord
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.register import RegisteredChanges
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.deletions import update_deleted, update_restored
from tenancy.stores.postgres.platform.organizations import lock_organization
from tenancy.stores.postgres.platform.restored import get_generation, update_generation
from tenancy.use_cases.deletion.delete import DELETED, RESTORED, enqueue_execution
from tenancy.use_cases.restore.erase_again import GONE
from tenancy.use_cases.restore.restorer import RESTORER

REASON: Final = "Deleted before the restore from a backup."


def mark_again(platform_db: Homes, changes: RegisteredChanges, known: Mapping[str, UUID], *, now: datetime) -> int:
    """Mark organizations as deleted, or as not deleted, as they were before the loss. Return their number.

    *known* are the organizations by digest. The end of the grace period stays. No mail is sent.
    """
    marked = 0
    for organization in changes.deletions.keys() | changes.undone.keys():
        if organization in known and organization not in changes.organizations:
            marked += _mark(platform_db, changes, organization, known[organization], now)
    return marked


def _mark(platform_db: Homes, changes: RegisteredChanges, digest: str, organization_id: UUID, now: datetime) -> bool:
    generation, purge_at = changes.last_deletion(digest)
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = lock_organization(conn, organization_id)
        if organization is None or organization.status in GONE:
            return False
        is_deleted, stored = organization.status is OrganizationStatus.DELETED, get_generation(conn, organization_id)
        if purge_at is None and not (is_deleted and stored <= generation):
            return False
        if purge_at is not None and stored >= generation:
            return False
        if is_deleted:
            update_restored(conn, organization_id, now=now)
        if purge_at is None:
            update_generation(conn, organization_id, generation)
        else:
            _delete(conn, organization_id, generation, purge_at, now)
        action = RESTORED if purge_at is None else DELETED
        insert_audit_record(conn, organization_id, AuditRecord.done(action, str(organization_id), RESTORER, now=now))
    return True


def _delete(conn: Connection, organization_id: UUID, generation: int, purge_at: datetime, now: datetime) -> None:
    """Mark the organization as deleted, with the generation that its execution in Step Functions has."""
    update_generation(conn, organization_id, generation - 1)
    update_deleted(conn, organization_id, reason=REASON, now=now, purge_at=purge_at)
    enqueue_execution(conn, organization_id, now=now)
