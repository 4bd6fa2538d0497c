"""The connection of an organization for single sign-on."""

from dataclasses import asdict, astuple, dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row

from tenancy.rules.people.member import Role
from tenancy.rules.saml.connection import SamlConnection, SamlProvider
from tenancy.rules.sso.connection import ConnectionSettings, ConnectionType, OidcConnection, SsoConnection
from tenancy.rules.sso.discovery import ProviderMetadata
from tenancy.stores.postgres.client import Connection

# Those of one type only. They are null in the rows of the other one.
OWN_COLUMNS: Final = (
    *("client_id", "encrypted_secret", "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"),
    *("is_secret_in_form", "names_issuer", "realm_id", "sign_in_url", "certificates", "metadata_url"),
)
FIND_CONNECTION: Final = """
    SELECT id, type, issuer, client_id, encrypted_secret, authorization_endpoint, token_endpoint, jwks_uri,
           userinfo_endpoint, is_secret_in_form, names_issuer, realm_id, sign_in_url, certificates, metadata_url,
           discovered_at, default_role, required, redirect_uris, created_at, updated_at
    FROM sso_connections WHERE organization_id = %s AND ended_at IS NULL
"""
LOCK_CONNECTION: Final = FIND_CONNECTION + " FOR NO KEY UPDATE"
UPSERT_CONNECTION: Final = """
    INSERT INTO sso_connections (
        organization_id, id, type, issuer, client_id, encrypted_secret, authorization_endpoint, token_endpoint,
        jwks_uri, userinfo_endpoint, is_secret_in_form, names_issuer, realm_id, sign_in_url, certificates, metadata_url,
        discovered_at, default_role, required, redirect_uris, created_at, updated_at
    )
    VALUES (
        %(organization_id)s, %(id)s, %(type)s, %(issuer)s, %(client_id)s, %(encrypted_secret)s,
        %(authorization_endpoint)s, %(token_endpoint)s, %(jwks_uri)s, %(userinfo_endpoint)s, %(is_secret_in_form)s,
        %(names_issuer)s, %(realm_id)s, %(sign_in_url)s, %(certificates)s, %(metadata_url)s, %(discovered_at)s,
        %(default_role)s, %(required)s, %(redirect_uris)s, %(created_at)s, %(updated_at)s
    )
    ON CONFLICT (organization_id) DO UPDATE SET
        id = excluded.id, type = excluded.type, issuer = excluded.issuer, client_id = excluded.client_id,
        encrypted_secret = excluded.encrypted_secret, authorization_endpoint = excluded.authorization_endpoint,
        token_endpoint = excluded.token_endpoint, jwks_uri = excluded.jwks_uri,
        userinfo_endpoint = excluded.userinfo_endpoint,
        is_secret_in_form = excluded.is_secret_in_form, names_issuer = excluded.names_issuer,
        realm_id = excluded.realm_id, sign_in_url = excluded.sign_in_url,
        certificates = excluded.certificates, metadata_url = excluded.metadata_url,
        discovered_at = excluded.discovered_at, default_role = excluded.default_role, required = excluded.required,
        redirect_uris = excluded.redirect_uris, updated_at = excluded.updated_at
"""
UPDATE_METADATA: Final = """
    UPDATE sso_connections SET authorization_endpoint = %s, token_endpoint = %s, jwks_uri = %s,
           userinfo_endpoint = %s, is_secret_in_form = %s, names_issuer = %s, discovered_at = %s
    WHERE organization_id = %s AND id = %s
"""
UPDATE_PROVIDER: Final = """
    UPDATE sso_connections SET sign_in_url = %s, certificates = %s, discovered_at = %s
    WHERE organization_id = %s AND id = %s
"""
# A refresh that succeeds at the same time keeps its certificates.
UPDATE_ATTEMPT: Final = """
    UPDATE sso_connections SET discovered_at = greatest(discovered_at, %s) WHERE organization_id = %s AND id = %s
"""
UPDATE_NOT_REQUIRED: Final = "UPDATE sso_connections SET required = false, updated_at = %s WHERE organization_id = %s"
FIND_REQUIRED: Final = "SELECT required FROM sso_connections WHERE organization_id = %s AND ended_at IS NULL"
UPDATE_ENDED: Final = "UPDATE sso_connections SET ended_at = %s WHERE organization_id = %s"
DELETE_ENDED: Final = "DELETE FROM sso_connections WHERE organization_id = %s AND ended_at IS NOT NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRow:
    """A row. The columns of the other type are null."""

    id: UUID
    type: str
    issuer: str
    client_id: str | None
    encrypted_secret: bytes | None
    authorization_endpoint: str | None
    token_endpoint: str | None
    jwks_uri: str | None
    userinfo_endpoint: str | None
    is_secret_in_form: bool | None
    names_issuer: bool | None
    realm_id: UUID | None
    sign_in_url: str | None
    certificates: list[bytes] | None
    metadata_url: str | None
    discovered_at: datetime
    default_role: str
    required: bool
    redirect_uris: list[str]
    created_at: datetime
    updated_at: datetime


