"""Exports, as the organization that requested them sees them."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import kwargs_row

from tenancy.rules.audit_record import Actor
from tenancy.rules.exports import Export, ExportFile, ExportStatus
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.jobs import LOCK_JOBS, job_values

EXPORT_COLUMNS: Final = "id, status, generation, requested_at, finished_at, expires_at"
INSERT_EXPORT: Final = """
    INSERT INTO exports (id, organization_id, actor_kind, actor_id, requested_at, due_at)
    VALUES (%(id)s, %(organization_id)s, %(actor_kind)s, %(actor_id)s, %(now)s, %(now)s)
"""
FIND_EXPORT: Final = (
    "SELECT "
    + EXPORT_COLUMNS
    + """ FROM exports
    WHERE organization_id = %s AND id = %s
"""
)
FIND_PENDING_EXPORT: Final = (
    "SELECT "
    + EXPORT_COLUMNS
    + """ FROM exports
    WHERE organization_id = %s AND status = 'pending' ORDER BY requested_at LIMIT 1
"""
)
LIST_EXPORTS: Final = (
    "SELECT "
    + EXPORT_COLUMNS
    + """ FROM exports
    WHERE organization_id = %(organization_id)s
      AND (%(before_time)s::timestamptz IS NULL OR (requested_at, id) < (%(before_time)s, %(before_id)s))
    ORDER BY requested_at DESC, id DESC LIMIT %(limit)s
"""
)
LIST_EXPORT_FILES: Final = """
    SELECT f.name, f.section, f.row_count, f.size_bytes, f.sha256
    FROM export_files AS f JOIN exports AS e
      ON e.organization_id = f.organization_id AND e.id = f.export_id AND e.generation = f.generation
    WHERE f.organization_id = %(organization_id)s AND f.export_id = %(export_id)s AND f.number > %(after)s
    ORDER BY f.number LIMIT %(limit)s
"""
# An export is announced to the person who requested it. If that person is not active, it goes to the super_admins.
LIST_RECIPIENTS: Final = """
    WITH active AS (SELECT id, email, role FROM users WHERE organization_id = %(organization_id)s AND status = 'active')
    SELECT email FROM active
    WHERE id = %(user_id)s
       OR (role = 'super_admin' AND NOT EXISTS (SELECT FROM active WHERE id = %(user_id)s))
    ORDER BY email
"""


def insert_export(conn: Connection, organization_id: UUID, export_id: UUID, actor: Actor, *, now: datetime) -> None:
    """Insert a request for an export, made at *now*."""
    conn.execute(INSERT_EXPORT, job_values(organization_id, export_id, actor, now))


def find_export(conn: Connection, organization_id: UUID, export_id: UUID) -> Export | None:
    """Return an export of the organization, or None if it does not exist."""
    with conn.cursor(row_factory=kwargs_row(_export)) as cursor:
        return cursor.execute(FIND_EXPORT, (organization_id, export_id)).fetchone()


def find_pending_export(conn: Connection, organization_id: UUID) -> Export | None:
    """Return the pending export of the organization, or None without one.

    It locks the organization's exports: other requests wait until the transaction ends.
    """
    conn.execute(LOCK_JOBS, (f"exports {organization_id}",))
    with conn.cursor(row_factory=kwargs_row(_export)) as cursor:
        return cursor.execute(FIND_PENDING_EXPORT, (organization_id,)).fetchone()


def list_exports(
    conn: Connection, organization_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int
) -> list[Export]:
    """Return at most *limit* exports, newest first, that follow *before* (`requested_at`, id)."""
    before_time, before_id = before or (None, None)
    values = {"organization_id": organization_id, "before_time": before_time, "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=kwargs_row(_export)) as cursor:
        return cursor.execute(LIST_EXPORTS, values).fetchall()


def list_export_files(
    conn: Connection, organization_id: UUID, export_id: UUID, *, after: int = 0, limit: int | None = None
) -> list[ExportFile]:
    """Return at most *limit* files of an export in order, without the first *after*.

    A pending export has the files that are written so far.
    """
    values = {"organization_id": organization_id, "export_id": export_id, "after": after, "limit": limit}
    return [ExportFile(*row) for row in conn.execute(LIST_EXPORT_FILES, values)]


def list_recipients(conn: Connection, organization_id: UUID, user_id: UUID) -> list[str]:
    """Return the address of the user if it is active, else the addresses of the super_admins."""
    values = {"organization_id": organization_id, "user_id": user_id}
    return [email for (email,) in conn.execute(LIST_RECIPIENTS, values)]


def _export(*, status: str, **columns: object) -> Export:
    return Export(status=ExportStatus(status), **columns)  # type: ignore[arg-type] # EXPORT_COLUMNS are the fields
