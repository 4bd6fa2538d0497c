"""Log-in, sessions and the member that calls. Publishes the keys of access tokens."""

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from aws_lambda_powertools.event_handler import Response as EmptyAnswer
from aws_lambda_powertools.event_handler.openapi.params import Body
from pydantic import SecretStr

from tenancy.errors import (
    BODY,
    NO_ROUTE_TEXT,
    FieldError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    SsoRequiredError,
    TooManyAttemptsError,
    UnauthenticatedError,
)
from tenancy.gateway.answers import answers
from tenancy.gateway.documents.mailed_tokens import (
    Acceptance,
    ResetConfirmation,
    ResetRequest,
    chosen_password,
    parse_token,
)
from tenancy.gateway.documents.me import (
    MeAnswer,
    MemberChange,
    changed_document,
    me_document,
)
from tenancy.gateway.documents.sessions import (
    LogInBody,
    RefreshTokenBody,
    SsoCodeBody,
    TokensAnswer,
    read_refresh_token,
    tokens_document,
)
from tenancy.gateway.documents.token_keys import discovery_document, jwks_document, public_answer
from tenancy.gateway.http import Request, Response
from tenancy.gateway.metrics import LOG_INS_NOT_COUNTED, count
from tenancy.gateway.publications import report_publication
from tenancy.gateway.query import require_known_query
from tenancy.gateway.refused_log_ins import counts_refused_log_ins
from tenancy.gateway.resolver import api, named_by, request_of, tenant_of
from tenancy.gateway.rights import for_members, for_public
from tenancy.gateway.serve import serve
from tenancy.gateway.session_cookie import is_of_console, remove_cookie, require_own_origin
from tenancy.gateway.sso_refusals import reports_refused_sso
from tenancy.gateway.trail import actor_of
from tenancy.rules.access_tokens.sign import TokenHolder
from tenancy.rules.people.one_time_tokens import REFUSED_TOKEN_TEXT
from tenancy.rules.people.opaque_tokens import OpaqueToken
from tenancy.rules.people.sessions import SessionMember, SessionTokens
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.settings import Settings
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.people.accept_invitation import accept_invitation
from tenancy.use_cases.people.reset_password import confirm_password_reset, request_password_reset
from tenancy.use_cases.sessions.attempts import AttemptCounter
from tenancy.use_cases.sessions.end_sessions import log_out, log_out_everywhere
from tenancy.use_cases.sessions.log_in import LogIn, log_in
from tenancy.use_cases.sessions.log_in_by_sso import SsoCode, log_in_by_sso, parse_code
from tenancy.use_cases.sessions.me import change_me, read_me
from tenancy.use_cases.sessions.named_organization import find_or_pretend, is_named
from tenancy.use_cases.sessions.refresh_session import REFRESH_REFUSED, Refresh, parse_refresh_token, refresh_session
from tenancy.wiring import Wiring

WELL_KNOWN: Final = "/.well-known/"
NO_ORGANIZATION: Final = "Name the organization: its id or subdomain here, its id in X-Organization-ID, or its host."
TOKEN_HEADERS: Final = {"Cache-Control": True, "Set-Cookie": False}
REMOVED_COOKIE: Final = {int(HTTPStatus.UNAUTHORIZED): ("Set-Cookie",)}
CONSOLE_HEADERS: Final = {"Set-Cookie": False}

settings = Settings.from_env(
    "API_HOST", "AUDIT_QUEUE_URL", "BASE_DOMAIN", "REDIS_PATIENCE_MS", "TOKEN_ISSUER", "UPGRADE_URL"
)
wiring = Wiring(settings)
platform_db, signer = wiring.platform_database, wiring.token_signer
targets = OutboxTargets(redis=wiring.publication_redis)
attempts = AttemptCounter(redis=wiring.request_redis, count_uncounted=lambda: count(LOG_INS_NOT_COUNTED))
app = api()


def sign(member: SessionMember, session_id: UUID, *, now: datetime) -> str:
    """Return a signed access token of the member's session."""
    holder = TokenHolder(
        organization_id=member.organization_id,
        user_id=member.user_id,
        email=member.email,
        role=member.role,
        epoch=member.epochs,
        session_id=session_id,
    )
    return signer.sign(holder, now=now)


