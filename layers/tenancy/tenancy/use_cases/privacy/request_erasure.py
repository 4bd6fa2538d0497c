"""Request the erasure of a data subject, and read its state."""

from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import ConflictError, NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.erasures import MAX_PENDING_ERASURES, DataSubject, Erasure
from tenancy.rules.tenant import Tenant
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.erasures import count_pending_erasures, find_erasure, insert_erasure

ERASURE_REQUESTED: Final = "erasure.requested"


def request_erasure(db: Database, tenant: Tenant, subject: DataSubject, actor: Actor, *, now: datetime) -> Erasure:
    """Ask for the erasure of *subject* from all that the organization has of it by *now*.

    Raises:
        ConflictError: too many of the organization's are pending.
        UnavailableError: the database is away; nothing was asked for.
    """
    organization_id, erasure_id = tenant.organization_id, uuid4()
    with db.tenant_transaction(organization_id) as conn:
        if count_pending_erasures(conn, organization_id) >= MAX_PENDING_ERASURES:
            raise ConflictError(f"{MAX_PENDING_ERASURES} erasures are pending: ask again when some of them are done.")
        insert_erasure(conn, organization_id, erasure_id, actor, subject=subject, now=now)
        insert_audit_record(conn, organization_id, AuditRecord.done(ERASURE_REQUESTED, str(erasure_id), actor, now=now))
        return _get_erasure(conn, organization_id, erasure_id)


def read_erasure(db: Database, tenant: Tenant, erasure_id: UUID) -> Erasure:
    """Return an erasure.

    Raises:
        NotFoundError: the organization has no erasure of that id.
        UnavailableError: the database is away.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        return _get_erasure(conn, tenant.organization_id, erasure_id)


def _get_erasure(conn: Connection, organization_id: UUID, erasure_id: UUID) -> Erasure:
    erasure = find_erasure(conn, organization_id, erasure_id)
    if erasure is None:
        raise NotFoundError("There is no such erasure.")
    return erasure
