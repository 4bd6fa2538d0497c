"""Set the connection of an organization to a SAML provider.

Reasons: docs/decisions/0072-saml.md.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from tenancy.errors import UnreachableUrlError
from tenancy.rules.audit_record import Actor
from tenancy.rules.saml.connection import SamlConnection, SamlProvider
from tenancy.rules.saml.provider import parse_provider
from tenancy.rules.sso.connection import ConnectionSettings, SsoConnection
from tenancy.rules.sso.discovery import MetadataError
from tenancy.rules.tenant import AdmittedTenant
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.sso.connect import invalid_member, require_may_connect, store_connection
from tenancy.use_cases.sso.read_provider import read_provider


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSamlConnection:
    """A connection as a request describes it: by the URL of the provider's metadata, or by the metadata itself."""

    metadata_url: str | None
    metadata_xml: str | None
    settings: ConnectionSettings


def set_saml_connection(
    platform_db: Homes,
    fetcher: Fetcher,
    tenant: AdmittedTenant,
    wanted: WantedSamlConnection,
    actor: Actor,
    *,
    now: datetime,
) -> SsoConnection:
    """Set the connection of the tenant, in place of a former one, and return it.

    The metadata is read first. A change of the provider's name, URL or certificates cancels the log-ins that have
    begun.

    Raises:
        NotInTierError: the organization has no single sign-on.
        ForbiddenError: the caller lacks a permission.
        InvalidError: the metadata cannot be used.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: PostgreSQL or `fetch` is unreachable. The connection may be stored. A retry is safe.
    """
    require_may_connect(tenant)
    provider = _read(fetcher, wanted, now=now)

    def connect(before: SsoConnection | None) -> SsoConnection:
        same = before if isinstance(before, SamlConnection) and before.is_of(provider, wanted.metadata_url) else None
        return SamlConnection(
            id=same.id if same is not None and same.provider == provider else uuid4(),
            realm_id=same.realm_id if same is not None else uuid4(),
            issuer=provider.entity_id,
            sign_in_url=provider.sign_in_url,
            certificates=provider.certificates,
            metadata_url=wanted.metadata_url,
            discovered_at=now,
            settings=wanted.settings,
            created_at=before.created_at if before is not None else now,
            updated_at=now,
        )

    return store_connection(platform_db, tenant, connect, actor, now=now)


def _read(fetcher: Fetcher, wanted: WantedSamlConnection, *, now: datetime) -> SamlProvider:
    if wanted.metadata_url is not None:
        try:
            return read_provider(fetcher, wanted.metadata_url, now=now)
        except (MetadataError, UnreachableUrlError) as error:
            raise invalid_member("metadata_url", "invalid", str(error)) from error
    try:
        return parse_provider((wanted.metadata_xml or "").encode(), now=now)
    except MetadataError as error:
        raise invalid_member("metadata_xml", "invalid", str(error)) from error
