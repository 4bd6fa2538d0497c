"""Erasures of data subjects, as the organization that requested them sees them."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import kwargs_row

from tenancy.rules.audit_record import Actor
from tenancy.rules.erasures import DataSubject, Erasure, ErasureStatus, SubjectKind
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.jobs import LOCK_JOBS, job_values

INSERT_ERASURE: Final = """
    INSERT INTO erasures (id, organization_id, actor_kind, actor_id, subject_kind, salt, digest, requested_at, due_at)
    VALUES (
        %(id)s, %(organization_id)s, %(actor_kind)s, %(actor_id)s, %(kind)s, %(salt)s, %(digest)s, %(now)s, %(now)s
    )
"""
COUNT_PENDING_ERASURES: Final = "SELECT count(*) FROM erasures WHERE organization_id = %s AND status = 'pending'"
ERASURE_COLUMNS: Final = """
    id, subject_kind, status, events_before, events_after, held_events_before, held_events_after, requested_at,
    erased_at, confirmed_at
"""
FIND_ERASURE: Final = "SELECT " + ERASURE_COLUMNS + " FROM erasures WHERE organization_id = %s AND id = %s"
LIST_ERASURES: Final = (
    "SELECT "
    + ERASURE_COLUMNS
    + """ FROM erasures
    WHERE organization_id = %(organization_id)s
      AND (%(before_time)s::timestamptz IS NULL OR (requested_at, id) < (%(before_time)s, %(before_id)s))
    ORDER BY requested_at DESC, id DESC LIMIT %(limit)s
"""
)


def insert_erasure(
    conn: Connection, organization_id: UUID, erasure_id: UUID, actor: Actor, *, subject: DataSubject, now: datetime
) -> None:
    """Insert a request for the erasure of *subject*, made at *now*."""
    values = {"kind": subject.kind, "salt": subject.salt, "digest": subject.digest}
    conn.execute(INSERT_ERASURE, {**job_values(organization_id, erasure_id, actor, now), **values})


def count_pending_erasures(conn: Connection, organization_id: UUID) -> int:
    """Return the number of erasures that have not erased anything yet.

    It locks the organization's erasures: other requests wait until the transaction ends.
    """
    conn.execute(LOCK_JOBS, (f"erasures {organization_id}",))
    [(pending,)] = conn.execute(COUNT_PENDING_ERASURES, (organization_id,))
    return int(pending)


def find_erasure(conn: Connection, organization_id: UUID, erasure_id: UUID) -> Erasure | None:
    """Return an erasure of the organization, or None if it does not exist."""
    with conn.cursor(row_factory=kwargs_row(_erasure)) as cursor:
        return cursor.execute(FIND_ERASURE, (organization_id, erasure_id)).fetchone()


def list_erasures(
    conn: Connection, organization_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int
) -> list[Erasure]:
    """Return at most *limit* erasures, newest first, that follow *before* (`requested_at`, id)."""
    before_time, before_id = before or (None, None)
    values = {"organization_id": organization_id, "before_time": before_time, "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=kwargs_row(_erasure)) as cursor:
        return cursor.execute(LIST_ERASURES, values).fetchall()


def _erasure(*, status: str, subject_kind: str, **columns: object) -> Erasure:
    return Erasure(status=ErasureStatus(status), subject_kind=SubjectKind(subject_kind), **columns)  # type: ignore[arg-type] # ERASURE_COLUMNS are the fields
