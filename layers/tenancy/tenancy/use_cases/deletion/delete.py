"""Delete an organization, and restore it within the grace period before its erasure.

Reasons: docs/decisions/0007-deletion.md.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.errors import ErasedError, NotDeletedError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.organization import CHANGEABLE, Organization, OrganizationStatus
from tenancy.rules.register import marked_deletion, undone_deletion
from tenancy.rules.standing import require_existing
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.deletions import get_deletion, insert_mails, update_deleted, update_restored
from tenancy.stores.postgres.platform.organizations import lock_organization
from tenancy.stores.postgres.platform.outbox import OutboxEntry, insert_outbox_entry
from tenancy.use_cases.admission.enqueue_publication import ChangedOrganization, enqueue_publication
from tenancy.use_cases.outbox.enqueue_registration import enqueue_registration
from tenancy.use_cases.outbox.run_entries import OutboxKind, OutboxTargets, run_due_entries, run_entry

DELETED: Final = "organization.deleted"
RESTORED: Final = "organization.restored"


def delete_organization(
    platform_db: Homes,
    targets: OutboxTargets,
    organization_id: UUID,
    reason: str,
    actor: Actor,
    *,
    grace: timedelta,
    now: datetime,
) -> ChangedOrganization:
    """Mark the organization as deleted and return it. The erasure starts after *grace*.

    Once the change is published, the tokens of its members are invalid and its keys are refused. The deletion has one
    execution. The execution, the publication and the mails to all members are outbox entries of the same transaction:
    the sweep runs the entries that a crash left. A second call changes nothing and publishes again.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: the organization is being erased, or was erased.
        UnavailableError: the database is unreachable. The deletion may be committed. A retry is safe.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = _lock_existing(conn, organization_id)
        if organization.status in CHANGEABLE:
            organization = update_deleted(conn, organization_id, reason=reason, now=now, purge_at=now + grace)
            enqueue_execution(conn, organization_id, now=now)
            _enqueue_mails(conn, organization, OutboxKind.DELETION_MAIL, now)
            insert_audit_record(conn, organization_id, AuditRecord.done(DELETED, str(organization_id), actor, now=now))
        registration = _enqueue_mark(conn, organization_id, now)
        publication = enqueue_publication(conn, organization_id, now=now)
    is_published = run_entry(platform_db, targets, publication, now=now)
    run_entry(platform_db, targets, registration, now=now)
    run_due_entries(
        platform_db.of(organization_id),
        targets,
        now=now,
        organization_id=organization_id,
        kind=OutboxKind.DELETION_EXECUTION,
    )
    return ChangedOrganization(organization=organization, is_published=is_published)


def restore_organization(
    platform_db: Homes, targets: OutboxTargets, organization_id: UUID, actor: Actor, *, now: datetime
) -> ChangedOrganization:
    """Undo the organization's deletion and return it with its former status, data and keys.

    Access tokens that were issued before the deletion stay invalid. The waiting execution ends as overtaken.

    Raises:
        NotFoundError: there is no such organization.
        NotDeletedError: the organization is not deleted.
        ErasedError: the organization is being erased, or was erased.
        UnavailableError: the database is unreachable. The restore may be committed. A retry is safe.
    """
    registration = None
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = _lock_existing(conn, organization_id)
        was_deleted = organization.status is OrganizationStatus.DELETED
        if was_deleted:
            undone = undone_deletion(organization_id, get_deletion(conn, organization_id).generation)
            registration = enqueue_registration(conn, organization_id, undone, now=now)
            organization = update_restored(conn, organization_id, now=now)
            _enqueue_mails(conn, organization, OutboxKind.RESTORED_MAIL, now)
            insert_audit_record(conn, organization_id, AuditRecord.done(RESTORED, str(organization_id), actor, now=now))
        publication = enqueue_publication(conn, organization_id, now=now)  # a retry after a crash publishes, too
    is_published = run_entry(platform_db, targets, publication, now=now)
    if registration is not None:
        run_entry(platform_db, targets, registration, now=now)
    if not was_deleted:
        raise NotDeletedError(f"{organization.status.sentence} Only a deleted one can be restored.")
    return ChangedOrganization(organization=organization, is_published=is_published)


def _lock_existing(conn: Connection, organization_id: UUID) -> Organization:
    organization = require_existing(lock_organization(conn, organization_id))
    if organization.status is OrganizationStatus.ERASING:
        raise ErasedError("The organization is being erased.")
    return organization


def enqueue_execution(conn: Connection, organization_id: UUID, *, now: datetime) -> None:
    """Insert an outbox entry for the execution of the organization's deletion."""
    deletion = get_deletion(conn, organization_id)
    payload = {"generation": deletion.generation, "purge_at": deletion.purge_at.isoformat()}
    insert_outbox_entry(conn, organization_id, OutboxKind.DELETION_EXECUTION, payload, due_at=now)


def _enqueue_mark(conn: Connection, organization_id: UUID, now: datetime) -> OutboxEntry:
    """Enqueue the entry of the deletion in the register. Without it a restored backup would revive the keys."""
    deletion = get_deletion(conn, organization_id)
    entry = marked_deletion(organization_id, deletion.generation, purge_at=deletion.purge_at)
    return enqueue_registration(conn, organization_id, entry, now=now)


def _enqueue_mails(conn: Connection, organization: Organization, kind: OutboxKind, now: datetime) -> None:
    payload = {"organization_name": organization.name, "status": organization.status.value}
    if organization.deleted_at is not None and organization.purge_at is not None:
        payload["deleted_at"] = f"{organization.deleted_at:%Y-%m-%d %H:%M} UTC"
        payload["purge_at"] = f"{organization.purge_at:%Y-%m-%d %H:%M} UTC"
    insert_mails(conn, organization.id, kind, payload, due_at=now)