@app.post("/auth/token")
@for_public
@answers(
    TokensAnswer, UnauthenticatedError, ForbiddenError, SsoRequiredError, TooManyAttemptsError, headers=TOKEN_HEADERS
)
def get_tokens(body: LogInBody) -> dict[str, Any]:
    """Log in with an e-mail address and a password."""
    request = request_of(app)
    if is_of_console(request):
        require_own_origin(request, may_be_absent=True)
    asked = LogIn(
        organization_id=find_organization(body.organization),
        email=body.address,
        password=body.password.get_secret_value(),
        request_id=request.request_id,
        source_address=request.source_address,
    )
    with counts_refused_log_ins():
        tokens = log_in(platform_db, attempts, sign, asked, now=datetime.now(UTC))
    return tokens_document(request, tokens)


def find_organization(organization: str | None) -> UUID:
    """Return the id of the organization that the request names, or an id of none.

    *organization* is the name in its body.

    Raises:
        InvalidError: the request names no organization.
    """
    named = named_by(app, organization)
    if named.is_missing:
        errors = [FieldError(location=f"{BODY}/organization", code="missing", message=NO_ORGANIZATION)]
        raise InvalidError(NO_ORGANIZATION, errors=errors)
    return find_or_pretend(platform_db, named)


@app.post("/auth/refresh")
@for_public
@answers(TokensAnswer, UnauthenticatedError, ForbiddenError, headers=TOKEN_HEADERS, refused_headers=REMOVED_COOKIE)
def refresh_tokens(body: Annotated[RefreshTokenBody | None, Body()] = None) -> dict[str, Any]:
    """Exchange a refresh token for a new access token and the next refresh token."""
    request = request_of(app)
    text = read_refresh_token(request, body or RefreshTokenBody())
    try:
        tokens = refresh(request, text)
    except UnauthenticatedError:
        if is_of_console(request):
            remove_cookie(request)
        raise
    return tokens_document(request, tokens)


def refresh(request: Request, text: str) -> SessionTokens:
    """Return the tokens for the refresh token *text*.

    Raises:
        UnauthenticatedError: the token is malformed, unknown or used, or its session has ended.
    """
    token = parse_refresh_token(text)
    if not is_named(platform_db, named_by(app), token.organization_id):
        raise UnauthenticatedError(REFRESH_REFUSED)
    asked = Refresh(token=token, request_id=request.request_id, source_address=request.source_address)
    return refresh_session(
        platform_db,
        targets,
        sign,
        asked,
        report_unpublished=partial(report_publication, is_published=False),
        now=datetime.now(UTC),
    )


@app.post("/auth/sso/token")
@for_public
@answers(TokensAnswer, UnauthenticatedError, ForbiddenError, headers=TOKEN_HEADERS)
def get_tokens_for_code(body: SsoCodeBody) -> dict[str, Any]:
    """Exchange the code of a log-in by single sign-on for the tokens of a session."""
    request = request_of(app)
    if is_of_console(request):
        require_own_origin(request, may_be_absent=True)
    with reports_refused_sso(request):
        code = parse_code(body.code.get_secret_value())
        if not is_named(platform_db, named_by(app), code.organization_id):
            raise SsoRefusedError(SsoFault.OTHER_ORGANIZATION)
        verifier = body.code_verifier
        asked = SsoCode(
            token=code,
            code_verifier=verifier.get_secret_value() if verifier is not None else None,
            request_id=request.request_id,
            source_address=request.source_address,
        )
        tokens = log_in_by_sso(platform_db, sign, asked, now=datetime.now(UTC))
    return tokens_document(request, tokens)


@app.post("/auth/logout")
@for_public
@answers(None, ForbiddenError, status=HTTPStatus.NO_CONTENT, headers=CONSOLE_HEADERS)
def end_session(body: Annotated[RefreshTokenBody | None, Body()] = None) -> EmptyAnswer[str]:
    """Log out: end the session of a refresh token."""
    request = request_of(app)
    text = read_refresh_token(request, body or RefreshTokenBody())
    log_out(
        platform_db,
        text,
        lambda organization_id: is_named(platform_db, named_by(app), organization_id),
        request_id=request.request_id,
        source_address=request.source_address,
        now=datetime.now(UTC),
    )
    if is_of_console(request):
        remove_cookie(request)
    return EmptyAnswer(HTTPStatus.NO_CONTENT, body="")


@app.post("/auth/logout-all")
@for_members
@answers(None, status=HTTPStatus.NO_CONTENT)
def end_all_sessions() -> EmptyAnswer[str]:
    """Log out everywhere: end all sessions of the member, and revoke its access tokens."""
    tenant = tenant_of(app)
    actor = actor_of(request_of(app), tenant)
    is_published = log_out_everywhere(platform_db, targets, tenant, actor, now=datetime.now(UTC))
    report_publication(tenant.organization_id, is_published=is_published)
    return EmptyAnswer(HTTPStatus.NO_CONTENT, body="")


