"""The connection of an organization to its SAML provider. This module needs no XML: other functions import it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

from tenancy.rules.sso.connection import ConnectionType, SsoConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlProvider:
    """A provider: its name, the URL for log-ins by browsers, and the certificates of its signing keys, as DER."""

    entity_id: str
    sign_in_url: str
    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProvider:
    """The platform as the provider of one organization knows it: its name, and the URL that takes answers."""

    entity_id: str
    answer_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlConnection(SsoConnection):
    """A stored connection. Its *issuer* is the entity id of the provider.

    *id* changes with each part of the provider that an administrator changes. *metadata_url* is None if the
    administrator sent the metadata.
    """

    type: ClassVar[ConnectionType] = ConnectionType.SAML
    sign_in_url: str
    certificates: tuple[bytes, ...]
    metadata_url: str | None

    @property
    def provider(self) -> SamlProvider:
        """The provider as its metadata describes it."""
        return SamlProvider(entity_id=self.issuer, sign_in_url=self.sign_in_url, certificates=self.certificates)

    def with_provider(self, provider: SamlProvider, *, read_at: datetime) -> "SamlConnection":
        """Return the connection with the parts of the same *provider* that its metadata had at *read_at*."""
        return replace(
            self, sign_in_url=provider.sign_in_url, certificates=provider.certificates, discovered_at=read_at
        )
