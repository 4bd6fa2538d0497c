"""Finish a log-in by SAML: the browser comes with its cookie and the finish token."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, find_token, generate_token
from tenancy.rules.saml.encrypted_identity import decrypt_identity
from tenancy.rules.sso.log_in import BrowserSecret, HandedOverLogIn, with_query
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.sso_log_ins import lock_sso_finish, update_log_in_finished
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_entry
from tenancy.use_cases.sso.live_connection import find_live_connection
from tenancy.use_cases.sso.store_proven import ProvenPerson, store_proven

# Takes the digest of a state, and returns the secret in the browser's cookie for that log-in, or None without one.
type FindSecret = Callable[[bytes], BrowserSecret | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedBrowser:
    """The browser that comes with *token*, the finish token."""

    token: OpaqueToken
    find_secret: FindSecret
    request_id: str
    source_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedSamlLogIn:
    """The URL that the browser is redirected to. Its cookie for the log-in of *state_digest* is of no use any more.

    If not *is_published*, the sweep publishes the epoch of a new member later.
    """

    url: str
    state_digest: bytes
    is_published: bool


def parse_finish_token(text: str | None) -> OpaqueToken:
    """Return *text* as a finish token.

    Raises:
        SsoRefusedError: it is missing, or is none. No store was asked.
    """
    if not text:
        raise SsoRefusedError(SsoFault.STATE_MISSING)
    token = find_token(text, TokenType.SSO_FINISH)
    if token is None:
        raise SsoRefusedError(SsoFault.STATE_MALFORMED)
    return token


def finish_saml_log_in(
    platform_db: Homes, targets: OutboxTargets, browser: ReturnedBrowser, *, now: datetime
) -> FinishedSamlLogIn:
    """Admit the person whom the answer has proven, and return the URL for the browser, with a code for the client.

    Raises:
        SsoRefusedError: the finish token is unknown, used or expired, or another browser began the log-in. The token is
            used up, unless another browser sent it.
        SsoForbiddenError: the person may not be a member.
        UnavailableError: the database is unreachable. The finish token may be used up.
    """
    log_in, person = _take_person(platform_db, browser, now=now)
    code = generate_token(TokenType.SSO_CODE, person.organization_id)
    publication = store_proven(platform_db, person, code, now=now)
    is_published = publication is None or run_entry(platform_db, targets, publication, now=now)
    url = with_query(log_in.redirect_uri, {"code": code.text})
    return FinishedSamlLogIn(url=url, state_digest=log_in.state_digest, is_published=is_published)


def _take_person(
    platform_db: Homes, browser: ReturnedBrowser, *, now: datetime
) -> tuple[HandedOverLogIn, ProvenPerson]:
    """Use up the finish token, and delete the proven person from the row."""
    organization_id = browser.token.organization_id
    with platform_db.tenant_transaction(organization_id) as conn:
        log_in = lock_sso_finish(conn, organization_id, browser.token.digest)
        if log_in is None:
            raise SsoRefusedError(SsoFault.STATE_UNKNOWN)
        secret = browser.find_secret(log_in.state_digest)
        if secret is None:
            raise SsoRefusedError(SsoFault.COOKIE_MISSING)
        if secret.digest != log_in.browser_digest:
            raise SsoRefusedError(SsoFault.OTHER_BROWSER)
        if log_in.finished_at is not None or log_in.encrypted_identity is None:
            raise SsoRefusedError(SsoFault.STATE_USED)
        if log_in.expires_at <= now:
            raise SsoRefusedError(SsoFault.STATE_EXPIRED)
        live = find_live_connection(conn, organization_id)
        if live is None or live.id != log_in.connection_id:
            raise SsoRefusedError(SsoFault.OTHER_CONNECTION)
        update_log_in_finished(conn, organization_id, log_in.state_digest, now=now)
    person = ProvenPerson(
        organization_id=organization_id,
        state_digest=log_in.state_digest,
        connection_id=log_in.connection_id,
        identity=decrypt_identity(log_in.encrypted_identity, browser.token, log_in.state_digest),
        request_id=browser.request_id,
        source_address=browser.source_address,
    )
    return log_in, person
