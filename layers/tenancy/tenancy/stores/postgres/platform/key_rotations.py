"""Keys that are to be rotated, of all organizations and of the platform."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from tenancy.rules.keys.key_rotation import DueKey
from tenancy.stores.postgres.client import Connection

LIST_DUE_ROTATIONS: Final = "SELECT organization_id FROM list_due_rotations(%s, %s)"
# The condition of list_due_rotations, for one organization. It is checked again on the locked row, because another run
# may have noticed the key meanwhile. The keys are locked by id, as in each statement that changes several keys. The
# same order prevents deadlocks.
UPDATE_ROTATIONS_NOTICED: Final = """
    WITH due AS (
        SELECT k.id, k.created_at
        FROM api_keys AS k JOIN organizations AS o ON o.id = k.organization_id
        WHERE k.organization_id = %(organization_id)s
          AND k.rotation_noticed_at IS NULL AND k.revoked_at IS NULL AND k.replaced_by IS NULL
          AND (k.expires_at IS NULL OR k.expires_at > %(now)s) AND o.status IN ('active', 'suspended')
          AND k.created_at + make_interval(hours => 24 * o.key_rotation_days) <= %(now)s
        ORDER BY k.id LIMIT %(limit)s FOR NO KEY UPDATE OF k
    ),
    noticed AS (
        UPDATE api_keys AS k SET rotation_noticed_at = %(now)s
        FROM due AS d WHERE k.organization_id = %(organization_id)s AND k.id = d.id
        RETURNING k.id, k.name, coalesce(k.prefix, k.type || '_') AS prefix, k.hint, k.created_at
    )
    SELECT id, name, prefix, hint FROM noticed ORDER BY created_at, id
"""
UPDATE_PLATFORM_ROTATIONS_NOTICED: Final = """
    UPDATE platform_keys SET rotation_noticed_at = %(now)s
    WHERE id IN (
        SELECT id FROM platform_keys
        WHERE rotation_noticed_at IS NULL AND revoked_at IS NULL AND replaced_by IS NULL
          AND (expires_at IS NULL OR expires_at > %(now)s) AND created_at <= %(created_until)s
        ORDER BY id FOR NO KEY UPDATE
    )
    RETURNING id
"""
LIST_DUE_PLATFORM_KEYS: Final = """
    SELECT id FROM platform_keys
    WHERE revoked_at IS NULL AND replaced_by IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)
      AND created_at <= %(created_until)s
    ORDER BY created_at, id
"""


def list_due_rotations(conn: Connection, *, now: datetime, limit: int) -> list[UUID]:
    """Return at most *limit* organizations with a key to notice, oldest key first."""
    return [organization_id for (organization_id,) in conn.execute(LIST_DUE_ROTATIONS, (now, limit))]


def update_rotations_noticed(conn: Connection, organization_id: UUID, *, now: datetime, limit: int) -> list[DueKey]:
    """Mark at most *limit* due keys as noticed, and return them, oldest first.

    A revoked, expired or rotated key is not to be rotated. It needs the tenant's transaction.
    """
    values = {"organization_id": organization_id, "now": now, "limit": limit}
    with conn.cursor(row_factory=class_row(DueKey)) as cursor:
        return cursor.execute(UPDATE_ROTATIONS_NOTICED, values).fetchall()


def update_platform_rotations_noticed(conn: Connection, *, created_until: datetime, now: datetime) -> list[UUID]:
    """Mark due platform keys as noticed, and return those that were not noticed before."""
    values = {"created_until": created_until, "now": now}
    return sorted(key_id for (key_id,) in conn.execute(UPDATE_PLATFORM_ROTATIONS_NOTICED, values))


def list_due_platform_keys(conn: Connection, *, created_until: datetime, now: datetime) -> list[UUID]:
    """Return the platform keys that are to be rotated, noticed or not, oldest first."""
    values = {"created_until": created_until, "now": now}
    return [key_id for (key_id,) in conn.execute(LIST_DUE_PLATFORM_KEYS, values)]
