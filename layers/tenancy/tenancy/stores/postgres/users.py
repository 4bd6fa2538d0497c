"""Users of an organization: the rows of its members."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import kwargs_row

from tenancy.rules.cursors import TimePosition
from tenancy.rules.people.member import MemberStatus, Role, StoredMember
from tenancy.stores.postgres.client import Connection

INSERT_USER: Final = """
    INSERT INTO users (id, organization_id, email, password_hash, role)
    VALUES (%s, %s, %s, %s, %s)
"""
INSERT_INVITED_USER: Final = """
    INSERT INTO users (id, organization_id, email, role, status, created_at)
    VALUES (%s, %s, %s, %s, 'invited', %s)
"""
COUNT_USERS: Final = "SELECT count(*) FROM users WHERE organization_id = %s AND status <> 'removed'"
COUNT_ACTIVE_SUPER_ADMINS: Final = """
    SELECT count(*) FROM users WHERE organization_id = %s AND role = 'super_admin' AND status = 'active'
      AND password_hash IS NOT NULL
"""
LIST_ACTIVE_SUPER_ADMINS: Final = """
    SELECT email FROM users WHERE organization_id = %s AND status = 'active' AND role = 'super_admin' ORDER BY email
"""
USER_COLUMNS: Final = "id, email, name, role, status, created_at, last_signed_in_at"
SELECT_USER: Final = "SELECT " + USER_COLUMNS + ", password_hash IS NOT NULL AS has_password FROM users"
LOCK_USER: Final = SELECT_USER + " WHERE organization_id = %s AND id = %s FOR NO KEY UPDATE"
FIND_USER_BY_EMAIL: Final = SELECT_USER + " WHERE organization_id = %s AND email = %s"
LIST_MEMBERS: Final = (
    SELECT_USER
    + """
    WHERE organization_id = %(organization_id)s AND status <> 'removed'
      AND (%(before_time)s::timestamptz IS NULL OR (created_at, id) < (%(before_time)s, %(before_id)s))
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""
)
UPDATE_USER: Final = """
    UPDATE users SET role = %s, status = %s, token_epoch = token_epoch + 1 WHERE organization_id = %s AND id = %s
"""
UPDATE_USER_REMOVED: Final = """
    UPDATE users
    SET status = 'removed', name = NULL, password_hash = NULL, last_signed_in_at = NULL, token_epoch = token_epoch + 1
    WHERE organization_id = %s AND id = %s
"""
UPDATE_USER_JOINED: Final = """
    UPDATE users SET status = 'active', name = %s, password_hash = %s, token_epoch = token_epoch + 1
    WHERE organization_id = %s AND id = %s
"""
INSERT_SSO_USER: Final = """
    INSERT INTO users (id, organization_id, email, role, created_at) VALUES (%s, %s, %s, %s, %s)
"""
UPDATE_ACTIVE: Final = """
    UPDATE users SET status = 'active', token_epoch = token_epoch + 1 WHERE organization_id = %s AND id = %s
"""
UPDATE_HASH: Final = """
    UPDATE users SET password_hash = %s, token_epoch = token_epoch + 1 WHERE organization_id = %s AND id = %s
"""


def insert_user(
    conn: Connection, organization_id: UUID, user_id: UUID, *, email: str, password_hash: str, role: str
) -> None:
    """Insert an active user.

    *email* is unique within the organization. *password_hash* is an argon2id hash as text.
    """
    conn.execute(INSERT_USER, (user_id, organization_id, email, password_hash, role))


def insert_invited_user(
    conn: Connection, organization_id: UUID, user_id: UUID, *, email: str, role: Role, now: datetime
) -> None:
    """Insert a user without a password. *email* is unique within the organization."""
    conn.execute(INSERT_INVITED_USER, (user_id, organization_id, email, role, now))


def insert_sso_user(
    conn: Connection, organization_id: UUID, user_id: UUID, *, email: str, role: Role, now: datetime
) -> None:
    """Insert an active user without a password. *email* is unique within the organization."""
    conn.execute(INSERT_SSO_USER, (user_id, organization_id, email, role, now))


def count_users(conn: Connection, organization_id: UUID) -> int:
    """Return the number of users that count against the quota."""
    row = conn.execute(COUNT_USERS, (organization_id,)).fetchone()
    return row[0] if row else 0


def count_active_super_admins(conn: Connection, organization_id: UUID) -> int:
    """Return the number of active members with the role super_admin and a password."""
    [(count,)] = conn.execute(COUNT_ACTIVE_SUPER_ADMINS, (organization_id,))
    return int(count)


def list_active_super_admins(conn: Connection, organization_id: UUID) -> list[str]:
    """Return the addresses of all active members with the role super_admin."""
    return [email for (email,) in conn.execute(LIST_ACTIVE_SUPER_ADMINS, (organization_id,))]


def lock_user(conn: Connection, organization_id: UUID, user_id: UUID) -> StoredMember | None:
    """Lock the user, with any status, and return it, or None without one."""
    with conn.cursor(row_factory=kwargs_row(parse_user_row)) as cursor:
        return cursor.execute(LOCK_USER, (organization_id, user_id)).fetchone()


def find_user_by_email(conn: Connection, organization_id: UUID, email: str) -> StoredMember | None:
    """Return the user with the address *email* and any status, or None without one."""
    with conn.cursor(row_factory=kwargs_row(parse_user_row)) as cursor:
        return cursor.execute(FIND_USER_BY_EMAIL, (organization_id, email)).fetchone()


def list_members(
    conn: Connection, organization_id: UUID, *, before: TimePosition | None, limit: int
) -> list[StoredMember]:
    """Return at most *limit* members that are not removed, newest first, that follow *before*."""
    before_time, before_id = before or (None, None)
    values = {"organization_id": organization_id, "before_time": before_time, "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=kwargs_row(parse_user_row)) as cursor:
        return cursor.execute(LIST_MEMBERS, values).fetchall()


def update_user(conn: Connection, organization_id: UUID, user_id: UUID, *, role: Role, status: MemberStatus) -> None:
    """Set role and status of a user. Its access tokens are invalid from then on."""
    conn.execute(UPDATE_USER, (role, status, organization_id, user_id))


def update_user_removed(conn: Connection, organization_id: UUID, user_id: UUID) -> None:
    """Mark a user as removed, without name, password hash and time of its newest log-in.

    Its access tokens are invalid from then on.
    """
    conn.execute(UPDATE_USER_REMOVED, (organization_id, user_id))


def update_user_joined(
    conn: Connection, organization_id: UUID, user_id: UUID, *, name: str | None, password_hash: str
) -> None:
    """Make an invited user active, with its name and its first password."""
    conn.execute(UPDATE_USER_JOINED, (name, password_hash, organization_id, user_id))


def update_user_active(conn: Connection, organization_id: UUID, user_id: UUID) -> None:
    """Make an invited user active, without a password."""
    conn.execute(UPDATE_ACTIVE, (organization_id, user_id))


def update_password(conn: Connection, organization_id: UUID, user_id: UUID, *, password_hash: str) -> None:
    """Replace the password of a user. Its access tokens are invalid from then on."""
    conn.execute(UPDATE_HASH, (password_hash, organization_id, user_id))


def parse_user_row(*, role: str, status: str, **columns: object) -> StoredMember:
    """Return a row of `USER_COLUMNS` with *has_password* as a member."""
    return StoredMember(role=Role(role), status=MemberStatus(status), **columns)  # type: ignore[arg-type] # the other columns
