"""Privacy: export an organization's data, erase a data subject, and show the state of both."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.gateway.documents.erasures import NewErasure, erasure_document
from tenancy.gateway.documents.exports import export_document
from tenancy.gateway.parameters import WholeNumber
from tenancy.gateway.resolver import api, caller_of, handler_of, request_of
from tenancy.gateway.trail import actor_of
from tenancy.rules.permissions import ERASURES_WRITE, EXPORTS_WRITE
from tenancy.rules.tenant import require_tenant
from tenancy.settings import Settings
from tenancy.use_cases.privacy.request_erasure import read_erasure, request_erasure
from tenancy.use_cases.privacy.request_export import ExportWithLinks, read_export, request_export
from tenancy.wiring import Wiring

MAX_PAGE = 100  # Lambda answers at most 6 MB, and a link has 2 KB
MAX_CURSOR = 2**31 - 1

settings = Settings.from_env("AUDIT_QUEUE_URL", "BASE_DOMAIN", "EXPORTS_BUCKET", "REDIS_PATIENCE_MS", "UPGRADE_URL")
wiring = Wiring(settings)
db, exports = wiring.database, wiring.exports
app = api()


@app.post("/exports")
def start_export() -> tuple[dict[str, Any], int]:
    """Request an export of all of the organization's data."""
    tenant, now = require_tenant(caller_of(app), EXPORTS_WRITE), datetime.now(UTC)
    export = request_export(db, tenant, actor_of(request_of(app), tenant), now=now)
    return export_document(ExportWithLinks(export=export), now=now), HTTPStatus.ACCEPTED


@app.get("/exports/<export_id>")
def show_export(
    export_id: UUID,
    cursor: Annotated[WholeNumber, Query(ge=0, le=MAX_CURSOR)] = 0,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """Show an export and one page of its files with new links."""
    tenant, now = require_tenant(caller_of(app), EXPORTS_WRITE), datetime.now(UTC)
    return export_document(read_export(db, exports, tenant, export_id, now=now, cursor=cursor, limit=limit), now=now)


@app.post("/erasures")
def start_erasure(body: NewErasure) -> tuple[dict[str, Any], int]:
    """Request the erasure of a data subject."""
    tenant, now = require_tenant(caller_of(app), ERASURES_WRITE), datetime.now(UTC)
    erasure = request_erasure(db, tenant, body.subject(), actor_of(request_of(app), tenant), now=now)
    return erasure_document(erasure), HTTPStatus.ACCEPTED


@app.get("/erasures/<erasure_id>")
def show_erasure(erasure_id: UUID) -> dict[str, Any]:
    """Show the state of an erasure."""
    tenant = require_tenant(caller_of(app), ERASURES_WRITE)
    return erasure_document(read_erasure(db, tenant, erasure_id))


handler = handler_of(
    app,
    base_domain=settings.base_domain,
    upgrade_url=settings.upgrade_url,
    trail=wiring.trail,
    gate=wiring.gate(lambda: db),
)
