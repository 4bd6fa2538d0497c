"""The audit log: list its entries, verify its chain, and report the compliance of one organization."""

import time
from datetime import UTC, datetime
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
from tenancy.gateway.documents.compliance import (
    HTML,
    REPORT_HEADERS,
    ReportQuery,
    organization_report_document,
    report_answer,
)
from tenancy.gateway.documents.compliance_answers import OrganizationReportAnswer
from tenancy.gateway.nearest_reads import nearest
from tenancy.gateway.parameters import Id
from tenancy.gateway.recorded_reads import recorded
from tenancy.gateway.resolver import api, tenant_of
from tenancy.gateway.rights import for_operators, for_operators_or_own, for_tenants
from tenancy.rules.audit_chain import AuditEntry
from tenancy.rules.cursors import Page
from tenancy.rules.durations import DEPLOYED_SETTINGS_READ_SECONDS
from tenancy.rules.permissions import AUDIT_READ
from tenancy.settings import Settings
from tenancy.use_cases.audit.read_audit import list_audit_entries, verify_audit_log
from tenancy.use_cases.compliance.report_organization import report_organization
from tenancy.wiring import Wiring

settings = Settings.from_env(
    "API_HOST",
    "AUDIT_DEAD_LETTERS_URL",
    "AUDIT_QUEUE_URL",
    "BASE_DOMAIN",
    "DEAD_LETTERS_BUCKET",
    "DEAD_LETTERS_URL",
    "EVENTS_QUEUE_URL",
    "EXPORTS_BUCKET",
    "REDIS_PATIENCE_MS",
    "REGISTER_BUCKET",
    "REJECTED_CALLS_URL",
    "SEALING_KEY_ID",
    "SIGNING_KEY_ID",
    "SSO_KEY_ID",
    "UPGRADE_URL",
)
wiring = Wiring(settings)
db, signer, deployment, reads = wiring.database, wiring.signer, wiring.deployment, wiring.nearest_reads
app = api()


@app.get("/audit")
@for_tenants(AUDIT_READ)
@answers(PageAnswer[AuditEntryAnswer], media_types=(CSV,), headers=CSV_HEADERS)
@nearest
@recorded
def list_own(query: Annotated[AuditQuery, Query()]) -> Response[str]:
    """List the audit log of the caller's organization, newest entry first."""
    tenant = tenant_of(app)
    return answer_page(without_operators_addresses(read_page(tenant.organization_id, query)), query)


@app.get("/audit/verify")
@for_tenants(AUDIT_READ)
@answers(VerificationAnswer)
@recorded
def verify_own(query: Annotated[VerifyQuery, Query()]) -> dict[str, Any]:
    """Verify the audit log of the caller's organization."""
    return answer_verification(tenant_of(app).organization_id, query)


@app.get("/organizations/<organization_id>/audit")
@for_operators
@answers(PageAnswer[AuditEntryAnswer], media_types=(CSV,), headers=CSV_HEADERS)
@nearest
def list_one(organization_id: Id, query: Annotated[AuditQuery, Query()]) -> Response[str]:
    """List the audit log of one organization for the operator, newest entry first."""
    return answer_page(read_page(organization_id, query), query)


@app.get("/organizations/<organization_id>/audit/verify")
@for_operators
@answers(VerificationAnswer)
def verify_one(organization_id: Id, query: Annotated[VerifyQuery, Query()]) -> dict[str, Any]:
    """Verify the audit log of one organization for the operator."""
    return answer_verification(organization_id, query)


@app.get("/organizations/<organization_id>/compliance/report")
@for_operators_or_own(AUDIT_READ)
@answers(OrganizationReportAnswer, media_types=(HTML,), headers=REPORT_HEADERS)
@recorded
def report(organization_id: Id, query: Annotated[ReportQuery, Query()]) -> Response[str]:
    """Return the compliance report of one organization, as JSON or as a page, for the operator or for itself."""
    started_at, now = time.monotonic(), datetime.now(UTC)
    found = report_organization(
        db,
        deployment,
        organization_id,
        query.period(now.date()),
        now=now,
        has_time=lambda: time.monotonic() < started_at + DEPLOYED_SETTINGS_READ_SECONDS,
    )
    return report_answer("Compliance report of an organization", organization_report_document(found), query)


def read_page(organization_id: UUID, query: AuditQuery) -> Page[AuditEntry]:
    """Return the page of a log that *query* selects."""
    return reads.read(
        app,
        lambda near: list_audit_entries(
            near, organization_id, query.selection(), cursor=query.cursor, limit=query.page_size()
        ),
    )


def answer_page(page: Page[AuditEntry], query: AuditQuery) -> Response[str]:
    """Return *page* in the format that *query* asks for: JSON or CSV."""
    content_type, headers, body = entries_answer(page, query)
    return Response(HTTPStatus.OK, content_type, body, headers)


def answer_verification(organization_id: UUID, query: VerifyQuery) -> dict[str, Any]:
    """Verify a log and return the result."""
    return verification_document(verify_audit_log(db, signer, organization_id, after=query.link()))


handler = wiring.handler(app, db, reads)
