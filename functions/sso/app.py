"""Single sign-on: the connection and the e-mail domains of an organization, and log-ins."""

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from aws_lambda_powertools.event_handler import Response as EmptyAnswer
from aws_lambda_powertools.event_handler.openapi.params import Query

from tenancy.errors import (
    QUERY,
    ConflictError,
    DomainTakenError,
    FieldError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotInTierError,
    TooLargeError,
    UnauthenticatedError,
)
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
from tenancy.gateway.documents.sso import (
    SsoConnectionAnswer,
    SsoSettings,
    callback_url,
    service_provider,
    sso_document,
)
from tenancy.gateway.forms import takes_form
from tenancy.gateway.http import Request
from tenancy.gateway.pages import page_document
from tenancy.gateway.parameters import Cursor, Id, Matching, WholeNumber
from tenancy.gateway.publications import report_publication
from tenancy.gateway.query import takes_any_query
from tenancy.gateway.resolver import api, named_by, request_of, tenant_of
from tenancy.gateway.rights import for_public, for_tenants
from tenancy.gateway.sso_refusals import reports_refused_sso
from tenancy.gateway.sso_requests import (
    REDIRECT_HEADERS,
    SAML_FORM,
    describe_error,
    finish_url,
    forget_secret,
    keep_secret,
    read_answer,
    read_returned_browser,
    read_saml_answer,
    redirect,
    sent_names,
    start_url,
)
from tenancy.gateway.trail import actor_of
from tenancy.rules.body_members import ORGANIZATION_MAX_CHARACTERS
from tenancy.rules.cursors import MAX_PAGE
from tenancy.rules.people.addresses import EMAIL_MAX_CHARACTERS, parse_address
from tenancy.rules.permissions import SSO_READ, SSO_WRITE
from tenancy.rules.saml.request import METADATA_TYPE, service_metadata
from tenancy.rules.sso.connection import REDIRECT_URI_MAX_CHARACTERS, SsoConnection
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.settings import Settings
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.sessions.named_organization import find_or_pretend, is_named
from tenancy.use_cases.sso.claim_domain import claim_domain, list_domain_page, remove_domain
from tenancy.use_cases.sso.connect import read_connection, remove_connection, set_connection
from tenancy.use_cases.sso.connect_saml import WantedSamlConnection, set_saml_connection
from tenancy.use_cases.sso.find_organization import find_of_domain_or_pretend
from tenancy.use_cases.sso.finish_log_in import finish_sso_log_in
from tenancy.use_cases.sso.finish_saml_log_in import finish_saml_log_in
from tenancy.use_cases.sso.provider import Providers
from tenancy.use_cases.sso.start_log_in import SsoStart, require_connection, start_sso_log_in
from tenancy.use_cases.sso.take_saml_answer import take_saml_answer
from tenancy.use_cases.sso.verify_domain import verify_domain
from tenancy.wiring import Wiring

NO_ORGANIZATION: Final = "Send `organization` (id or subdomain) or `email`."
NO_ID: Final = "Send `organization` (the id of one organization), or the header `X-Organization-ID`."
NO_DOMAIN: Final = "of-no-domain"  # the domain of a text that is no address

settings = Settings.from_env(
    "API_HOST", "AUDIT_QUEUE_URL", "BASE_DOMAIN", "FETCH_FUNCTION", "REDIS_PATIENCE_MS", "SSO_KEY_ID", "UPGRADE_URL"
)
wiring = Wiring(settings)
platform_db, fetcher, encryptor = wiring.platform_database, wiring.fetcher, wiring.sso_encryptor
targets = OutboxTargets(redis=wiring.publication_redis)
providers = Providers(fetcher, encryptor)
app = api()

CodeChallenge = Annotated[
    str, Matching("[A-Za-z0-9_-]{43}", "Expected the SHA-256 of the verifier in base64url, 43 characters.")
]


@app.get("/sso")
@for_tenants(SSO_READ)
@answers(SsoConnectionAnswer, NotInTierError)
def show_connection() -> dict[str, Any]:
    """Show the connection of the organization for single sign-on, without its client secret."""
    connection = read_connection(platform_db, tenant_of(app))
    return connection_document(connection, tenant_of(app).organization_id)


