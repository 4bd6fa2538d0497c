"""Single sign-on: the e-mail domains of an organization."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.errors import ConflictError, DomainTakenError, NotInTierError
from tenancy.gateway.answer_types import PageAnswer
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.email_domains import (
    DomainName,
    DomainVerificationAnswer,
    EmailDomainAnswer,
    NewEmailDomain,
    email_domain_document,
    verification_document,
)
from tenancy.gateway.pages import page_document
from tenancy.gateway.parameters import Cursor, WholeNumber
from tenancy.gateway.resolver import api, request_of, tenant_of
from tenancy.gateway.rights import for_tenants
from tenancy.gateway.trail import actor_of
from tenancy.rules.cursors import MAX_PAGE
from tenancy.rules.permissions import SSO_READ, SSO_WRITE
from tenancy.settings import Settings
from tenancy.use_cases.sso.claim_domain import claim_domain, list_domain_page, remove_domain
from tenancy.use_cases.sso.verify_domain import verify_domain
from tenancy.wiring import Wiring

settings = Settings.from_env("AUDIT_QUEUE_URL", "BASE_DOMAIN", "FETCH_FUNCTION", "REDIS_PATIENCE_MS", "UPGRADE_URL")
wiring = Wiring(settings)
platform_db, fetcher = wiring.platform_database, wiring.fetcher
app = api()


@app.get("/sso/email-domains")
@for_tenants(SSO_READ)
@answers(PageAnswer[EmailDomainAnswer], NotInTierError)
def list_domains(
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """List the e-mail domains that the organization claims, by name."""
    return page_document(
        list_domain_page(platform_db, tenant_of(app), cursor=cursor, limit=limit), email_domain_document
    )


@app.post("/sso/email-domains")
@for_tenants(SSO_WRITE)
@answers(EmailDomainAnswer, NotInTierError, ConflictError, status=HTTPStatus.CREATED)
def claim(body: NewEmailDomain) -> tuple[dict[str, Any], int]:
    """Claim an e-mail domain, and return the DNS record that proves it."""
    tenant = tenant_of(app)
    claimed = claim_domain(platform_db, tenant, body.domain, actor_of(request_of(app), tenant), now=datetime.now(UTC))
    return email_domain_document(claimed), HTTPStatus.CREATED


@app.post("/sso/email-domains/<domain>/verify")
@for_tenants(SSO_WRITE)
@answers(DomainVerificationAnswer, NotInTierError, DomainTakenError)
def verify(domain: DomainName) -> dict[str, Any]:
    """Look for the DNS record of an e-mail domain, and verify the domain if it is there."""
    tenant = tenant_of(app)
    actor = actor_of(request_of(app), tenant)
    return verification_document(verify_domain(platform_db, fetcher, tenant, domain, actor, now=datetime.now(UTC)))


@app.delete("/sso/email-domains/<domain>")
@for_tenants(SSO_WRITE)
@answers(None, status=HTTPStatus.NO_CONTENT)
def remove(domain: DomainName) -> Response[str]:
    """Remove an e-mail domain. Its verification ends at once."""
    tenant = tenant_of(app)
    remove_domain(platform_db, tenant, domain, actor_of(request_of(app), tenant), now=datetime.now(UTC))
    return Response(HTTPStatus.NO_CONTENT, body="")


handler = wiring.handler(app, platform_db)
