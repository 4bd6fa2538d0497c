"""Last uses of keys of all organizations and of the platform, to the hour."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.stores.postgres.client import Connection

# The keys are locked by id, as in each statement that changes several keys. The same order prevents deadlocks.
UPDATE_LAST_USES: Final = """
    UPDATE api_keys AS k SET last_used_at = u.hour
    FROM (
        SELECT p.id, used.hour
        FROM unnest(%(ids)s::uuid[], %(hours)s::timestamptz[]) AS used (id, hour)
        JOIN api_keys AS p ON p.organization_id = %(organization_id)s AND p.id = used.id
        ORDER BY p.id FOR NO KEY UPDATE OF p
    ) AS u (id, hour)
    WHERE k.organization_id = %(organization_id)s AND k.id = u.id
      AND (k.last_used_at IS NULL OR k.last_used_at < u.hour)
"""
# Redis notes the use of a platform key before PostgreSQL decides. A use after the key's end was refused. It followed an
# admitted one within a minute, because the authorizer's answer was cached.
UPDATE_PLATFORM_LAST_USES: Final = """
    UPDATE platform_keys AS k SET last_used_at = u.hour
    FROM (
        SELECT p.id, least(used.hour, date_trunc('hour', p.revoked_at, 'UTC'), date_trunc('hour', p.expires_at, 'UTC'))
        FROM unnest(%(ids)s::uuid[], %(hours)s::timestamptz[]) AS used (id, hour)
        JOIN platform_keys AS p ON p.id = used.id
        ORDER BY p.id FOR NO KEY UPDATE OF p
    ) AS u (id, hour)
    WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.hour)
"""


def update_last_uses(conn: Connection, organization_id: UUID, uses: Mapping[UUID, datetime]) -> None:
    """Store the hour in which each key of the organization was used last.

    A stored hour never goes back.
    """
    values = {"organization_id": organization_id, "ids": list(uses), "hours": list(uses.values())}
    conn.execute(UPDATE_LAST_USES, values)


def update_platform_last_uses(conn: Connection, uses: Mapping[UUID, datetime]) -> None:
    """Store the hour in which each platform key was used last.

    A stored hour never goes back.
    """
    conn.execute(UPDATE_PLATFORM_LAST_USES, {"ids": list(uses), "hours": list(uses.values())})