@app.post("/users/accept")
@for_public
@answers(TokensAnswer, UnauthenticatedError, ForbiddenError, SsoRequiredError, headers=TOKEN_HEADERS)
def accept(body: Acceptance) -> dict[str, Any]:
    """Accept an invitation with the one-time token of its mail, and log in."""
    request = request_of(app)
    if is_of_console(request):
        require_own_origin(request, may_be_absent=True)
    chosen = chosen_password(request, read_token(body.token), body.password, name=body.name)
    joined = accept_invitation(platform_db, targets, sign, chosen, now=datetime.now(UTC))
    report_publication(chosen.organization_id, is_published=joined.is_published)
    return tokens_document(request, joined.tokens)


@app.post("/auth/password-reset")
@for_public
@answers(None, status=HTTPStatus.ACCEPTED)
def request_reset(body: ResetRequest) -> EmptyAnswer[str]:
    """Mail a one-time token to a member with a forgotten password.

    The answer is the same for every address.
    """
    request = request_of(app)
    request_password_reset(
        platform_db,
        find_organization(body.organization),
        email=body.email,
        request_id=request.request_id,
        source_address=request.source_address,
        now=datetime.now(UTC),
    )
    return EmptyAnswer(HTTPStatus.ACCEPTED, body="")


@app.post("/auth/password-reset/confirm")
@for_public
@answers(None, UnauthenticatedError, status=HTTPStatus.NO_CONTENT)
def confirm_reset(body: ResetConfirmation) -> EmptyAnswer[str]:
    """Set a new password with the one-time token of a mail. All sessions of the member end."""
    chosen = chosen_password(request_of(app), read_token(body.token), body.password)
    is_published = confirm_password_reset(platform_db, targets, chosen, now=datetime.now(UTC))
    report_publication(chosen.organization_id, is_published=is_published)
    return EmptyAnswer(HTTPStatus.NO_CONTENT, body="")


def read_token(text: SecretStr) -> OpaqueToken:
    """Return *text* as a one-time token of the organization that the request means.

    Raises:
        UnauthenticatedError: it is no such token, or the request names another organization.
    """
    token = parse_token(text)
    if not is_named(platform_db, named_by(app), token.organization_id):
        raise UnauthenticatedError(REFUSED_TOKEN_TEXT)
    return token


@app.get("/me")
@for_members
@answers(MeAnswer)
def show_me() -> dict[str, Any]:
    """Show the member that calls, with its permissions and its organization."""
    return me_document(read_me(platform_db, tenant_of(app)))


@app.patch("/me")
@for_members
@answers(MeAnswer, TooManyAttemptsError)
def change_own_member(change: MemberChange) -> dict[str, Any]:
    """Change the name or the password of the member that calls."""
    tenant = tenant_of(app)
    actor = actor_of(request_of(app), tenant)
    wanted = change.apply_in(tenant.session_id)
    return changed_document(change_me(platform_db, targets, attempts, tenant, wanted, actor, now=datetime.now(UTC)))


def answer(request: Request, _event: dict[str, Any], _context: object) -> Response:
    """Answer one request for a public document. The template lets no other route through."""
    match request.path:
        case "/.well-known/jwks.json":
            return get_key_set(request)
        case "/.well-known/openid-configuration":
            return get_discovery(request)
    raise NotFoundError(NO_ROUTE_TEXT)


def get_key_set(request: Request) -> Response:
    """Return the public keys of access tokens."""
    require_known_query(request)
    return public_answer(request, jwks_document(wiring.token_verifier.list_keys()))


def get_discovery(request: Request) -> Response:
    """Return the issuer of access tokens, and where its keys are."""
    require_known_query(request)
    keys = wiring.token_verifier.list_keys()
    return public_answer(request, discovery_document(settings.token_issuer, api_url(request), keys))


def api_url(request: Request) -> str:
    """Return the URL of the API. The local stack has no TLS."""
    scheme = "http" if settings.aws_endpoint_url else "https"
    return f"{scheme}://{request.find_api(settings.api_host)}"


answer_document = serve(answer)
answer_route = wiring.handler(app, platform_db)


def handler(event: dict[str, Any], context: object) -> Response:
    """Answer one request: for a public document, or of a route."""
    is_document = str(event.get("resource")).startswith(WELL_KNOWN)
    return (answer_document if is_document else answer_route)(event, context)
