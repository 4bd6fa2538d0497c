"""Calls the OpenID Connect provider of an organization, always through the function `fetch`."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote_plus
from uuid import UUID

import jwt

from tenancy.errors import UnreachableUrlError
from tenancy.rules.durations import PROVIDER_KEYS_MAX_AGE, PROVIDER_KEYS_PAUSE
from tenancy.rules.fetching import FetchedDocument
from tenancy.rules.sso.connection import OidcConnection
from tenancy.rules.sso.discovery import (
    MAX_METADATA_BYTES,
    MetadataError,
    ProviderMetadata,
    metadata_url,
    parse_metadata,
)
from tenancy.rules.sso.json_objects import parse_object
from tenancy.rules.sso.provider_keys import MAX_KEY_SET_BYTES, ProviderKeys, parse_provider_keys
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.aws.fetch import Fetcher

JSON: Final = "application/json"
MAX_TOKENS_BYTES: Final = 64 * 1024
MAX_CACHED_KEY_SETS: Final = 100  # of a process


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeExchange:
    """The code of a provider's answer, with the verifier and redirect URI that belong to it."""

    code: str
    code_verifier: str
    redirect_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTokens:
    """The tokens of a provider. *access_token* is None if there is none."""

    id_token: str
    access_token: str | None


@dataclass(slots=True, kw_only=True)
class _CachedKeys:
    keys: ProviderKeys
    read_at: datetime


class Providers:
    """The providers of all organizations.

    The keys of each are cached for its organization alone. They are read again after an hour, and for a token whose
    key is unknown at most every 30 seconds.
    """

    def __init__(self, fetcher: Fetcher, encryptor: Encryptor) -> None:
        """Fetch with *fetcher*, and decrypt client secrets with *encryptor*."""
        self._fetcher = fetcher
        self._encryptor = encryptor
        self._cached: dict[tuple[UUID, str], _CachedKeys] = {}

    def discover(self, issuer: str) -> ProviderMetadata:
        """Return the metadata that *issuer* publishes now.

        Raises:
            MetadataError: it cannot be used. The text is for the administrator.
            UnreachableUrlError: it was not fetched.
            UnavailableError: the function `fetch` does not work.
        """
        url = metadata_url(issuer)
        found = self._fetcher.fetch_url(url, max_bytes=MAX_METADATA_BYTES, accept=JSON)
        if found.status != HTTPStatus.OK:
            raise MetadataError(f"{url} answered with the status {found.status}. Expected 200. Correct `issuer`.")
        return parse_metadata(found.body, issuer)

    def exchange_code(
        self, organization_id: UUID, connection: OidcConnection, exchange: CodeExchange
    ) -> ProviderTokens:
        """Return the tokens for the code of *exchange*.

        Raises:
            SsoRefusedError: the provider refuses the code, is unreachable, or answers with something else.
            UnavailableError: KMS or the function `fetch` does not work.
        """
        secret = self._encryptor.decrypt(connection.encrypted_secret, organization_id).decode()
        form = {
            "grant_type": "authorization_code",
            "code": exchange.code,
            "redirect_uri": exchange.redirect_uri,
            "code_verifier": exchange.code_verifier,
        }
        headers: Mapping[str, str] = {}
        if connection.metadata.is_secret_in_form:
            form |= {"client_id": connection.client_id, "client_secret": secret}
        else:
            headers = {"Authorization": _basic(connection.client_id, secret)}
        url = connection.metadata.token_endpoint
        try:
            answer = self._fetcher.fetch_url(url, max_bytes=MAX_TOKENS_BYTES, accept=JSON, form=form, headers=headers)
        except UnreachableUrlError as error:
            raise SsoRefusedError(SsoFault.PROVIDER_UNREACHABLE) from error
        if answer.status != HTTPStatus.OK:
            raise SsoRefusedError(SsoFault.CODE_REFUSED)
        return _tokens(answer)

    def read_userinfo(self, connection: OidcConnection, access_token: str) -> bytes | None:
        """Return the claims about the person with *access_token*, or None if the provider has no such endpoint.

        Raises:
            SsoRefusedError: the provider refuses the token or is unreachable.
            UnavailableError: the function `fetch` does not work.
        """
        url = connection.metadata.userinfo_endpoint
        if url is None or not access_token.isascii() or not access_token.isprintable():
            return None
        headers = {"Authorization": f"Bearer {access_token}"}
        try:
            answer = self._fetcher.fetch_url(url, max_bytes=MAX_TOKENS_BYTES, accept=JSON, headers=headers)
        except UnreachableUrlError as error:
            raise SsoRefusedError(SsoFault.PROVIDER_UNREACHABLE) from error
        if answer.status != HTTPStatus.OK:
            raise SsoRefusedError(SsoFault.ANSWER_MALFORMED)
        return answer.body

    def find_key(
        self, organization_id: UUID, connection: OidcConnection, kid: str | None, algorithm: str, *, now: datetime
    ) -> jwt.PyJWK | None:
        """Return the key of a token with *kid* and *algorithm*, or None. Keys that are not cached are read.

        Raises:
            SsoRefusedError: the keys cannot be read, or must not verify tokens.
            UnavailableError: the function `fetch` does not work.
        """
        name = (organization_id, connection.metadata.jwks_uri)
        cached = self._cached.get(name)
        if cached is None or not timedelta() <= now - cached.read_at < PROVIDER_KEYS_MAX_AGE:
            cached = self._read_keys(name, now=now)
        found = cached.keys.find(kid, algorithm)
        if found is None and now - cached.read_at >= PROVIDER_KEYS_PAUSE:
            found = self._read_keys(name, now=now).keys.find(kid, algorithm)
        return found

    def _read_keys(self, name: tuple[UUID, str], *, now: datetime) -> _CachedKeys:
        try:
            answer = self._fetcher.fetch_url(name[1], max_bytes=MAX_KEY_SET_BYTES, accept=JSON)
        except UnreachableUrlError as error:
            raise SsoRefusedError(SsoFault.PROVIDER_UNREACHABLE) from error
        if answer.status != HTTPStatus.OK:
            raise SsoRefusedError(SsoFault.PROVIDER_UNREACHABLE)
        read = _CachedKeys(keys=parse_provider_keys(answer.body), read_at=now)
        self._cached.pop(name, None)
        if len(self._cached) >= MAX_CACHED_KEY_SETS:
            del self._cached[next(iter(self._cached))]
        self._cached[name] = read
        return read


def _basic(client_id: str, secret: str) -> str:
    """Return the credential of a client, encoded as a form first (RFC 6749, 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _tokens(answer: FetchedDocument) -> ProviderTokens:
    try:
        members: Mapping[str, Any] = parse_object(answer.body)
    except ValueError as error:
        raise SsoRefusedError(SsoFault.ANSWER_MALFORMED) from error
    id_token, access_token = members.get("id_token"), members.get("access_token")
    if not isinstance(id_token, str):
        raise SsoRefusedError(SsoFault.TOKEN_MISSING)
    return ProviderTokens(id_token=id_token, access_token=access_token if isinstance(access_token, str) else None)
