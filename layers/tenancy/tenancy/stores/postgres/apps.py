"""Apps of an organization, which are the sources of its events."""

from typing import Final
from uuid import UUID

from tenancy.stores.postgres.client import Connection

INSERT_APP: Final = """
    INSERT INTO apps (id, organization_id, name, platform)
    VALUES (%s, %s, %s, %s)
"""
COUNT_APPS: Final = "SELECT count(*) FROM apps WHERE organization_id = %s AND status = 'active'"


def insert_app(conn: Connection, organization_id: UUID, app_id: UUID, *, name: str, platform: str) -> None:
    """Insert an active app."""
    conn.execute(INSERT_APP, (app_id, organization_id, name, platform))


def count_apps(conn: Connection, organization_id: UUID) -> int:
    """Return the number of apps that count against the quota."""
    row = conn.execute(COUNT_APPS, (organization_id,)).fetchone()
    return row[0] if row else 0
