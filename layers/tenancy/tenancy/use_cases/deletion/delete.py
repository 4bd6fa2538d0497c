"""Delete an organization so that it can be brought back for a while, and bring it back (decision 7)."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.errors import ErasedError, NotDeletedError
from tenancy.rules.audit_record import Actor, Outcome, Record
from tenancy.rules.organization import CHANGEABLE, Organization, Status
from tenancy.rules.standing import existing
from tenancy.stores.postgres.audit_log import insert_record
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.platform.deletions import find_deletion, insert_mails, update_deleted, update_restored
from tenancy.stores.postgres.platform.organizations import lock_organization
from tenancy.stores.postgres.platform.outbox import insert_effect
from tenancy.use_cases.admission.change_standing import Changed, owe_publication
from tenancy.use_cases.outbox.effects import Kind, World, drain, finish

DELETED: Final = "organization.deleted"
RESTORED: Final = "organization.restored"


def delete_organization(
    platform_db: Database,
    world: World,
    organization_id: UUID,
    reason: str,
    actor: Actor,
    *,
    grace: timedelta,
    now: datetime,
) -> Changed:
    """Mark the organization as deleted, and return it; it is erased after the *grace*.

    Its people's tokens end and its keys sleep as soon as it is published. One execution is started for this deletion;
    all of that and the mails to all users are owed from the commit on, and the sweep does what a crash left. A second
    time changes nothing, and publishes again.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: it is being erased, or was.
        UnavailableError: the database is away; the same call again finds out, or does it.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = _not_ending(conn, organization_id)
        if organization.status in CHANGEABLE:
            organization = update_deleted(conn, organization_id, reason=reason, now=now, purge_at=now + grace)
            _owe_execution(conn, organization_id, now)
            _owe_mails(conn, organization, Kind.DELETION_MAIL, now)
            insert_record(conn, organization_id, _record(DELETED, organization_id, actor, now))
        publication = owe_publication(conn, organization_id, now=now)
    is_published = finish(platform_db, world, publication, now=now)
    drain(platform_db, world, now=now, organization_id=organization_id, kind=Kind.DELETION_EXECUTION)
    return Changed(organization=organization, is_published=is_published)


def restore_organization(
    platform_db: Database, world: World, organization_id: UUID, actor: Actor, *, now: datetime
) -> Changed:
    """Undo the organization's deletion, and return it: the same data and keys, in the status that it had before.

    Its people log in again. The execution that waits finds itself overtaken.

    Raises:
        NotFoundError: there is no such organization.
        NotDeletedError: it is not deleted.
        ErasedError: it is being erased, or was.
        UnavailableError: the database is away; the same call again finds out, or does it.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        organization = _not_ending(conn, organization_id)
        was_deleted = organization.status is Status.DELETED
        if was_deleted:
            organization = update_restored(conn, organization_id, now=now)
            _owe_mails(conn, organization, Kind.RESTORED_MAIL, now)
            insert_record(conn, organization_id, _record(RESTORED, organization_id, actor, now))
        publication = owe_publication(conn, organization_id, now=now)  # for a retry as well
    is_published = finish(platform_db, world, publication, now=now)
    if not was_deleted:
        raise NotDeletedError(f"The organization is {organization.status}.")
    return Changed(organization=organization, is_published=is_published)


def _not_ending(conn: Connection, organization_id: UUID) -> Organization:
    organization = existing(lock_organization(conn, organization_id))
    if organization.status is Status.ERASING:
        raise ErasedError("The organization is being erased.")
    return organization


def _owe_execution(conn: Connection, organization_id: UUID, now: datetime) -> None:
    deletion = find_deletion(conn, organization_id)
    if deletion is not None:
        payload = {"generation": deletion.generation, "purge_at": deletion.purge_at.isoformat()}
        insert_effect(conn, organization_id, Kind.DELETION_EXECUTION, payload, due_at=now)


def _owe_mails(conn: Connection, organization: Organization, kind: Kind, now: datetime) -> None:
    payload = {"organization_name": organization.name, "status": organization.status.value}
    if organization.deleted_at is not None and organization.purge_at is not None:
        payload["deleted_at"] = f"{organization.deleted_at:%Y-%m-%d %H:%M} UTC"
        payload["purge_at"] = f"{organization.purge_at:%Y-%m-%d %H:%M} UTC"
    insert_mails(conn, organization.id, kind, payload, due_at=now)


def _record(action: str, organization_id: UUID, actor: Actor, now: datetime) -> Record:
    return Record(occurred_at=now, actor=actor, action=action, outcome=Outcome.DONE, target=str(organization_id))
