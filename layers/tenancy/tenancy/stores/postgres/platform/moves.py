"""Moves of organizations between databases that have begun and not ended."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.homes import MOVE_PREFIX
from tenancy.stores.postgres.client import Connection

# A committed move has its publication until its end. Before the commit the target has the mark `incoming`.
LIST_UNFINISHED: Final = """
    SELECT organization_id FROM moved_organizations AS m
    WHERE recorded_at < %(before)s AND (
        state = 'incoming'
        OR EXISTS (SELECT FROM pg_publication WHERE pubname = %(prefix)s || replace(m.move_id::text, '-', ''))
    )
    ORDER BY recorded_at LIMIT %(limit)s
"""


def list_unfinished_moves(conn: Connection, *, before: datetime, limit: int) -> list[UUID]:
    """Return organizations whose move to or from this database is unfinished.

    The move began before *before*. At most *limit* are returned, the oldest first.
    """
    values = {"before": before, "prefix": MOVE_PREFIX, "limit": limit}
    return [organization_id for (organization_id,) in conn.execute(LIST_UNFINISHED, values)]
