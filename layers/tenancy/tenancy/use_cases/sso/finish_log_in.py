"""Finish a log-in by single sign-on: take the answer of the provider, and give the client a code.

The state is used up, in a transaction of its own, before the provider is asked. So no answer is processed twice, also
if the process dies. Then the person starts again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenancy.errors import UnreachableUrlError
from tenancy.rules.durations import METADATA_MAX_AGE, PROVIDER_CALLS_START_TIME, SSO_PROOF_TIME
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, find_token, generate_token
from tenancy.rules.sso.connection import OidcConnection
from tenancy.rules.sso.discovery import MetadataError
from tenancy.rules.sso.id_token import ExpectedToken, ProvenIdentity, verify_id_token, with_userinfo
from tenancy.rules.sso.log_in import ACCESS_DENIED, BrowserSecret, StoredLogIn, with_query
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.sso_connections import update_metadata
from tenancy.stores.postgres.sso_log_ins import lock_sso_state, update_state_used
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_entry
from tenancy.use_cases.sso.live_connection import find_live_connection, require_usable
from tenancy.use_cases.sso.provider import CodeExchange, Providers
from tenancy.use_cases.sso.store_proven import ProvenPerson, store_proven


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """The answer of a provider, which a browser brought. A member that the answer lacks is None.

    *secret* is that of the browser's cookie.
    """

    state: OpaqueToken
    code: str | None
    error: str | None
    issuer: str | None
    secret: BrowserSecret | None
    callback_url: str
    request_id: str
    source_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedLogIn:
    """The URL that the browser is redirected to. *denial* is the provider's own error, None if it admits the person.

    If not *is_published*, the sweep publishes the epoch of a new member later.
    """

    url: str
    denial: str | None = None
    is_published: bool = True


def parse_state(text: str | None) -> OpaqueToken:
    """Return *text* as a state.

    Raises:
        SsoRefusedError: it is missing, or is no state. No store was asked.
    """
    if not text:
        raise SsoRefusedError(SsoFault.STATE_MISSING)
    state = find_token(text, TokenType.SSO_STATE)
    if state is None:
        raise SsoRefusedError(SsoFault.STATE_MALFORMED)
    return state


def finish_sso_log_in(
    platform_db: Homes,
    providers: Providers,
    targets: OutboxTargets,
    answer: ProviderAnswer,
    *,
    now: datetime,
    clock: Callable[[], datetime],
) -> FinishedLogIn:
    """Verify the answer of a provider, and return the URL for the browser, with a code for the client.

    *clock* tells the time after the provider has answered.

    Raises:
        SsoRefusedError: the answer proves no identity. Its state is used up, unless another browser sent it.
        SsoForbiddenError: the person may not be a member.
        UnavailableError: PostgreSQL, KMS or `fetch` is unreachable. The state may be used up.
    """
    log_in, connection = _use_state(platform_db, answer, now=now)
    _require_issuer(connection, answer)
    if answer.error is not None:
        return FinishedLogIn(url=with_query(log_in.redirect_uri, {"error": ACCESS_DENIED}), denial=answer.error)
    identity = _prove_identity(platform_db, providers, log_in, connection, answer, now=now, clock=clock)
    code = generate_token(TokenType.SSO_CODE, answer.state.organization_id)
    person = ProvenPerson(
        organization_id=answer.state.organization_id,
        state_digest=answer.state.digest,
        connection_id=connection.id,
        identity=identity,
        request_id=answer.request_id,
        source_address=answer.source_address,
    )
    publication = store_proven(platform_db, person, code, now=clock())
    is_published = publication is None or run_entry(platform_db, targets, publication, now=now)
    return FinishedLogIn(url=with_query(log_in.redirect_uri, {"code": code.text}), is_published=is_published)


def _use_state(platform_db: Homes, answer: ProviderAnswer, *, now: datetime) -> tuple[StoredLogIn, OidcConnection]:
    """Use up the state of *answer*. A state that another browser sends stays usable in its own."""
    organization_id, digest = answer.state.organization_id, answer.state.digest
    with platform_db.tenant_transaction(organization_id) as conn:
        log_in = lock_sso_state(conn, organization_id, digest)
        live = find_live_connection(conn, organization_id)
        if log_in is None:
            raise SsoRefusedError(SsoFault.STATE_UNKNOWN)
        if answer.secret is None:
            raise SsoRefusedError(SsoFault.COOKIE_MISSING)
        if answer.secret.digest != log_in.browser_digest:
            raise SsoRefusedError(SsoFault.OTHER_BROWSER)
        connection = require_usable(log_in, live, OidcConnection, now=now)
        update_state_used(conn, organization_id, digest, now=now, keep_until=now + SSO_PROOF_TIME)
    return log_in, connection


def _require_issuer(connection: OidcConnection, answer: ProviderAnswer) -> None:
    """Refuse an answer of another provider than the one that the browser was redirected to (RFC 9207)."""
    if answer.issuer is None and connection.metadata.names_issuer:
        raise SsoRefusedError(SsoFault.ISSUER_MISSING)
    if answer.issuer not in {None, connection.issuer}:
        raise SsoRefusedError(SsoFault.OTHER_ISSUER)


def _prove_identity(
    platform_db: Homes,
    providers: Providers,
    log_in: StoredLogIn,
    connection: OidcConnection,
    answer: ProviderAnswer,
    *,
    now: datetime,
    clock: Callable[[], datetime],
) -> ProvenIdentity:
    organization_id, digest = answer.state.organization_id, log_in.state_digest
    if not answer.code or answer.secret is None:
        raise SsoRefusedError(SsoFault.CODE_MISSING)
    connection = _refreshed(platform_db, providers, organization_id, connection, now=now)
    _require_time(now, clock())
    exchange = CodeExchange(
        code=answer.code, code_verifier=answer.secret.verifier_of(digest), redirect_uri=answer.callback_url
    )
    tokens = providers.exchange_code(organization_id, connection, exchange)
    expected = ExpectedToken(
        issuer=connection.issuer,
        client_id=connection.client_id,
        nonce=answer.secret.nonce_of(digest),
        started_at=log_in.started_at,
        access_token=tokens.access_token,
    )
    _require_time(now, clock())
    identity = verify_id_token(
        tokens.id_token,
        lambda kid, algorithm: providers.find_key(organization_id, connection, kid, algorithm, now=clock()),
        expected,
        now=clock(),
    )
    if identity.email_fault is not SsoFault.EMAIL_MISSING or tokens.access_token is None:
        return identity
    _require_time(now, clock())
    userinfo = providers.read_userinfo(connection, tokens.access_token)
    return with_userinfo(identity, userinfo) if userinfo is not None else identity


def _require_time(started_at: datetime, now: datetime) -> None:
    """Refuse a log-in whose provider is so slow that the function would reach its time-out."""
    if now - started_at > PROVIDER_CALLS_START_TIME:
        raise SsoRefusedError(SsoFault.PROVIDER_UNREACHABLE)


def _refreshed(
    platform_db: Homes, providers: Providers, organization_id: UUID, connection: OidcConnection, *, now: datetime
) -> OidcConnection:
    """Return *connection* with the metadata of the last day.

    If the metadata cannot be read or used, the stored one stays. It was that of the issuer.
    """
    if now - connection.discovered_at < METADATA_MAX_AGE:
        return connection
    try:
        metadata = providers.discover(connection.issuer)
    except (MetadataError, UnreachableUrlError):
        return connection
    with platform_db.tenant_transaction(organization_id) as conn:
        update_metadata(conn, organization_id, connection.id, metadata, now=now)
    return connection.with_metadata(metadata)
