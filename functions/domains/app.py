"""Custom domains of an organization: claim, verify, show and remove them."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response as EmptyAnswer
from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.errors import ConflictError, DomainTakenError, NotInTierError
from tenancy.gateway.answer_types import PageAnswer
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.custom_domains import CustomDomainAnswer, NewCustomDomain, custom_domain_document
from tenancy.gateway.documents.email_domains import DomainName
from tenancy.gateway.pages import page_document
from tenancy.gateway.parameters import Cursor, WholeNumber
from tenancy.gateway.resolver import api, request_of, tenant_of
from tenancy.gateway.rights import for_tenants
from tenancy.gateway.trail import actor_of
from tenancy.rules.cursors import MAX_PAGE
from tenancy.rules.custom_domains import CustomDomain
from tenancy.rules.permissions import DOMAINS_READ, DOMAINS_WRITE
from tenancy.settings import Settings
from tenancy.use_cases.domains.claim_custom_domain import (
    PlatformNames,
    claim_custom_domain,
    list_custom_domain_page,
    read_custom_domain,
    remove_custom_domain,
)
from tenancy.use_cases.domains.verify_custom_domain import verify_custom_domain
from tenancy.wiring import Wiring

settings = Settings.from_env(
    "API_HOST", "AUDIT_QUEUE_URL", "BASE_DOMAIN", "FETCH_FUNCTION", "REDIS_PATIENCE_MS", "UPGRADE_URL"
)
wiring = Wiring(settings)
platform_db, fetcher = wiring.platform_database, wiring.fetcher
app = api()


@app.get("/domains")
@for_tenants(DOMAINS_READ)
@answers(PageAnswer[CustomDomainAnswer])
def list_all(
    cursor: Annotated[Cursor | None, Query()] = None,
    limit: Annotated[WholeNumber, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
) -> dict[str, Any]:
    """List the custom domains that the organization claims, by name."""
    return page_document(list_custom_domain_page(platform_db, tenant_of(app), cursor=cursor, limit=limit), document_of)


@app.post("/domains")
@for_tenants(DOMAINS_WRITE)
@answers(CustomDomainAnswer, NotInTierError, ConflictError, status=HTTPStatus.CREATED)
def claim(body: NewCustomDomain) -> tuple[dict[str, Any], int]:
    """Claim a custom domain, and return the DNS records to create."""
    tenant, request = tenant_of(app), request_of(app)
    names = PlatformNames(base_domain=settings.base_domain, api_host=request.find_api(settings.api_host))
    actor = actor_of(request, tenant)
    claimed = claim_custom_domain(platform_db, names, tenant, body.domain, actor, now=datetime.now(UTC))
    return document_of(claimed), HTTPStatus.CREATED


@app.get("/domains/<domain>")
@for_tenants(DOMAINS_READ)
@answers(CustomDomainAnswer)
def show(domain: DomainName) -> dict[str, Any]:
    """Show a custom domain, with its records and their problems."""
    return document_of(read_custom_domain(platform_db, tenant_of(app), domain))


@app.post("/domains/<domain>/verify")
@for_tenants(DOMAINS_WRITE)
@answers(CustomDomainAnswer, NotInTierError, DomainTakenError, ConflictError)
def verify(domain: DomainName) -> dict[str, Any]:
    """Look for the DNS records of a custom domain now, and start or continue its set-up."""
    tenant = tenant_of(app)
    actor, now = actor_of(request_of(app), tenant), datetime.now(UTC)
    base_domain = settings.base_domain
    return document_of(
        verify_custom_domain(platform_db, fetcher, tenant, domain, actor, base_domain=base_domain, now=now)
    )


@app.delete("/domains/<domain>")
@for_tenants(DOMAINS_WRITE)
@answers(None, status=HTTPStatus.NO_CONTENT)
def remove(domain: DomainName) -> EmptyAnswer[str]:
    """Remove a custom domain. No request is served at it from then on."""
    tenant = tenant_of(app)
    remove_custom_domain(platform_db, tenant, domain, actor_of(request_of(app), tenant), now=datetime.now(UTC))
    return EmptyAnswer(HTTPStatus.NO_CONTENT, body="")


def document_of(domain: CustomDomain) -> dict[str, Any]:
    """Return the document of a custom domain."""
    return custom_domain_document(domain, base_domain=settings.base_domain)


handler = wiring.handler(app, platform_db)
