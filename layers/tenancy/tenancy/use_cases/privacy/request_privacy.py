"""An organization asks for its data, or for the erasure of a data subject, and sees what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import ConflictError, NotFoundError
from tenancy.rules.audit_record import Actor, AuditOutcome, AuditRecord
from tenancy.rules.durations import EXPORT_LINK_LIFETIME
from tenancy.rules.privacy import (
    MAX_PENDING_ERASURES,
    DataSubject,
    Erasure,
    Export,
    ExportFile,
    ExportStatus,
    manifest_name,
)
from tenancy.rules.tenant import Tenant
from tenancy.stores.aws.exports import Exports
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.privacy import (
    count_pending_erasures,
    find_erasure,
    find_export,
    find_pending_export,
    insert_erasure,
    insert_export,
    list_export_files,
)

EXPORT_REQUESTED: Final = "export.requested"
ERASURE_REQUESTED: Final = "erasure.requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWithLinks:
    """An export, and as long as its files are kept a link to the manifest, and to each file of a page.

    *next_cursor* is None on the last page.
    """

    export: Export
    manifest: str | None = None
    files: Mapping[ExportFile, str] = field(default_factory=dict)
    next_cursor: int | None = None


def request_export(db: Database, tenant: Tenant, actor: Actor, *, now: datetime) -> Export:
    """Ask for an export of all of the organization's data; while one is pending, that one is what is asked for.

    Raises:
        UnavailableError: the database is away; nothing was asked for.
    """
    organization_id = tenant.organization_id
    with db.tenant_transaction(organization_id) as conn:
        pending = find_pending_export(conn, organization_id)
        if pending is not None:
            return pending
        export_id = uuid4()
        insert_export(conn, organization_id, export_id, actor, now=now)
        insert_audit_record(conn, organization_id, _record(EXPORT_REQUESTED, export_id, actor, now))
        return _get_export(conn, organization_id, export_id)


def read_export(
    db: Database, exports: Exports, tenant: Tenant, export_id: UUID, *, now: datetime, cursor: int, limit: int
) -> ExportWithLinks:
    """Return an export, and at most *limit* of its files after *cursor* with new links, as long as they are kept.

    Raises:
        NotFoundError: the organization has no export of that id.
        UnavailableError: the database is away, or nothing can be signed.
    """
    organization_id = tenant.organization_id
    with db.tenant_transaction(organization_id) as conn:
        export = _get_export(conn, organization_id, export_id)
        files = list_export_files(conn, organization_id, export_id, after=cursor, limit=limit + 1)
    if export.status is not ExportStatus.DONE or export.expires_at is None or export.expires_at <= now:
        return ExportWithLinks(export=export)
    valid_for = min(EXPORT_LINK_LIFETIME, export.expires_at - now)
    return ExportWithLinks(
        export=export,
        manifest=exports.link(organization_id, manifest_name(export_id, export.generation), valid_for=valid_for),
        files={file: exports.link(organization_id, file.name, valid_for=valid_for) for file in files[:limit]},
        next_cursor=cursor + limit if len(files) > limit else None,
    )


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
        insert_audit_record(conn, organization_id, _record(ERASURE_REQUESTED, erasure_id, actor, now))
        return _get_erasure(conn, organization_id, erasure_id)


def read_erasure(db: Database, tenant: Tenant, erasure_id: UUID) -> Erasure:
    """Return an erasure.

    Raises:
        NotFoundError: the organization has no erasure of that id.
        UnavailableError: the database is away.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        return _get_erasure(conn, tenant.organization_id, erasure_id)


def _get_export(conn: Connection, organization_id: UUID, export_id: UUID) -> Export:
    export = find_export(conn, organization_id, export_id)
    if export is None:
        raise NotFoundError("There is no such export.")
    return export


def _get_erasure(conn: Connection, organization_id: UUID, erasure_id: UUID) -> Erasure:
    erasure = find_erasure(conn, organization_id, erasure_id)
    if erasure is None:
        raise NotFoundError("There is no such erasure.")
    return erasure


def _record(action: str, job_id: UUID, actor: Actor, now: datetime) -> AuditRecord:
    """Say what was asked for; of a data subject nothing but the job's id."""
    return AuditRecord(occurred_at=now, actor=actor, action=action, outcome=AuditOutcome.DONE, target=str(job_id))
