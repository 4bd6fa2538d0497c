"""Take the answer of a SAML provider.

A browser brings it by a POST from the provider's page, without its cookie. So the sender gets a finish token only, with
which the browser comes by a GET with its cookie. The state is used up, in a transaction of its own, before the answer
is parsed: a forged answer costs its sender a log-in, and no answer is processed twice, also if the process dies. Then
the person starts again.
"""

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tenancy.errors import UnreachableUrlError
from tenancy.rules.durations import (
    METADATA_MAX_AGE,
    SAML_LEEWAY,
    SAML_METADATA_PAUSE,
    SSO_CODE_LIFETIME,
    SSO_PROOF_TIME,
)
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.rules.saml.answer import MAX_SAML_ANSWER_BYTES, ExpectedAnswer, ProvenAssertion, verify_answer
from tenancy.rules.saml.connection import SamlConnection, SamlProvider, ServiceProvider
from tenancy.rules.saml.encrypted_identity import encrypt_identity
from tenancy.rules.saml.relay_state import find_relayed_state, request_id_of
from tenancy.rules.sso.discovery import MetadataError
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.sso_assertions import delete_expired_assertions, insert_assertion
from tenancy.stores.postgres.sso_connections import update_attempt, update_provider
from tenancy.stores.postgres.sso_log_ins import lock_sso_state, update_log_in_handed_over, update_state_used
from tenancy.use_cases.sso.live_connection import find_live_connection, require_usable
from tenancy.use_cases.sso.read_provider import read_provider

MAX_BASE64_CHARACTERS: Final = MAX_SAML_ANSWER_BYTES * 4 // 3 + 4


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlAnswer:
    """The answer of a provider, in base64, to the request with *state*.

    *service* is the platform as the provider knows it.
    """

    state: OpaqueToken
    text: str = field(repr=False)
    service: ServiceProvider


def parse_relay_state(text: str | None) -> OpaqueToken:
    """Return the RelayState *text* as a state.

    Raises:
        SsoRefusedError: it is missing, or is no state. No store was asked.
    """
    if not text:
        raise SsoRefusedError(SsoFault.STATE_MISSING)
    state = find_relayed_state(text)
    if state is None:
        raise SsoRefusedError(SsoFault.STATE_MALFORMED)
    return state


def take_saml_answer(
    platform_db: Homes, fetcher: Fetcher, answer: SamlAnswer, *, now: datetime, clock: Callable[[], datetime]
) -> OpaqueToken:
    """Verify the answer of a provider, and return the finish token for its browser.

    *clock* tells the time after the metadata of the provider was read.

    Raises:
        SsoRefusedError: the answer proves no identity. Its state is used up.
        UnavailableError: PostgreSQL or `fetch` is unreachable. The state may be used up.
    """
    connection = _use_state(platform_db, answer, now=now)
    proven = _prove(platform_db, fetcher, connection, answer, now=now, clock=clock)
    token = generate_token(TokenType.SSO_FINISH, answer.state.organization_id)
    _hand_over(platform_db, connection, answer, proven, token, now=clock())
    return token


def _use_state(platform_db: Homes, answer: SamlAnswer, *, now: datetime) -> SamlConnection:
    organization_id, digest = answer.state.organization_id, answer.state.digest
    with platform_db.tenant_transaction(organization_id) as conn:
        log_in = lock_sso_state(conn, organization_id, digest)
        live = find_live_connection(conn, organization_id)
        if log_in is None:
            raise SsoRefusedError(SsoFault.STATE_UNKNOWN)
        connection = require_usable(log_in, live, SamlConnection, now=now)
        update_state_used(conn, organization_id, digest, now=now, keep_until=now + SSO_PROOF_TIME)
    return connection


