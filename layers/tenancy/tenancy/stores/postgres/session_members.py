"""Members with their organizations, as sessions need them: found, locked and changed."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import kwargs_row

from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.people.sessions import SessionMember
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.client import Connection

SELECT_MEMBER: Final = """
    SELECT u.organization_id, o.name AS organization_name, o.subdomain, o.tier, o.status AS organization_status,
           o.token_epoch AS organization_epoch, u.id AS user_id, u.email, u.name, u.role, u.status,
           u.token_epoch AS epoch, u.password_hash
    FROM users AS u JOIN organizations AS o ON o.id = u.organization_id
"""
FIND_MEMBER_BY_EMAIL: Final = SELECT_MEMBER + " WHERE u.organization_id = %s AND u.email = %s"
FIND_MEMBER_BY_ID: Final = SELECT_MEMBER + " WHERE u.organization_id = %s AND u.id = %s"
LOCK_MEMBER: Final = "SELECT FROM users WHERE organization_id = %s AND id = %s FOR NO KEY UPDATE"
UPDATE_PASSWORD: Final = "UPDATE users SET password_hash = %s WHERE organization_id = %s AND id = %s"  # noqa: S105
UPDATE_NAME: Final = "UPDATE users SET name = %s WHERE organization_id = %s AND id = %s"
UPDATE_SIGNED_IN: Final = "UPDATE users SET last_signed_in_at = %s WHERE organization_id = %s AND id = %s"
RAISE_EPOCH: Final = "UPDATE users SET token_epoch = token_epoch + 1 WHERE organization_id = %s AND id = %s"


def find_member_by_email(conn: Connection, organization_id: UUID, email: str) -> SessionMember | None:
    """Return the member with that address, with any status, or None."""
    with conn.cursor(row_factory=kwargs_row(_session_member)) as cursor:
        return cursor.execute(FIND_MEMBER_BY_EMAIL, (organization_id, email)).fetchone()


def find_session_member(conn: Connection, organization_id: UUID, user_id: UUID) -> SessionMember | None:
    """Return the member with that id, with any status, or None."""
    with conn.cursor(row_factory=kwargs_row(_session_member)) as cursor:
        return cursor.execute(FIND_MEMBER_BY_ID, (organization_id, user_id)).fetchone()


def lock_session_member(conn: Connection, organization_id: UUID, user_id: UUID) -> SessionMember | None:
    """Return the member with that id, locked until the transaction ends, or None.

    The lock comes first, so the member is read as the last change before it has left it.
    """
    conn.execute(LOCK_MEMBER, (organization_id, user_id))
    return find_session_member(conn, organization_id, user_id)


def update_password_hash(conn: Connection, organization_id: UUID, user_id: UUID, password_hash: str) -> None:
    """Store an argon2id hash of the member's password."""
    conn.execute(UPDATE_PASSWORD, (password_hash, organization_id, user_id))


def update_member_name(conn: Connection, organization_id: UUID, user_id: UUID, name: str) -> None:
    """Store the name of the member."""
    conn.execute(UPDATE_NAME, (name, organization_id, user_id))


def update_signed_in(conn: Connection, organization_id: UUID, user_id: UUID, *, now: datetime) -> None:
    """Store *now* as the time of the member's newest log-in."""
    conn.execute(UPDATE_SIGNED_IN, (now, organization_id, user_id))


def raise_member_epoch(conn: Connection, organization_id: UUID, user_id: UUID) -> None:
    """Revoke all access tokens of the member."""
    conn.execute(RAISE_EPOCH, (organization_id, user_id))


def _session_member(*, tier: str, organization_status: str, **columns: object) -> SessionMember:
    status = OrganizationStatus(organization_status)
    return SessionMember(tier=Tier(tier), organization_status=status, **columns)  # type: ignore[arg-type]