@app.put("/sso")
@for_tenants(SSO_WRITE)
@answers(SsoConnectionAnswer, NotInTierError)
def put_connection(body: SsoSettings) -> dict[str, Any]:
    """Set the connection of the organization for single sign-on. The metadata of the provider is read first."""
    tenant = tenant_of(app)
    request = request_of(app)
    actor = actor_of(request, tenant)
    wanted = body.wanted()
    now = datetime.now(UTC)
    if isinstance(wanted, WantedSamlConnection):
        connection = set_saml_connection(platform_db, fetcher, tenant, wanted, actor, now=now)
    else:
        connection = set_connection(platform_db, providers, encryptor, tenant, wanted, actor, now=now)
    return connection_document(connection, tenant.organization_id)


@app.delete("/sso")
@for_tenants(SSO_WRITE)
@answers(None, status=HTTPStatus.NO_CONTENT)
def delete_connection() -> EmptyAnswer[str]:
    """Delete the connection of the organization for single sign-on, with its client secret."""
    tenant = tenant_of(app)
    remove_connection(platform_db, tenant, actor_of(request_of(app), tenant), now=datetime.now(UTC))
    return EmptyAnswer(HTTPStatus.NO_CONTENT, body="")


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
def remove(domain: DomainName) -> EmptyAnswer[str]:
    """Remove an e-mail domain. Its verification ends at once."""
    tenant = tenant_of(app)
    remove_domain(platform_db, tenant, domain, actor_of(request_of(app), tenant), now=datetime.now(UTC))
    return EmptyAnswer(HTTPStatus.NO_CONTENT, body="")


@app.get("/auth/sso/start")
@for_public
@takes_any_query
@answers(None, UnauthenticatedError, status=HTTPStatus.FOUND, headers=REDIRECT_HEADERS)
def start(
    redirect_uri: Annotated[str, Query(min_length=1, max_length=REDIRECT_URI_MAX_CHARACTERS)],
    organization: Annotated[str | None, Query(max_length=ORGANIZATION_MAX_CHARACTERS)] = None,
    email: Annotated[str | None, Query(max_length=EMAIL_MAX_CHARACTERS)] = None,
    code_challenge: Annotated[CodeChallenge | None, Query()] = None,
) -> EmptyAnswer[str]:
    """Start a log-in by single sign-on: redirect the browser to the provider of the organization."""
    request = request_of(app)
    address = find_address(email)
    members = {"redirect_uri": redirect_uri, "email": address, "code_challenge": code_challenge}
    if named_by(app).subdomains:  # a host of the organization's own would keep the cookie from the callback's host
        with reports_refused_sso(request):
            names = sent_names(named_by(app, organization))
        return redirect(request, start_url(api_url(request), **names, **members))
    organization_id = find_organization(organization, email, address)
    if named_by(app).domains:  # here, too. The domain is looked up, because no answer repeats the host of a request
        with reports_refused_sso(request):
            require_connection(platform_db, organization_id)
        return redirect(request, start_url(api_url(request), organization=str(organization_id), **members))
    asked = SsoStart(
        organization_id=organization_id,
        redirect_uri=redirect_uri,
        code_challenge=code_challenge,
        email=address,
        callback_url=callback_url(api_url(request), organization_id),
        service=service_provider(api_url(request), organization_id),
    )
    with reports_refused_sso(request):
        started = start_sso_log_in(platform_db, asked, now=datetime.now(UTC))
    keep_secret(request, started.state.digest, started.secret)
    return redirect(request, started.url)


@app.get("/auth/sso/callback/<organization_id>")
@for_public
@takes_any_query
@answers(
    None,
    UnauthenticatedError,
    ForbiddenError,
    NotFoundError,
    status=HTTPStatus.FOUND,
    headers={**REDIRECT_HEADERS, "Set-Cookie": True},
)
def finish(
    organization_id: Id,
    state: Annotated[str | None, Query()] = None,  # noqa: ARG001 - documented here, read with all its values
    code: Annotated[str | None, Query()] = None,  # noqa: ARG001
    iss: Annotated[str | None, Query()] = None,  # noqa: ARG001
    error: Annotated[str | None, Query()] = None,  # noqa: ARG001
) -> EmptyAnswer[str]:
    """Take the answer of the provider, and redirect the browser to the client with a code."""
    request = request_of(app)
    with reports_refused_sso(request):
        answer = read_answer(request, callback_url=callback_url(api_url(request), organization_id))
        state_owner = answer.state.organization_id
        if state_owner != organization_id or not is_named(platform_db, named_by(app), organization_id):
            raise SsoRefusedError(SsoFault.OTHER_ORGANIZATION)
        finished = finish_sso_log_in(
            platform_db, providers, targets, answer, now=datetime.now(UTC), clock=partial(datetime.now, UTC)
        )
    report_publication(organization_id, is_published=finished.is_published)
    if finished.denial is not None:
        request.logged["sso_denial"] = describe_error(finished.denial)
    forget_secret(request, answer.state.digest)
    return redirect(request, finished.url)