def _prove(
    platform_db: Homes,
    fetcher: Fetcher,
    connection: SamlConnection,
    answer: SamlAnswer,
    *,
    now: datetime,
    clock: Callable[[], datetime],
) -> ProvenAssertion:
    """Verify the answer with the certificates of the last day, and with newer ones if another key has signed it."""
    document = _decode(answer.text)
    if now - connection.discovered_at >= METADATA_MAX_AGE:
        connection = _refreshed(platform_db, fetcher, connection, answer, now=now)
    try:
        return verify_answer(document, _expected(connection.provider, answer), now=clock())
    except SsoRefusedError as refusal:
        if refusal.reason is not SsoFault.SIGNATURE or now - connection.discovered_at < SAML_METADATA_PAUSE:
            raise
        refreshed = _refreshed(platform_db, fetcher, connection, answer, now=now)
        if refreshed.certificates == connection.certificates:
            raise
    return verify_answer(document, _expected(refreshed.provider, answer), now=clock())


def _decode(text: str) -> bytes:
    if not text:
        raise SsoRefusedError(SsoFault.ANSWER_MISSING)
    digits = "".join(text.split())  # some providers fold it
    if len(digits) > MAX_BASE64_CHARACTERS:
        raise SsoRefusedError(SsoFault.ANSWER_TOO_LARGE)
    try:
        return b64decode(digits, validate=True)
    except (ValueError, binascii.Error) as error:
        raise SsoRefusedError(SsoFault.ANSWER_MALFORMED) from error


def _expected(provider: SamlProvider, answer: SamlAnswer) -> ExpectedAnswer:
    return ExpectedAnswer(
        provider=provider,
        audience=answer.service.entity_id,
        recipient=answer.service.answer_url,
        request_id=request_id_of(answer.state),
    )


def _refreshed(
    platform_db: Homes, fetcher: Fetcher, connection: SamlConnection, answer: SamlAnswer, *, now: datetime
) -> SamlConnection:
    """Return *connection* with the metadata that its URL has now.

    If there is no URL, or its document cannot be read or describes another provider, the stored metadata stays until
    the next day: a forged answer must not cause a call each time.
    """
    if connection.metadata_url is None:
        return connection
    organization_id = answer.state.organization_id
    try:
        provider = read_provider(fetcher, connection.metadata_url, now=now)
    except (MetadataError, UnreachableUrlError):
        provider = None
    with platform_db.tenant_transaction(organization_id) as conn:
        if provider is None or provider.entity_id != connection.issuer:
            update_attempt(conn, organization_id, connection.id, now=now)
            return connection.with_provider(connection.provider, read_at=now)
        update_provider(conn, organization_id, connection.id, provider, now=now)
    return connection.with_provider(provider, read_at=now)


def _hand_over(
    platform_db: Homes,
    connection: SamlConnection,
    answer: SamlAnswer,
    proven: ProvenAssertion,
    token: OpaqueToken,
    *,
    now: datetime,
) -> None:
    """Take the id of the assertion, and store the person for the browser, in one transaction.

    Raises:
        SsoRefusedError: the assertion was taken before, or the connection has ended.
    """
    organization_id, digest = answer.state.organization_id, answer.state.digest
    with platform_db.tenant_transaction(organization_id) as conn:
        live = find_live_connection(conn, organization_id)
        if live is None or live.id != connection.id:
            raise SsoRefusedError(SsoFault.OTHER_CONNECTION)
        delete_expired_assertions(conn, organization_id, before=now - SAML_LEEWAY)
        insert_assertion(conn, organization_id, _assertion_digest(proven), expires_at=proven.expires_at)
        update_log_in_handed_over(
            conn,
            organization_id,
            digest,
            finish_digest=token.digest,
            encrypted_identity=encrypt_identity(proven.identity, token, digest),
            expires_at=now + SSO_CODE_LIFETIME,
        )


def _assertion_digest(proven: ProvenAssertion) -> bytes:
    """Return the SHA-256 of provider and assertion. An id is unique for its provider only."""
    return hashlib.sha256(f"{proven.identity.issuer}\n{proven.assertion_id}".encode()).digest()
