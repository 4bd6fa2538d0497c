"""Request the erasure of a data subject, read its state, and list all."""

from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import ConflictError, NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.cursors import Page, PagedList, TimePosition
from tenancy.rules.erasures import MAX_PENDING_ERASURES, DataSubject, Erasure
from tenancy.rules.tenant import Tenant
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.erasures import count_pending_erasures, find_erasure, insert_erasure, list_erasures
from tenancy.stores.postgres.homes import Homes

ERASURE_REQUESTED: Final = "erasure.requested"


def request_erasure(db: Homes, tenant: Tenant, subject: DataSubject, actor: Actor, *, now: datetime) -> Erasure:
    """Request the erasure of all data that the organization has of *subject* by *now*.

    Raises:
        ConflictError: the organization has too many pending erasures.
        UnavailableError: the database is unreachable. Nothing was requested.
    """
    organization_id, erasure_id = tenant.organization_id, uuid4()
    with db.tenant_transaction(organization_id) as conn:
        if count_pending_erasures(conn, organization_id) >= MAX_PENDING_ERASURES:
            limit = f"{MAX_PENDING_ERASURES} erasures are pending, which is the limit."
            raise ConflictError(f"{limit} Retry when one of them is done.")
        insert_erasure(conn, organization_id, erasure_id, actor, subject=subject, now=now)
        insert_audit_record(conn, organization_id, AuditRecord.done(ERASURE_REQUESTED, str(erasure_id), actor, now=now))
        return _get_erasure(conn, organization_id, erasure_id)


def read_erasure(db: Homes, tenant: Tenant, erasure_id: UUID) -> Erasure:
    """Return an erasure.

    Raises:
        NotFoundError: the organization has no erasure of that id.
        UnavailableError: the database is unreachable.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        return _get_erasure(conn, tenant.organization_id, erasure_id)


def list_erasure_page(db: Homes, tenant: Tenant, *, cursor: str | None, limit: int) -> Page[Erasure]:
    """Return at most *limit* erasures of the organization after *cursor*, newest first.

    Raises:
        InvalidError: the cursor is invalid.
        UnavailableError: the database is unreachable.
    """
    listed = PagedList(name="erasures", organization_id=tenant.organization_id, position=TimePosition)
    before = listed.find_position(cursor)
    with db.tenant_transaction(tenant.organization_id) as conn:
        erasures = list_erasures(conn, tenant.organization_id, before=before, limit=limit + 1)
    return Page.of(erasures, limit, lambda each: listed.format_cursor(TimePosition.of(each.requested_at, each.id)))


def _get_erasure(conn: Connection, organization_id: UUID, erasure_id: UUID) -> Erasure:
    erasure = find_erasure(conn, organization_id, erasure_id)
    if erasure is None:
        raise NotFoundError("There is no such erasure.")
    return erasure
