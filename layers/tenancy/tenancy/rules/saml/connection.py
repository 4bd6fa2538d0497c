"""The connection of an organization to its SAML provider. This module needs no XML: other functions import it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from tenancy.rules.sso.connection import ConnectionType, SsoConnection, SubjectRealm


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

    *id* changes with each part of the provider that an administrator changes. *realm_id* stays while the source of the
    metadata and the name of the provider stay, so also when certificates change. *metadata_url* is None if the
    administrator sent the metadata.
    """

    type: ClassVar[ConnectionType] = ConnectionType.SAML
    realm_id: UUID
    sign_in_url: str
    certificates: tuple[bytes, ...]
    metadata_url: str | None

    @property
    def realm(self) -> SubjectRealm:
        """The realm of the provider's subjects."""
        return SubjectRealm(type=self.type, issuer=self.issuer, realm_id=self.realm_id)

    def is_of(self, provider: SamlProvider, metadata_url: str | None) -> bool:
        """Tell whether the connection is one to the *provider* of that name, with its metadata from the same source."""
        return (self.issuer, self.metadata_url) == (provider.entity_id, metadata_url)

    @property
    def provider(self) -> SamlProvider:
        """The provider as its metadata describes it."""
        return SamlProvider(entity_id=self.issuer, sign_in_url=self.sign_in_url, certificates=self.certificates)

    def with_provider(self, provider: SamlProvider, *, read_at: datetime) -> "SamlConnection":
        """Return the connection with the parts of the same *provider* that its metadata had at *read_at*."""
        return replace(
            self, sign_in_url=provider.sign_in_url, certificates=provider.certificates, discovered_at=read_at
        )
