"""A stored connection for single sign-on."""

from uuid import UUID, uuid4

from tenancy.rules.people.member import Role
from tenancy.rules.sso.connection import ConnectionSettings, OidcConnection, SsoConnection
from tenancy.rules.sso.discovery import ProviderMetadata
from tenancy.stores.postgres.sso_connections import upsert_sso_connection
from tests.given import NOW, Databases


def connect(databases: Databases, organization_id: UUID) -> SsoConnection:
    """Give the organization a connection that switches passwords off."""
    connection = OidcConnection(
        id=uuid4(),
        issuer="https://idp.acme.example",
        client_id="client",
        encrypted_secret=b"encrypted",
        metadata=ProviderMetadata(
            authorization_endpoint="https://idp.acme.example/authorize",
            token_endpoint="https://idp.acme.example/token",
            jwks_uri="https://idp.acme.example/jwks",
            userinfo_endpoint=None,
            is_secret_in_form=False,
            names_issuer=False,
        ),
        discovered_at=NOW,
        settings=ConnectionSettings(default_role=Role.VIEWER, required=True, redirect_uris=("https://a.example/",)),
        created_at=NOW,
        updated_at=NOW,
    )
    with databases.platform.tenant_transaction(organization_id) as conn:
        upsert_sso_connection(conn, organization_id, connection)
    return connection
