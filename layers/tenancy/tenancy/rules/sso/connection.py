"""The connection of an organization to its provider, and that to a provider of OpenID Connect."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final
from urllib.parse import urlsplit
from uuid import UUID

from tenancy.rules.domain_names import parse_domain_name
from tenancy.rules.people.member import Role
from tenancy.rules.sso.discovery import ProviderMetadata, is_https_url

SSO_FLAG: Final = "sso"
ISSUER_MAX_CHARACTERS: Final = 500
CLIENT_ID_MAX_CHARACTERS: Final = 255
CLIENT_SECRET_MAX_CHARACTERS: Final = 1_000
REDIRECT_URI_MAX_CHARACTERS: Final = 2_000
MAX_REDIRECT_URIS: Final = 10
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
ISSUER_TEXT: Final = "Expected an https URL without query and fragment, such as https://login.acme.example."
METADATA_URL_MAX_CHARACTERS: Final = 2_000
METADATA_URL_TEXT: Final = "Expected an https URL without fragment, such as https://login.acme.example/metadata."
REDIRECT_URI_TEXT: Final = (
    "Expected an https URL without fragment, such as https://app.acme.example/signed-in, or http with a loopback host."
)
PRINTABLE_TEXT: Final = "Expected printable ASCII characters without spaces."


class ConnectionType(StrEnum):
    """The protocol of a connection."""

    OIDC = "oidc"
    SAML = "saml"


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoClient:
    """The client that a provider knows the platform as. *secret* is None to keep the stored one."""

    issuer: str
    client_id: str
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """The settings of a connection that an organization chooses.

    New members get *default_role*. If single sign-on is *required*, passwords are off. A log-in redirects the browser
    to *redirect_uris* only.
    """

    default_role: Role
    required: bool
    redirect_uris: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRealm:
    """The provider within which a subject names one person.

    Its *issuer* is proven by TLS for OpenID Connect. A SAML provider only asserts its name, so *realm_id* ties its
    subjects to the connection as well.
    """

    type: ConnectionType
    issuer: str
    realm_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoConnection:
    """A stored connection of any type. Its metadata was read at *discovered_at*."""

    type: ClassVar[ConnectionType]
    id: UUID
    issuer: str
    discovered_at: datetime
    settings: ConnectionSettings
    created_at: datetime
    updated_at: datetime

    @property
    def realm(self) -> SubjectRealm:
        """The realm of the provider's subjects."""
        return SubjectRealm(type=self.type, issuer=self.issuer, realm_id=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcConnection(SsoConnection):
    """A stored connection. *id* changes with the issuer and with the client."""

    type: ClassVar[ConnectionType] = ConnectionType.OIDC
    client_id: str
    encrypted_secret: bytes = field(repr=False)
    metadata: ProviderMetadata

    def is_of(self, client: SsoClient) -> bool:
        """Tell whether the connection is one to the same issuer and client."""
        return (self.issuer, self.client_id) == (client.issuer, client.client_id)

    def with_metadata(self, metadata: ProviderMetadata) -> "OidcConnection":
        """Return the connection with other *metadata* of its issuer."""
        return replace(self, metadata=metadata)


def parse_issuer(text: str) -> str:
    """Return *text* if it may be an issuer.

    Raises:
        ValueError: it may not.
    """
    if not is_https_url(text, max_characters=ISSUER_MAX_CHARACTERS) or "?" in text:
        raise ValueError(ISSUER_TEXT)
    return text


def parse_metadata_url(text: str) -> str:
    """Return *text* if it may be the URL of a SAML provider's metadata.

    Raises:
        ValueError: it may not.
    """
    if not is_https_url(text, max_characters=METADATA_URL_MAX_CHARACTERS):
        raise ValueError(METADATA_URL_TEXT)
    return text


def parse_redirect_uri(text: str) -> str:
    """Return *text* if a log-in may redirect the browser to it.

    A page on the loopback interface is that of a developer or of a program on the person's device (RFC 8252, 7.3).

    Raises:
        ValueError: it may not.
    """
    secure = f"https{text.removeprefix('http')}" if text.startswith("http://") else text
    if not is_https_url(secure, max_characters=REDIRECT_URI_MAX_CHARACTERS):
        raise ValueError(REDIRECT_URI_TEXT)
    if secure is not text and not _is_loopback(urlsplit(text).hostname or ""):
        raise ValueError(REDIRECT_URI_TEXT)
    return text


def host_of(redirect_uri: str) -> str:
    """Return the host of *redirect_uri* as domains are stored, or an empty text if it is no domain name."""
    try:
        return parse_domain_name(urlsplit(redirect_uri).hostname or "")
    except ValueError:
        return ""


def parse_printable(text: str) -> str:
    """Return *text* if it is printable ASCII without spaces, as the parameters of OAuth are.

    Raises:
        ValueError: it is not.
    """
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(PRINTABLE_TEXT)
    return text


def _is_loopback(host: str) -> bool:
    return host in LOOPBACK or host.endswith(".localhost")
