"""Expired sessions of all organizations."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.stores.postgres.client import Connection

LIST_WITH_EXPIRED: Final = """
    SELECT DISTINCT organization_id FROM (
        SELECT organization_id FROM sessions WHERE expires_at <= %s ORDER BY expires_at LIMIT %s
    ) AS expired
"""
# Their refresh tokens go with them (ON DELETE CASCADE).
DELETE_EXPIRED_SESSIONS: Final = """
    DELETE FROM sessions WHERE organization_id = %(organization_id)s AND expires_at <= %(now)s AND id IN (
        SELECT id FROM sessions WHERE organization_id = %(organization_id)s AND expires_at <= %(now)s
        ORDER BY expires_at LIMIT %(limit)s
    )
"""


def list_with_expired_sessions(conn: Connection, *, now: datetime, limit: int) -> list[UUID]:
    """Return the organizations of the *limit* sessions that expired first."""
    return [organization_id for (organization_id,) in conn.execute(LIST_WITH_EXPIRED, (now, limit))]


def delete_expired_sessions(conn: Connection, organization_id: UUID, *, now: datetime, limit: int) -> int:
    """Delete at most *limit* expired sessions of the tenant, and return their number."""
    values = {"organization_id": organization_id, "now": now, "limit": limit}
    return conn.execute(DELETE_EXPIRED_SESSIONS, values).rowcount
