"""The audit log: list its entries and verify its chain."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.gateway.answer_types import PageAnswer
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.audit import (
    CSV,
    CSV_HEADERS,
    AuditEntryAnswer,
    AuditQuery,
    VerificationAnswer,
    VerifyQuery,
    entries_answer,
    verification_document,
    without_operators_addresses,
)
from tenancy.gateway.parameters import Id
from tenancy.gateway.resolver import api, tenant_of
from tenancy.gateway.rights import for_operators, for_tenants
from tenancy.rules.audit_chain import AuditEntry
from tenancy.rules.cursors import Page
from tenancy.rules.permissions import AUDIT_READ
from tenancy.settings import Settings
from tenancy.use_cases.audit.read_audit import list_audit_entries, verify_audit_log
from tenancy.wiring import Wiring

settings = Settings.from_env(
    "API_HOST", "AUDIT_QUEUE_URL", "BASE_DOMAIN", "REDIS_PATIENCE_MS", "SIGNING_KEY_ID", "UPGRADE_URL"
)
wiring = Wiring(settings)
db, signer = wiring.database, wiring.signer
app = api()


@app.get("/audit")
@for_tenants(AUDIT_READ)
@answers(PageAnswer[AuditEntryAnswer], media_types=(CSV,), headers=CSV_HEADERS)
def list_own(query: Annotated[AuditQuery, Query()]) -> Response[str]:
    """List the audit log of the caller's organization, newest entry first."""
    tenant = tenant_of(app)
    return answer_page(without_operators_addresses(read_page(tenant.organization_id, query)), query)


@app.get("/audit/verify")
@for_tenants(AUDIT_READ)
@answers(VerificationAnswer)
def verify_own(query: Annotated[VerifyQuery, Query()]) -> dict[str, Any]:
    """Verify the audit log of the caller's organization."""
    return answer_verification(tenant_of(app).organization_id, query)


@app.get("/organizations/<organization_id>/audit")
@for_operators
@answers(PageAnswer[AuditEntryAnswer], media_types=(CSV,), headers=CSV_HEADERS)
def list_one(organization_id: Id, query: Annotated[AuditQuery, Query()]) -> Response[str]:
    """List the audit log of one organization for the operator, newest entry first."""
    return answer_page(read_page(organization_id, query), query)


@app.get("/organizations/<organization_id>/audit/verify")
@for_operators
@answers(VerificationAnswer)
def verify_one(organization_id: Id, query: Annotated[VerifyQuery, Query()]) -> dict[str, Any]:
    """Verify the audit log of one organization for the operator."""
    return answer_verification(organization_id, query)


def read_page(organization_id: UUID, query: AuditQuery) -> Page[AuditEntry]:
    """Return the page of a log that *query* selects."""
    return list_audit_entries(db, organization_id, query.selection(), cursor=query.cursor, limit=query.page_size())


def answer_page(page: Page[AuditEntry], query: AuditQuery) -> Response[str]:
    """Return *page* in the format that *query* asks for: JSON or CSV."""
    content_type, headers, body = entries_answer(page, query)
    return Response(HTTPStatus.OK, content_type, body, headers)


def answer_verification(organization_id: UUID, query: VerifyQuery) -> dict[str, Any]:
    """Verify a log and return the result."""
    return verification_document(verify_audit_log(db, signer, organization_id, after=query.link()))


handler = wiring.handler(app, db)
