"""Expired sessions and old successors of all organizations."""

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
LIST_WITH_OLD_SUCCESSORS: Final = """
    SELECT DISTINCT organization_id FROM (
        SELECT organization_id FROM refresh_tokens WHERE successor IS NOT NULL AND used_at < %s LIMIT %s
    ) AS old
"""
# It waits for no refresh, so no refresh and this statement wait for each other.
FORGET_OLD_SUCCESSORS: Final = """
    UPDATE refresh_tokens SET successor = NULL
    WHERE organization_id = %(organization_id)s AND digest IN (
        SELECT digest FROM refresh_tokens
        WHERE organization_id = %(organization_id)s AND successor IS NOT NULL AND used_at < %(used_before)s
        LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
    )
"""


def list_with_expired_sessions(conn: Connection, *, now: datetime, limit: int) -> list[UUID]:
    """Return the organizations of the *limit* sessions that expired first."""
    return [organization_id for (organization_id,) in conn.execute(LIST_WITH_EXPIRED, (now, limit))]


def delete_expired_sessions(conn: Connection, organization_id: UUID, *, now: datetime, limit: int) -> int:
    """Delete at most *limit* expired sessions of the tenant, and return their number."""
    values = {"organization_id": organization_id, "now": now, "limit": limit}
    return conn.execute(DELETE_EXPIRED_SESSIONS, values).rowcount


def list_with_old_successors(conn: Connection, *, used_before: datetime, limit: int) -> list[UUID]:
    """Return the organizations of *limit* successors of tokens that were used before *used_before*."""
    return [organization_id for (organization_id,) in conn.execute(LIST_WITH_OLD_SUCCESSORS, (used_before, limit))]


def forget_old_successors(conn: Connection, organization_id: UUID, *, used_before: datetime, limit: int) -> int:
    """Delete at most *limit* such successors of the transaction's tenant. Return the number of deleted ones.

    Tokens that another transaction has locked are left out.
    """
    values = {"organization_id": organization_id, "used_before": used_before, "limit": limit}
    return conn.execute(FORGET_OLD_SUCCESSORS, values).rowcount
