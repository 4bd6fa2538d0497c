"""Apps of an organization, which are the sources of its events."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from tenancy.rules.apps import App
from tenancy.stores.postgres.client import Connection

INSERT_APP: Final = """
    INSERT INTO apps (id, organization_id, name, platform, created_at)
    VALUES (%s, %s, %s, %s, coalesce(%s, now()))
"""
COUNT_APPS: Final = "SELECT count(*) FROM apps WHERE organization_id = %s AND status = 'active'"
APP_COLUMNS: Final = "id, name, platform, created_at"
LIST_APPS: Final = (
    "SELECT "
    + APP_COLUMNS
    + """
    FROM apps
    WHERE organization_id = %(organization_id)s AND status = 'active'
      AND (%(before_time)s::timestamptz IS NULL OR (created_at, id) < (%(before_time)s, %(before_id)s))
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""
)
# FOR SHARE: until the transaction ends, the app cannot be deleted.
LOCK_APP: Final = "SELECT true FROM apps WHERE organization_id = %s AND id = %s AND status = 'active' FOR SHARE"
UPDATE_APP: Final = (
    """
    UPDATE apps SET name = coalesce(%(name)s, name), platform = coalesce(%(platform)s, platform)
    WHERE organization_id = %(organization_id)s AND id = %(app_id)s AND status = 'active'
    RETURNING """
    + APP_COLUMNS
)
REMOVE_APP: Final = """
    UPDATE apps SET status = 'removed' WHERE organization_id = %s AND id = %s AND status = 'active'
"""


def insert_app(
    conn: Connection,
    organization_id: UUID,
    app_id: UUID,
    *,
    name: str,
    platform: str,
    created_at: datetime | None = None,
) -> None:
    """Insert an active app. Without *created_at* it is the time of the transaction."""
    conn.execute(INSERT_APP, (app_id, organization_id, name, platform, created_at))


def count_apps(conn: Connection, organization_id: UUID) -> int:
    """Return the number of apps that count against the quota."""
    row = conn.execute(COUNT_APPS, (organization_id,)).fetchone()
    return row[0] if row else 0


def list_apps(
    conn: Connection, organization_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int
) -> list[App]:
    """Return at most *limit* apps after *before* (`created_at`, id), newest first.

    Deleted apps are left out.
    """
    before_time, before_id = before or (None, None)
    values = {"organization_id": organization_id, "before_time": before_time, "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=class_row(App)) as cursor:
        return cursor.execute(LIST_APPS, values).fetchall()


def lock_app(conn: Connection, organization_id: UUID, app_id: UUID) -> bool:
    """Lock an app against deletion until the transaction ends.

    Return whether the app exists and is not deleted.
    """
    return conn.execute(LOCK_APP, (organization_id, app_id)).fetchone() is not None


def update_app(
    conn: Connection, organization_id: UUID, app_id: UUID, *, name: str | None, platform: str | None
) -> App | None:
    """Change the name and the platform of an app, and return it, or None without one.

    A value that is None does not change.
    """
    values = {"organization_id": organization_id, "app_id": app_id, "name": name, "platform": platform}
    with conn.cursor(row_factory=class_row(App)) as cursor:
        return cursor.execute(UPDATE_APP, values).fetchone()


def remove_app(conn: Connection, organization_id: UUID, app_id: UUID) -> bool:
    """Mark an app as deleted, and return whether there was one.

    Its row stays, because events and keys name it.
    """
    return conn.execute(REMOVE_APP, (organization_id, app_id)).rowcount == 1