@app.post("/auth/sso/acs")
@for_public
@takes_any_query
@takes_form(SAML_FORM)
@answers(None, UnauthenticatedError, TooLargeError, status=HTTPStatus.SEE_OTHER, headers=REDIRECT_HEADERS)
def take_answer() -> EmptyAnswer[str]:
    """Take the answer of a SAML provider, which a browser sends from the provider's page."""
    request = request_of(app)
    with reports_refused_sso(request):
        answer = read_saml_answer(request, service_of=partial(service_provider, api_url(request)))
        if not is_named(platform_db, named_by(app), answer.state.organization_id):
            raise SsoRefusedError(SsoFault.OTHER_ORGANIZATION)
        token = take_saml_answer(platform_db, fetcher, answer, now=datetime.now(UTC), clock=partial(datetime.now, UTC))
    return redirect(request, finish_url(api_url(request), token.text), HTTPStatus.SEE_OTHER)


@app.get("/auth/sso/finish")
@for_public
@takes_any_query
@answers(
    None,
    UnauthenticatedError,
    ForbiddenError,
    status=HTTPStatus.FOUND,
    headers={**REDIRECT_HEADERS, "Set-Cookie": True},
)
def finish_saml(
    token: Annotated[str | None, Query()] = None,  # noqa: ARG001 - documented here, read with all its values
) -> EmptyAnswer[str]:
    """Finish a log-in by SAML: compare the cookie, and redirect the browser to the client."""
    request = request_of(app)
    with reports_refused_sso(request):
        browser = read_returned_browser(request)
        organization_id = browser.token.organization_id
        if not is_named(platform_db, named_by(app), organization_id):
            raise SsoRefusedError(SsoFault.OTHER_ORGANIZATION)
        finished = finish_saml_log_in(platform_db, targets, browser, now=datetime.now(UTC))
    report_publication(organization_id, is_published=finished.is_published)
    forget_secret(request, finished.state_digest)
    return redirect(request, finished.url)


@app.get("/auth/sso/metadata")
@for_public
@answers(None, media_types=(METADATA_TYPE,))
def show_service(
    organization: Annotated[Id | None, Query()] = None,
) -> EmptyAnswer[str]:
    """Show the metadata of the platform for the SAML provider of an organization. No organization is looked up."""
    named = named_by(app, str(organization) if organization is not None else None)
    if len(named.ids) != 1 or named.is_unreadable:
        errors = [FieldError(location=f"{QUERY}/organization", code="missing", message=NO_ID)]
        raise InvalidError(NO_ID, errors=errors)
    service = service_provider(api_url(request_of(app)), *named.ids)
    return EmptyAnswer(HTTPStatus.OK, METADATA_TYPE, service_metadata(service).decode())


def connection_document(connection: SsoConnection, organization_id: UUID) -> dict[str, Any]:
    """Return the document of a connection, with the URLs that its provider needs."""
    request = request_of(app)
    service = service_provider(api_url(request), organization_id)
    url = callback_url(api_url(request), organization_id)
    return sso_document(connection, callback_url=url, service=service)


def find_address(email: str | None) -> str | None:
    """Return *email* in its stored form, or None if it is no address."""
    try:
        return parse_address(email) if email is not None else None
    except ValueError:
        return None


def find_organization(organization: str | None, email: str | None, address: str | None) -> UUID:
    """Return the organization that the request names, or that has proven the domain of the address.

    Without either it is an id of no organization.

    Raises:
        InvalidError: the request has neither a name nor an address.
    """
    named = named_by(app, organization)
    if not named.is_missing:
        return find_or_pretend(platform_db, named)
    if email is None:
        errors = [FieldError(location=f"{QUERY}/organization", code="missing", message=NO_ORGANIZATION)]
        raise InvalidError(NO_ORGANIZATION, errors=errors)
    domain = address.rpartition("@")[2] if address is not None else NO_DOMAIN
    return find_of_domain_or_pretend(platform_db, domain)


def api_url(request: Request) -> str:
    """Return the URL of the API. The local stack has no TLS."""
    scheme = "http" if settings.aws_endpoint_url else "https"
    return f"{scheme}://{request.find_api(settings.api_host)}"


handler = wiring.handler(app, platform_db)
