"""Request an export of the organization's data, and read its state and files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.durations import EXPORT_LINK_LIFETIME
from tenancy.rules.exports import Export, ExportFile, ExportStatus, manifest_name
from tenancy.rules.tenant import Tenant
from tenancy.stores.aws.exports import Exports
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.exports import find_export, find_pending_export, insert_export, list_export_files

EXPORT_REQUESTED: Final = "export.requested"


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
        insert_audit_record(conn, organization_id, AuditRecord.done(EXPORT_REQUESTED, str(export_id), actor, now=now))
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


def _get_export(conn: Connection, organization_id: UUID, export_id: UUID) -> Export:
    export = find_export(conn, organization_id, export_id)
    if export is None:
        raise NotFoundError("There is no such export.")
    return export
