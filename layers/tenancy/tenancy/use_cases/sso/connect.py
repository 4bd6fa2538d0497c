"""The connection of an organization: set, show and remove it.

Reasons: docs/decisions/0070-single-sign-on.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from tenancy.errors import BODY, FieldError, InvalidError, NotFoundError, UnreachableUrlError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.entitlements import require_flag
from tenancy.rules.people.member import Role, require_permissions_of
from tenancy.rules.sso.connection import SSO_FLAG, ConnectionSettings, OidcConnection, SsoClient, SsoConnection
from tenancy.rules.sso.discovery import MetadataError, ProviderMetadata
from tenancy.rules.standing import require_existing
from tenancy.rules.tenant import AdmittedTenant, Tenant
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.sso_connections import (
    delete_sso_connection,
    find_sso_connection,
    lock_sso_connection,
    upsert_sso_connection,
)
from tenancy.stores.postgres.standing import find_standing
from tenancy.use_cases.organizations.require_changeable import require_changeable
from tenancy.use_cases.sso.end_sso import end_sso
from tenancy.use_cases.sso.provider import Providers

CONNECTED: Final = "sso.connected"
CHANGED: Final = "sso.changed"
DISCONNECTED: Final = "sso.disconnected"
# Takes the former connection, and returns the new one.
type MakeConnection = Callable[[SsoConnection | None], SsoConnection]

CONNECT_TEXT: Final = "A connection decides who any member is. This credential cannot set one."
NO_CONNECTION_TEXT: Final = "The organization has no connection for single sign-on."
NO_STORED_CLIENT_TEXT: Final = "`client_secret` is required, because none is stored for this `issuer` and `client_id`."


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedConnection:
    """A connection as a request describes it."""

    client: SsoClient
    settings: ConnectionSettings


def set_connection(
    platform_db: Homes,
    providers: Providers,
    encryptor: Encryptor,
    tenant: AdmittedTenant,
    wanted: WantedConnection,
    actor: Actor,
    *,
    now: datetime,
) -> SsoConnection:
    """Set the connection of the tenant, in place of a former one, and return it.

    The metadata of the issuer is read first. Without a client secret the stored one is kept, if issuer and client stay
    the same. Another issuer or client cancels the log-ins that have begun.

    Raises:
        NotInTierError: the organization has no single sign-on.
        ForbiddenError: the caller lacks a permission.
        InvalidError: the issuer cannot be used, or the client secret is missing.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: PostgreSQL, KMS or `fetch` is unreachable. The connection may be stored. A retry is safe.
    """
    require_may_connect(tenant)
    metadata = _discover(providers, wanted.client.issuer)
    secret = wanted.client.secret
    encrypted = encryptor.encrypt(secret.encode(), tenant.organization_id) if secret is not None else None

    def connect(before: SsoConnection | None) -> SsoConnection:
        return _connection(before, wanted, metadata, encrypted, now=now)

    return store_connection(platform_db, tenant, connect, actor, now=now)


def require_may_connect(tenant: AdmittedTenant) -> None:
    """Require that the tenant has single sign-on, and that its caller may do all that a member may.

    The provider of a connection can assert any member, so also a super_admin.

    Raises:
        NotInTierError: the organization has no single sign-on.
        ForbiddenError: the caller lacks a permission.
    """
    require_flag(tenant.entitlements, SSO_FLAG)
    require_permissions_of(Role.SUPER_ADMIN, tenant.scopes, so=CONNECT_TEXT)


def store_connection(
    platform_db: Homes, tenant: AdmittedTenant, connect: MakeConnection, actor: Actor, *, now: datetime
) -> SsoConnection:
    """Store the connection that *connect* makes from the former one, and return it.

    The entitlement is checked again. A downgrade since the admission has ended single sign-on.

    Raises:
        NotInTierError: the organization has no single sign-on any more.
        InvalidError: *connect* refuses.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database is unreachable. The connection may be stored.
    """
    with platform_db.tenant_transaction(tenant.organization_id) as conn:
        require_changeable(conn, tenant.organization_id)
        require_flag(require_existing(find_standing(conn, tenant.organization_id)).entitlements, SSO_FLAG)
        before = lock_sso_connection(conn, tenant.organization_id)
        connection = connect(before)
        upsert_sso_connection(conn, tenant.organization_id, connection)
        record = AuditRecord.done(CONNECTED if before is None else CHANGED, _target(connection), actor, now=now)
        insert_audit_record(conn, tenant.organization_id, record)
    return connection


def read_connection(platform_db: Homes, tenant: AdmittedTenant) -> SsoConnection:
    """Return the connection of the tenant.

    Raises:
        NotInTierError: the organization has no single sign-on.
        NotFoundError: it has no connection.
        UnavailableError: the database is unreachable.
    """
    require_flag(tenant.entitlements, SSO_FLAG)
    with platform_db.tenant_transaction(tenant.organization_id) as conn:
        found = find_sso_connection(conn, tenant.organization_id)
    if found is None:
        raise NotFoundError(NO_CONNECTION_TEXT)
    return found


def remove_connection(platform_db: Homes, tenant: Tenant, actor: Actor, *, now: datetime) -> None:
    """Delete the connection of the tenant with its client secret.

    It needs no single sign-on, so that nothing is left over after a change of the tier. The subjects of members stay:
    a removed member is not made again by a later connection.

    Raises:
        NotFoundError: the organization has no connection.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database is unreachable. The connection may be deleted.
    """
    with platform_db.tenant_transaction(tenant.organization_id) as conn:
        require_changeable(conn, tenant.organization_id)
        before = lock_sso_connection(conn, tenant.organization_id)
        if before is None:
            raise NotFoundError(NO_CONNECTION_TEXT)
        end_sso(conn, tenant.organization_id, actor, now=now)
        delete_sso_connection(conn, tenant.organization_id, now=now)
        record = AuditRecord.done(DISCONNECTED, str(before.id), actor, now=now)
        insert_audit_record(conn, tenant.organization_id, record)


def _discover(providers: Providers, issuer: str) -> ProviderMetadata:
    try:
        return providers.discover(issuer)
    except (MetadataError, UnreachableUrlError) as error:
        raise invalid_member("issuer", "invalid", str(error)) from error


def _connection(
    before: SsoConnection | None,
    wanted: WantedConnection,
    metadata: ProviderMetadata,
    encrypted: bytes | None,
    *,
    now: datetime,
) -> SsoConnection:
    same = before if isinstance(before, OidcConnection) and before.is_of(wanted.client) else None
    if encrypted is None and same is not None:
        encrypted = same.encrypted_secret
    if encrypted is None:
        raise invalid_member("client_secret", "missing", NO_STORED_CLIENT_TEXT)
    return OidcConnection(
        id=same.id if same is not None else uuid4(),
        issuer=wanted.client.issuer,
        client_id=wanted.client.client_id,
        encrypted_secret=encrypted,
        metadata=metadata,
        discovered_at=now,
        settings=wanted.settings,
        created_at=before.created_at if before is not None else now,
        updated_at=now,
    )


def _target(connection: SsoConnection) -> str:
    """Return the target of the audit record. It names neither the provider nor an address: the log outlives erasure."""
    settings = connection.settings
    passwords = "off" if settings.required else "on"
    return f"{connection.id}: {connection.type}, default role {settings.default_role}, passwords {passwords}"


def invalid_member(member: str, code: str, message: str) -> InvalidError:
    """Return the refusal of a body whose *member* cannot be used."""
    return InvalidError(message, errors=[FieldError(location=f"{BODY}/{member}", code=code, message=message)])
