"""Request an export of the organization's data, read its state and files, and list all."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from tenancy.errors import NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.cursors import Page, TimePosition, invalid_cursor
from tenancy.rules.durations import EXPORT_LINK_LIFETIME
from tenancy.rules.exports import (
    Export,
    ExportFile,
    ExportStatus,
    FilePosition,
    exports_of,
    files_of,
    manifest_name,
)
from tenancy.rules.tenant import Tenant
from tenancy.stores.aws.export_links import ExportLinks
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.exports import (
    find_export,
    find_pending_export,
    insert_export,
    list_export_files,
    list_exports,
)
from tenancy.stores.postgres.homes import Homes

EXPORT_REQUESTED: Final = "export.requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWithLinks:
    """An export with links to its manifest and to one page of its files, until the files expire.

    *next_cursor* is that of the next page of files, None on the last one.
    """

    export: Export
    manifest: str | None = None
    files: Mapping[ExportFile, str] = field(default_factory=dict)
    next_cursor: str | None = None


def request_export(db: Homes, tenant: Tenant, actor: Actor, *, now: datetime) -> Export:
    """Request an export of all of the organization's data, or return its pending export.

    Raises:
        UnavailableError: the database is unreachable. Nothing was requested.
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
    db: Homes, links: ExportLinks, tenant: Tenant, export_id: UUID, *, now: datetime, cursor: str | None, limit: int
) -> ExportWithLinks:
    """Return an export, with new links to at most *limit* of its files after *cursor*.

    An export that is pending, withdrawn or expired has no links.

    Raises:
        InvalidError: the cursor is invalid, or the files were written again since.
        NotFoundError: the organization has no export of that id.
        UnavailableError: the database is unreachable, or links cannot be signed.
    """
    organization_id = tenant.organization_id
    listed = files_of(organization_id, export_id)
    after = listed.find_position(cursor)
    with db.tenant_transaction(organization_id) as conn:
        export = _get_export(conn, organization_id, export_id)
        first = FilePosition(export.generation, after.number if after else 0)
        files = list_export_files(conn, organization_id, export_id, after=first.number, limit=limit + 1)
    if after is not None and after.generation != export.generation:
        raise invalid_cursor()
    valid_for = _links_valid_for(export, now)
    if valid_for is None:
        return ExportWithLinks(export=export)
    last = FilePosition(export.generation, first.number + limit)
    return ExportWithLinks(
        export=export,
        manifest=links.link(organization_id, manifest_name(export_id, export.generation), valid_for=valid_for),
        files={file: links.link(organization_id, file.name, valid_for=valid_for) for file in files[:limit]},
        next_cursor=listed.format_cursor(last) if len(files) > limit else None,
    )


def list_export_page(
    db: Homes, links: ExportLinks, tenant: Tenant, *, now: datetime, cursor: str | None, limit: int
) -> Page[ExportWithLinks]:
    """Return at most *limit* exports of the organization after *cursor*, newest first.

    Each has a new link to its manifest, and the cursor of the first page of its files.

    Raises:
        InvalidError: the cursor is invalid.
        UnavailableError: the database is unreachable, or links cannot be signed.
    """
    organization_id = tenant.organization_id
    listed = exports_of(organization_id)
    before = listed.find_position(cursor)
    with db.tenant_transaction(organization_id) as conn:
        found = list_exports(conn, organization_id, before=before, limit=limit + 1)

    def cursor_after(each: ExportWithLinks) -> str:
        return listed.format_cursor(TimePosition.of(each.export.requested_at, each.export.id))

    page = Page.of([ExportWithLinks(export=each) for each in found], limit, cursor_after)
    return replace(page, rows=[_with_manifest(links, organization_id, each.export, now) for each in page.rows])


def _with_manifest(links: ExportLinks, organization_id: UUID, export: Export, now: datetime) -> ExportWithLinks:
    valid_for = _links_valid_for(export, now)
    if valid_for is None:
        return ExportWithLinks(export=export)
    return ExportWithLinks(
        export=export,
        manifest=links.link(organization_id, manifest_name(export.id, export.generation), valid_for=valid_for),
        next_cursor=files_of(organization_id, export.id).format_cursor(FilePosition(export.generation, 0)),
    )


def _links_valid_for(export: Export, now: datetime) -> timedelta | None:
    """Return the time for which links to the files are valid, None if there are no files."""
    if export.status is not ExportStatus.DONE or export.expires_at is None or export.expires_at <= now:
        return None
    return min(EXPORT_LINK_LIFETIME, export.expires_at - now)


def _get_export(conn: Connection, organization_id: UUID, export_id: UUID) -> Export:
    export = find_export(conn, organization_id, export_id)
    if export is None:
        raise NotFoundError("There is no such export.")
    return export
