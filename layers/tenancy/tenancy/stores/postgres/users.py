"""Users of an organization."""

from typing import Final
from uuid import UUID

from tenancy.stores.postgres.client import Connection

INSERT_USER: Final = """
    INSERT INTO users (id, organization_id, email, password_hash, role)
    VALUES (%s, %s, %s, %s, %s)
"""
COUNT_USERS: Final = "SELECT count(*) FROM users WHERE organization_id = %s AND status <> 'removed'"


def insert_user(
    conn: Connection, organization_id: UUID, user_id: UUID, *, email: str, password_hash: str, role: str
) -> None:
    """Insert an active user.

    *email* is unique within the organization. *password_hash* is an argon2id hash as text.
    """
    conn.execute(INSERT_USER, (user_id, organization_id, email, password_hash, role))


def count_users(conn: Connection, organization_id: UUID) -> int:
    """Return the number of users that count against the quota."""
    row = conn.execute(COUNT_USERS, (organization_id,)).fetchone()
    return row[0] if row else 0