def find_sso_connection(conn: Connection, organization_id: UUID) -> SsoConnection | None:
    """Return the connection of the organization, or None."""
    with conn.cursor(row_factory=class_row(ConnectionRow)) as cursor:
        row = cursor.execute(FIND_CONNECTION, (organization_id,)).fetchone()
    return _connection(row) if row is not None else None


def lock_sso_connection(conn: Connection, organization_id: UUID) -> SsoConnection | None:
    """Return the connection of the organization, locked until the transaction ends, or None."""
    with conn.cursor(row_factory=class_row(ConnectionRow)) as cursor:
        row = cursor.execute(LOCK_CONNECTION, (organization_id,)).fetchone()
    return _connection(row) if row is not None else None


def upsert_sso_connection(conn: Connection, organization_id: UUID, connection: SsoConnection) -> None:
    """Insert the connection of the organization, or replace it."""
    settings = connection.settings
    values: dict[str, object] = {
        **dict.fromkeys(OWN_COLUMNS),
        **_own_values(connection),
        "organization_id": organization_id,
        "id": connection.id,
        "type": connection.type,
        "issuer": connection.issuer,
        "discovered_at": connection.discovered_at,
        "default_role": settings.default_role,
        "required": settings.required,
        "redirect_uris": list(settings.redirect_uris),
        "created_at": connection.created_at,
        "updated_at": connection.updated_at,
    }
    conn.execute(UPSERT_CONNECTION, values)


def update_metadata(
    conn: Connection, organization_id: UUID, connection_id: UUID, metadata: ProviderMetadata, *, now: datetime
) -> None:
    """Store the metadata that the provider publishes now, unless the connection was replaced."""
    conn.execute(UPDATE_METADATA, (*astuple(metadata), now, organization_id, connection_id))


def update_provider(
    conn: Connection, organization_id: UUID, connection_id: UUID, provider: SamlProvider, *, now: datetime
) -> None:
    """Store the SAML metadata that the provider publishes now, unless the connection was replaced."""
    values = (provider.sign_in_url, list(provider.certificates), now)
    conn.execute(UPDATE_PROVIDER, (*values, organization_id, connection_id))


def update_attempt(conn: Connection, organization_id: UUID, connection_id: UUID, *, now: datetime) -> None:
    """Store that the SAML metadata could not be read, unless the connection was replaced."""
    conn.execute(UPDATE_ATTEMPT, (now, organization_id, connection_id))


def update_not_required(conn: Connection, organization_id: UUID, *, now: datetime) -> None:
    """Switch passwords on again."""
    conn.execute(UPDATE_NOT_REQUIRED, (now, organization_id))


def is_sso_required(conn: Connection, organization_id: UUID) -> bool:
    """Tell whether the organization takes no passwords."""
    row = conn.execute(FIND_REQUIRED, (organization_id,)).fetchone()
    return row is not None and row[0]


def delete_sso_connection(conn: Connection, organization_id: UUID, *, now: datetime) -> None:
    """End the connection of the organization, and delete it with its secret."""
    conn.execute(UPDATE_ENDED, (now, organization_id))
    conn.execute(DELETE_ENDED, (organization_id,))


def _own_values(connection: SsoConnection) -> dict[str, object]:
    """Return the columns that only connections of this type have."""
    match connection:
        case OidcConnection(client_id=client_id, encrypted_secret=encrypted_secret, metadata=metadata):
            return {"client_id": client_id, "encrypted_secret": encrypted_secret, **asdict(metadata)}
        case SamlConnection():
            own = {name: getattr(connection, name) for name in ("realm_id", "sign_in_url", "metadata_url")}
            return {**own, "certificates": list(connection.certificates)}
        case _:
            raise TypeError(connection.type)


def _connection(row: ConnectionRow) -> SsoConnection:
    columns: dict[str, Any] = asdict(row)
    own = {name: columns.pop(name) for name in OWN_COLUMNS}
    connection_type = columns.pop("type")
    columns["settings"] = ConnectionSettings(
        default_role=Role(columns.pop("default_role")),
        required=columns.pop("required"),
        redirect_uris=tuple(columns.pop("redirect_uris")),
    )
    if connection_type == ConnectionType.SAML:
        return SamlConnection(
            realm_id=own["realm_id"],
            sign_in_url=own["sign_in_url"],
            certificates=tuple(own["certificates"]),
            metadata_url=own["metadata_url"],
            **columns,
        )
    return OidcConnection(
        client_id=own["client_id"],
        encrypted_secret=own["encrypted_secret"],
        metadata=ProviderMetadata(**{each.name: own[each.name] for each in fields(ProviderMetadata)}),
        **columns,
    )
