"""An organization takes its data away, and has a data subject erased: it asks, and sees what became of it."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.gateway.documents.erasures import NewErasure, erasure_document
from tenancy.gateway.documents.exports import export_document
from tenancy.gateway.resolver import api, caller_of, handler_of, request_of
from tenancy.gateway.trail import actor_of
from tenancy.rules.permissions import ERASURES_WRITE, EXPORTS_WRITE
from tenancy.rules.tenant import require_tenant
from tenancy.settings import Settings
from tenancy.use_cases.privacy.request_erasure import read_erasure, request_erasure
from tenancy.use_cases.privacy.request_export import ExportWithLinks, read_export, request_export
from tenancy.wiring import Wiring

MAX_PAGE = 100  # 6 MB is what Lambda answers at most, and a link has 2 KB
MAX_CURSOR = 2**31 - 1

settings = Settings.from_env("AUDIT_QUEUE_URL", "BASE_DOMAIN", "EXPORTS_BUCKET", "REDIS_PATIENCE_MS")
wiring = Wiring(settings)
db, exports = wiring.database, wiring.exports
app = api()


@app.post("/exports")
def export() -> tuple[dict[str, Any], int]:
    """Ask for all of the organization's data."""
    tenant, now = require_tenant(caller_of(app), EXPORTS_WRITE), datetime.now(UTC)
    asked = request_export(db, tenant, actor_of(request_of(app), tenant), now=now)
    return export_document(ExportWithLinks(export=asked), now=now), HTTPStatus.ACCEPTED


@app.get("/exports/<export_id>")
def export_of(
    export_id: UUID,
    cursor: Annotated[int, Query(ge=0, le=MAX_CURSOR)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """Show an export, with new links to its files, a page at a time."""
    tenant, now = require_tenant(caller_of(app), EXPORTS_WRITE), datetime.now(UTC)
    return export_document(read_export(db, exports, tenant, export_id, now=now, cursor=cursor, limit=limit), now=now)


@app.post("/erasures")
def erase(body: NewErasure) -> tuple[dict[str, Any], int]:
    """Ask for the erasure of a data subject."""
    tenant, now = require_tenant(caller_of(app), ERASURES_WRITE), datetime.now(UTC)
    asked = request_erasure(db, tenant, body.subject(), actor_of(request_of(app), tenant), now=now)
    return erasure_document(asked), HTTPStatus.ACCEPTED


@app.get("/erasures/<erasure_id>")
def erasure_of(erasure_id: UUID) -> dict[str, Any]:
    """Show an erasure."""
    tenant = require_tenant(caller_of(app), ERASURES_WRITE)
    return erasure_document(read_erasure(db, tenant, erasure_id))


handler = handler_of(app, base_domain=settings.base_domain, trail=wiring.trail, gate=wiring.gate(lambda: db))
