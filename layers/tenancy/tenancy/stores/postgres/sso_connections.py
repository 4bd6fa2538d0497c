"""The connection of an organization for single sign-on."""

from dataclasses import asdict, astuple, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import kwargs_row

from tenancy.rules.people.member import Role
from tenancy.rules.sso.connection import ConnectionSettings, ConnectionType, SsoConnection
from tenancy.rules.sso.discovery import ProviderMetadata
from tenancy.stores.postgres.client import Connection

METADATA_COLUMNS: Final = tuple(each.name for each in fields(ProviderMetadata))
FIND_CONNECTION: Final = """
    SELECT id, type, issuer, client_id, encrypted_secret, authorization_endpoint, token_endpoint, jwks_uri,
           userinfo_endpoint, is_secret_in_form, names_issuer, discovered_at, default_role, required, redirect_uris,
           created_at, updated_at
    FROM sso_connections WHERE organization_id = %s AND ended_at IS NULL
"""
LOCK_CONNECTION: Final = FIND_CONNECTION + " FOR NO KEY UPDATE"
UPSERT_CONNECTION: Final = """
    INSERT INTO sso_connections (
        organization_id, id, type, issuer, client_id, encrypted_secret, authorization_endpoint, token_endpoint,
        jwks_uri, userinfo_endpoint, is_secret_in_form, names_issuer, discovered_at, default_role, required,
        redirect_uris, created_at, updated_at
    )
    VALUES (
        %(organization_id)s, %(id)s, %(type)s, %(issuer)s, %(client_id)s, %(encrypted_secret)s,
        %(authorization_endpoint)s, %(token_endpoint)s, %(jwks_uri)s, %(userinfo_endpoint)s, %(is_secret_in_form)s,
        %(names_issuer)s, %(discovered_at)s, %(default_role)s, %(required)s, %(redirect_uris)s, %(created_at)s,
        %(updated_at)s
    )
    ON CONFLICT (organization_id) DO UPDATE SET
        id = excluded.id, type = excluded.type, issuer = excluded.issuer, client_id = excluded.client_id,
        encrypted_secret = excluded.encrypted_secret, authorization_endpoint = excluded.authorization_endpoint,
        token_endpoint = excluded.token_endpoint, jwks_uri = excluded.jwks_uri,
        userinfo_endpoint = excluded.userinfo_endpoint,
        is_secret_in_form = excluded.is_secret_in_form, names_issuer = excluded.names_issuer,
        discovered_at = excluded.discovered_at, default_role = excluded.default_role, required = excluded.required,
        redirect_uris = excluded.redirect_uris, updated_at = excluded.updated_at
"""
UPDATE_METADATA: Final = """
    UPDATE sso_connections SET authorization_endpoint = %s, token_endpoint = %s, jwks_uri = %s,
           userinfo_endpoint = %s, is_secret_in_form = %s, names_issuer = %s, discovered_at = %s
    WHERE organization_id = %s AND id = %s
"""
UPDATE_NOT_REQUIRED: Final = "UPDATE sso_connections SET required = false, updated_at = %s WHERE organization_id = %s"
FIND_REQUIRED: Final = "SELECT required FROM sso_connections WHERE organization_id = %s AND ended_at IS NULL"
UPDATE_ENDED: Final = "UPDATE sso_connections SET ended_at = %s WHERE organization_id = %s"
DELETE_ENDED: Final = "DELETE FROM sso_connections WHERE organization_id = %s AND ended_at IS NOT NULL"


def find_sso_connection(conn: Connection, organization_id: UUID) -> SsoConnection | None:
    """Return the connection of the organization, or None."""
    with conn.cursor(row_factory=kwargs_row(_connection)) as cursor:
        return cursor.execute(FIND_CONNECTION, (organization_id,)).fetchone()


def lock_sso_connection(conn: Connection, organization_id: UUID) -> SsoConnection | None:
    """Return the connection of the organization, locked until the transaction ends, or None."""
    with conn.cursor(row_factory=kwargs_row(_connection)) as cursor:
        return cursor.execute(LOCK_CONNECTION, (organization_id,)).fetchone()


def upsert_sso_connection(conn: Connection, organization_id: UUID, connection: SsoConnection) -> None:
    """Insert the connection of the organization, or replace it."""
    settings = connection.settings
    values: dict[str, object] = {
        "organization_id": organization_id,
        "id": connection.id,
        "type": connection.type,
        "issuer": connection.issuer,
        "client_id": connection.client_id,
        "encrypted_secret": connection.encrypted_secret,
        "discovered_at": connection.discovered_at,
        "default_role": settings.default_role,
        "required": settings.required,
        "redirect_uris": list(settings.redirect_uris),
        "created_at": connection.created_at,
        "updated_at": connection.updated_at,
        **asdict(connection.metadata),
    }
    conn.execute(UPSERT_CONNECTION, values)


def update_metadata(
    conn: Connection, organization_id: UUID, connection_id: UUID, metadata: ProviderMetadata, *, now: datetime
) -> None:
    """Store the metadata that the provider publishes now, unless the connection was replaced."""
    conn.execute(UPDATE_METADATA, (*astuple(metadata), now, organization_id, connection_id))


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


def _connection(
    *,
    type: str,  # noqa: A002 - the column
    default_role: str,
    required: bool,
    redirect_uris: list[str],
    **columns: Any,  # noqa: ANN401 - the other columns
) -> SsoConnection:
    metadata = ProviderMetadata(**{name: columns.pop(name) for name in METADATA_COLUMNS})
    settings = ConnectionSettings(
        default_role=Role(default_role), required=required, redirect_uris=tuple(redirect_uris)
    )
    return SsoConnection(type=ConnectionType(type), metadata=metadata, settings=settings, **columns)
