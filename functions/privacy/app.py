"""Privacy: export an organization's data, erase a data subject, show and list both."""

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.errors import ConflictError
from tenancy.gateway.answer_types import PageAnswer
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.erasures import ErasureAnswer, NewErasure, erasure_document
from tenancy.gateway.documents.exports import ExportAnswer, export_document
from tenancy.gateway.nearest_reads import nearest
from tenancy.gateway.pages import page_document
from tenancy.gateway.parameters import Cursor, Id, WholeNumber
from tenancy.gateway.recorded_reads import recorded
from tenancy.gateway.resolver import api, request_of, tenant_of
from tenancy.gateway.rights import for_tenants
from tenancy.gateway.trail import actor_of
from tenancy.rules.cursors import MAX_PAGE
from tenancy.rules.permissions import ERASURES_WRITE, EXPORTS_WRITE
from tenancy.settings import Settings
from tenancy.use_cases.privacy.request_erasure import list_erasure_page, read_erasure, request_erasure
from tenancy.use_cases.privacy.request_export import ExportWithLinks, list_export_page, read_export, request_export
from tenancy.wiring import Wiring

settings = Settings.from_env(
    "API_HOST", "AUDIT_QUEUE_URL", "BASE_DOMAIN", "EXPORTS_BUCKET", "REDIS_PATIENCE_MS", "UPGRADE_URL"
)
wiring = Wiring(settings)
db, links, reads = wiring.database, wiring.export_links, wiring.nearest_reads
app = api()


@app.post("/exports")
@for_tenants(EXPORTS_WRITE)
@answers(ExportAnswer, status=HTTPStatus.ACCEPTED)
def start_export() -> tuple[dict[str, Any], int]:
    """Request an export of all of the organization's data."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    export = request_export(db, tenant, actor_of(request_of(app), tenant), now=now)
    return export_document(ExportWithLinks(export=export), now=now), HTTPStatus.ACCEPTED


@app.get("/exports")
@for_tenants(EXPORTS_WRITE)
@answers(PageAnswer[ExportAnswer])
@recorded
def list_exports(
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """List the organization's exports, newest first."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    page = list_export_page(db, links, tenant, now=now, cursor=cursor, limit=limit)
    return page_document(page, partial(export_document, now=now))


@app.get("/exports/<export_id>")
@for_tenants(EXPORTS_WRITE)
@answers(ExportAnswer)
@recorded
def show_export(
    export_id: Id,
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """Show an export and one page of its files with new links."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    return export_document(read_export(db, links, tenant, export_id, now=now, cursor=cursor, limit=limit), now=now)


@app.post("/erasures")
@for_tenants(ERASURES_WRITE)
@answers(ErasureAnswer, ConflictError, status=HTTPStatus.ACCEPTED)
def start_erasure(body: NewErasure) -> tuple[dict[str, Any], int]:
    """Request the erasure of a data subject."""
    tenant, now = tenant_of(app), datetime.now(UTC)
    erasure = request_erasure(db, tenant, body.subject(), actor_of(request_of(app), tenant), now=now)
    return erasure_document(erasure), HTTPStatus.ACCEPTED


@app.get("/erasures")
@for_tenants(ERASURES_WRITE)
@answers(PageAnswer[ErasureAnswer])
@nearest
def list_erasures(
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """List the organization's erasures of data subjects, newest first."""
    tenant = tenant_of(app)
    page = reads.read(app, lambda near: list_erasure_page(near, tenant, cursor=cursor, limit=limit))
    return page_document(page, erasure_document)


@app.get("/erasures/<erasure_id>")
@for_tenants(ERASURES_WRITE)
@answers(ErasureAnswer)
@nearest
def show_erasure(erasure_id: Id) -> dict[str, Any]:
    """Show the state of an erasure."""
    tenant = tenant_of(app)
    return erasure_document(reads.read(app, lambda near: read_erasure(near, tenant, erasure_id)))


handler = wiring.handler(app, db, reads)
