"""Start a log-in by single sign-on: store its state, and redirect the browser to the provider."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.errors import QUERY, FieldError, InvalidError
from tenancy.rules.durations import SSO_LOG_IN_TIME
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.rules.saml.connection import SamlConnection, ServiceProvider
from tenancy.rules.saml.relay_state import relay_state_of, request_id_of
from tenancy.rules.saml.request import redirect_url
from tenancy.rules.sso.connection import OidcConnection, host_of
from tenancy.rules.sso.log_in import LOG_IN_HINT, SCOPES, BrowserSecret, StoredLogIn, challenge_of, with_query
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.listed_custom_domains import is_lost_domain
from tenancy.stores.postgres.sso_log_ins import delete_expired_log_ins, insert_sso_log_in
from tenancy.use_cases.sso.live_connection import find_live_connection

OTHER_REDIRECT_URI_TEXT: Final = "The connection of the organization does not list this URL in `redirect_uris`."

LOST_DOMAIN_TEXT: Final = (
    "The host of this URL is a custom domain that the organization has lost. Remove the URL from `redirect_uris`, or "
    "verify the domain again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoStart:
    """A request to start a log-in.

    *organization_id* may belong to no organization. *email* is a hint for the provider, None without one.
    *callback_url* is the URL to which a provider of OpenID Connect redirects the browser. *service* is the platform as
    a SAML provider knows it.
    """

    organization_id: UUID
    redirect_uri: str
    code_challenge: str | None
    email: str | None
    callback_url: str
    service: ServiceProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedLogIn:
    """The URL of the provider that the browser goes to, and the secret that the browser keeps for the *state*."""

    url: str
    state: OpaqueToken
    secret: BrowserSecret


def require_connection(platform_db: Homes, organization_id: UUID) -> None:
    """Require that the organization has single sign-on, before its id is shown in a URL.

    Raises:
        SsoRefusedError: the organization is unknown, or has no single sign-on.
        UnavailableError: the database is unreachable.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        if find_live_connection(conn, organization_id) is None:
            raise SsoRefusedError(SsoFault.NO_CONNECTION)


def start_sso_log_in(platform_db: Homes, asked: SsoStart, *, now: datetime) -> StartedLogIn:
    """Store a log-in that begins, and return the URL of the provider for it.

    All refusals run the same statements, except those of a `redirect_uri`.

    Raises:
        SsoRefusedError: the organization is unknown, or has no single sign-on.
        InvalidError: the connection does not list the redirect_uri, or its host is a custom domain that another
            organization has proven, or that the organization has lost.
        UnavailableError: the database is unreachable.
    """
    state, secret = generate_token(TokenType.SSO_STATE, asked.organization_id), BrowserSecret.generate()
    with platform_db.tenant_transaction(asked.organization_id) as conn:
        connection = find_live_connection(conn, asked.organization_id)
        if connection is None:
            raise SsoRefusedError(SsoFault.NO_CONNECTION)
        if asked.redirect_uri not in connection.settings.redirect_uris:
            error = FieldError(location=f"{QUERY}/redirect_uri", code="unknown", message=OTHER_REDIRECT_URI_TEXT)
            raise InvalidError(OTHER_REDIRECT_URI_TEXT, errors=[error])
        if is_lost_domain(conn, asked.organization_id, host_of(asked.redirect_uri)):
            error = FieldError(location=f"{QUERY}/redirect_uri", code="domain_lost", message=LOST_DOMAIN_TEXT)
            raise InvalidError(LOST_DOMAIN_TEXT, errors=[error])
        delete_expired_log_ins(conn, asked.organization_id, before=now)
        log_in = StoredLogIn(
            state_digest=state.digest,
            browser_digest=secret.digest,
            connection_id=connection.id,
            redirect_uri=asked.redirect_uri,
            code_challenge=asked.code_challenge,
            started_at=now,
            expires_at=now + SSO_LOG_IN_TIME,
            used_at=None,
        )
        insert_sso_log_in(conn, asked.organization_id, log_in)
    if isinstance(connection, SamlConnection):
        request_id, relay_state = request_id_of(state), relay_state_of(state)
        url = redirect_url(connection.provider, asked.service, request_id=request_id, relay_state=relay_state, now=now)
    elif isinstance(connection, OidcConnection):
        url = _oidc_url(connection, asked, state, secret)
    else:
        raise TypeError(connection.type)
    return StartedLogIn(url=url, state=state, secret=secret)


def _oidc_url(connection: OidcConnection, asked: SsoStart, state: OpaqueToken, secret: BrowserSecret) -> str:
    members = {
        "response_type": "code",
        "client_id": connection.client_id,
        "redirect_uri": asked.callback_url,
        "scope": SCOPES,
        "state": state.text,
        "nonce": secret.nonce_of(state.digest),
        "code_challenge": challenge_of(secret.verifier_of(state.digest)),
        "code_challenge_method": "S256",
    }
    if asked.email is not None:
        members[LOG_IN_HINT] = asked.email
    return with_query(connection.metadata.authorization_endpoint, members)
