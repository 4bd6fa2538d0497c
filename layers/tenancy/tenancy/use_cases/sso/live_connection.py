"""The connection by which the members of an organization may log in now."""

from datetime import datetime
from uuid import UUID

from tenancy.rules.people.sessions import LOG_IN_STATUSES
from tenancy.rules.sso.connection import SSO_FLAG, SsoConnection
from tenancy.rules.sso.log_in import StoredLogIn
from tenancy.rules.sso.refusals import SsoFault, SsoRefusedError
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.sso_connections import find_sso_connection
from tenancy.stores.postgres.standing import find_standing


def find_live_connection(conn: Connection, organization_id: UUID) -> SsoConnection | None:
    """Return the connection of an organization whose members may log in by it now, or None."""
    standing = find_standing(conn, organization_id)
    connection = find_sso_connection(conn, organization_id)
    if standing is None or standing.status not in LOG_IN_STATUSES or not standing.entitlements.values[SSO_FLAG]:
        return None
    return connection


def require_usable[C: SsoConnection](
    log_in: StoredLogIn, connection: SsoConnection | None, of_type: type[C], *, now: datetime
) -> C:
    """Return the live *connection* if the state of *log_in* may be used with it.

    Raises:
        SsoRefusedError: the state is used or expired, or belongs to another connection, or to one of another type.
    """
    if log_in.used_at is not None:
        raise SsoRefusedError(SsoFault.STATE_USED)
    if log_in.expires_at <= now:
        raise SsoRefusedError(SsoFault.STATE_EXPIRED)
    if connection is None:
        raise SsoRefusedError(SsoFault.NO_CONNECTION)
    if connection.id != log_in.connection_id or not isinstance(connection, of_type):
        raise SsoRefusedError(SsoFault.OTHER_CONNECTION)
    return connection
