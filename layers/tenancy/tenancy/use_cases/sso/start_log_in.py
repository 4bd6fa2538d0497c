"""Start a log-in by single sign-on: store its state, and lead the browser to the provider."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.errors import QUERY, FieldError, InvalidError
from tenancy.rules.durations import SSO_LOG_IN_TIME
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.rules.people.sessions import LOG_IN_STATUSES
from tenancy.rules.sso.connection import SSO_FLAG, SsoConnection
from tenancy.rules.sso.log_in import LOG_IN_HINT, SCOPES, BrowserSecret, StoredLogIn, challenge_of, with_query
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.sso_connections import find_sso_connection
from tenancy.stores.postgres.sso_log_ins import delete_expired_log_ins, insert_sso_log_in
from tenancy.stores.postgres.standing import find_standing

OTHER_REDIRECT_URI_TEXT: Final = "The connection of the organization does not list this address in redirect_uris."


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoStart:
    """A request to start a log-in.

    *organization_id* may belong to no organization. *email* is a hint for the provider, None without one.
    *callback_url* is where the provider leads the browser back to.
    """

    organization_id: UUID
    redirect_uri: str
    code_challenge: str | None
    email: str | None
    callback_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedLogIn:
    """The URL of the provider that the browser goes to, and the secret that the browser keeps for the *state*."""

    url: str
    state: OpaqueToken
    secret: BrowserSecret


def start_sso_log_in(platform_db: Database, asked: SsoStart, *, now: datetime) -> StartedLogIn:
    """Store a log-in that begins, and return where it goes on.

    All refusals but that of an address take the same statements.

    Raises:
        SsoRefusedError: the organization is unknown, or has no single sign-on.
        InvalidError: the connection does not list the redirect_uri.
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
    return StartedLogIn(url=_provider_url(connection, asked, state, secret), state=state, secret=secret)


def find_live_connection(conn: Connection, organization_id: UUID) -> SsoConnection | None:
    """Return the connection of an organization whose members may log in by it now, or None."""
    standing = find_standing(conn, organization_id)
    connection = find_sso_connection(conn, organization_id)
    if standing is None or standing.status not in LOG_IN_STATUSES or not standing.entitlements.values[SSO_FLAG]:
        return None
    return connection


def _provider_url(connection: SsoConnection, asked: SsoStart, state: OpaqueToken, secret: BrowserSecret) -> str:
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
