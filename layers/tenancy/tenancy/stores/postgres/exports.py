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
LIST_EXPORT_FILES: Final = """
    SELECT f.name, f.section, f.row_count, f.size_bytes, f.sha256
    FROM export_files AS f JOIN exports AS e
      ON e.organization_id = f.organization_id AND e.id = f.export_id AND e.generation = f.generation
    WHERE f.organization_id = %(organization_id)s AND f.export_id = %(export_id)s AND f.number > %(after)s
    ORDER BY f.number LIMIT %(limit)s
"""
# Who is told of an export: the person who asked for it, else the super_admins.
LIST_RECIPIENTS: Final = """
    WITH active AS (SELECT id, email, role FROM users WHERE organization_id = %(organization_id)s AND status = 'active')
    SELECT email FROM active
    WHERE id = %(user_id)s
       OR (role = 'super_admin' AND NOT EXISTS (SELECT FROM active WHERE id = %(user_id)s))
    ORDER BY email
"""


def insert_export(conn: Connection, organization_id: UUID, export_id: UUID, actor: Actor, *, now: datetime) -> None:
    """Ask for an export, *now*."""
    conn.execute(INSERT_EXPORT, job_values(organization_id, export_id, actor, now))


def find_export(conn: Connection, organization_id: UUID, export_id: UUID) -> Export | None:
    """Return an export of the organization, None when it has none of that id."""
    with conn.cursor(row_factory=kwargs_row(_export)) as cursor:
        return cursor.execute(FIND_EXPORT, (organization_id, export_id)).fetchone()


def find_pending_export(conn: Connection, organization_id: UUID) -> Export | None:
    """Return the export that is not done yet, None without one; until the transaction ends, nobody asks for another."""
    conn.execute(LOCK_JOBS, (f"exports {organization_id}",))
    with conn.cursor(row_factory=kwargs_row(_export)) as cursor:
        return cursor.execute(FIND_PENDING_EXPORT, (organization_id,)).fetchone()


def list_export_files(
    conn: Connection, organization_id: UUID, export_id: UUID, *, after: int = 0, limit: int | None = None
) -> list[ExportFile]:
    """Return the files that an export has written so far in order, but the first *after*, and at most *limit*."""
    values = {"organization_id": organization_id, "export_id": export_id, "after": after, "limit": limit}
    return [ExportFile(*row) for row in conn.execute(LIST_EXPORT_FILES, values)]


def list_recipients(conn: Connection, organization_id: UUID, user_id: UUID) -> list[str]:
    """Return the address of the user, if it is an active one, else those of the super_admins."""
    values = {"organization_id": organization_id, "user_id": user_id}
    return [email for (email,) in conn.execute(LIST_RECIPIENTS, values)]


def _export(*, status: str, **columns: object) -> Export:
    return Export(status=ExportStatus(status), **columns)  # type: ignore[arg-type] # columns are the fields
