"""Exports of all organizations, as their worker claims them.

A worker claims a job by moving its due time to the end of the claim. Other workers skip it until then. If the worker
dies, another one continues after the claim has ended.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import kwargs_row
from psycopg.types.json import Jsonb

from tenancy.rules.exports import ExportFile, ExportJob, ExportPosition
from tenancy.stores.postgres.client import Connection

CLAIM_EXPORT: Final = """
    UPDATE exports SET due_at = %(until)s
    WHERE (organization_id, id) = (
        SELECT e.organization_id, e.id FROM exports AS e
        JOIN organizations AS o ON o.id = e.organization_id AND o.status IN ('active', 'suspended')
        WHERE e.status = 'pending' AND e.due_at <= %(now)s
        ORDER BY e.due_at, e.id LIMIT 1 FOR UPDATE OF e SKIP LOCKED
    )
    RETURNING id, organization_id, actor_kind, actor_id, requested_at, due_at AS claimed_until, generation, section,
              position
"""
# Only if the job is as it was claimed: an erasure may have started another generation, or another worker may have the
# job because the claim has ended.
UPDATE_EXPORT: Final = """
    UPDATE exports SET section = %(next_section)s, position = %(next_position)s
    WHERE organization_id = %(organization_id)s AND id = %(id)s AND status = 'pending' AND due_at = %(claimed_until)s
      AND generation = %(generation)s AND section = %(section)s AND position IS NOT DISTINCT FROM %(position)s
"""
INSERT_FILE: Final = """
    INSERT INTO export_files (
        organization_id, export_id, generation, number, name, section, row_count, size_bytes, sha256
    )
    VALUES (
        %(organization_id)s, %(id)s, %(generation)s, %(number)s, %(name)s, %(section)s, %(row_count)s, %(size_bytes)s,
        %(sha256)s
    )
"""
UPDATE_EXPORT_DONE: Final = """
    UPDATE exports SET
        status = 'done', position = NULL, due_at = %(expires_at)s, finished_at = %(now)s, expires_at = %(expires_at)s
    WHERE organization_id = %(organization_id)s AND id = %(id)s AND status = 'pending' AND due_at = %(claimed_until)s
      AND generation = %(generation)s AND section = %(section)s AND position IS NOT DISTINCT FROM %(position)s
"""
FIND_EXPIRED_EXPORT: Final = """
    SELECT organization_id, id FROM exports WHERE status = 'done' AND due_at <= %s ORDER BY due_at LIMIT 1
"""
UPDATE_EXPORT_EXPIRED: Final = """
    UPDATE exports SET due_at = NULL WHERE organization_id = %s AND id = %s AND status = 'done'
"""
UPDATE_EXPORT_DUE: Final = """
    UPDATE exports SET due_at = %(due_at)s
    WHERE organization_id = %(organization_id)s AND id = %(id)s AND status = 'pending' AND due_at = %(claimed_until)s
"""
RESTART_EXPORTS: Final = """
    UPDATE exports SET generation = generation + 1, section = 0, position = NULL, due_at = %(now)s
    WHERE organization_id = %(organization_id)s AND status = 'pending'
"""
# Exports that are withdrawn or have older generations. The bucket itself deletes files that expired long ago.
LIST_STALE_EXPORTS: Final = """
    SELECT id, CASE WHEN status = 'withdrawn' THEN generation + 1 ELSE generation END FROM exports
    WHERE organization_id = %(organization_id)s AND (status = 'withdrawn' OR generation > 0)
      AND (expires_at IS NULL OR expires_at > %(since)s)
"""
WITHDRAW_EXPORTS: Final = """
    UPDATE exports SET status = 'withdrawn', due_at = NULL WHERE organization_id = %s AND status = 'done'
"""


def claim_export(conn: Connection, *, now: datetime, until: datetime) -> ExportJob | None:
    """Claim the export that has been due longest until *until*, or return None without one."""
    with conn.cursor(row_factory=kwargs_row(ExportJob)) as cursor:
        return cursor.execute(CLAIM_EXPORT, {"now": now, "until": until}).fetchone()


def update_export(conn: Connection, job: ExportJob, *, section: int, position: ExportPosition) -> ExportJob | None:
    """Store where the next file begins, and return the changed job.

    Returns None if the claim of this worker has ended.
    """
    values = {**_claimed(job), "next_section": section, "next_position": _json(position)}
    if conn.execute(UPDATE_EXPORT, values).rowcount:
        return replace(job, section=section, position=position)
    return None


def insert_export_file(conn: Connection, job: ExportJob, number: int, file: ExportFile) -> None:
    """Store the metadata of a file that was written."""
    conn.execute(INSERT_FILE, {**_named(job), "number": number, **file._asdict()})


def update_export_done(conn: Connection, job: ExportJob, *, now: datetime, expires_at: datetime) -> bool:
    """Store that all files are written, and return whether the claim was still valid."""
    return conn.execute(UPDATE_EXPORT_DONE, {**_claimed(job), "now": now, "expires_at": expires_at}).rowcount == 1


def update_export_due(conn: Connection, job: ExportJob, *, due_at: datetime) -> None:
    """Release the claim, and continue the job from *due_at* on.

    Nothing changes if another worker has the job.
    """
    conn.execute(UPDATE_EXPORT_DUE, {**_claimed(job), "due_at": due_at})


def find_expired_export(conn: Connection, *, now: datetime) -> tuple[UUID, UUID] | None:
    """Return the organization and id of an export whose files have expired, or None without one."""
    return conn.execute(FIND_EXPIRED_EXPORT, (now,)).fetchone()


def update_export_expired(conn: Connection, organization_id: UUID, export_id: UUID) -> None:
    """Store that the files of the export are deleted."""
    conn.execute(UPDATE_EXPORT_EXPIRED, (organization_id, export_id))


def withdraw_exports(conn: Connection, organization_id: UUID, *, now: datetime) -> None:
    """Withdraw all finished exports of an organization, and restart the pending ones."""
    conn.execute(RESTART_EXPORTS, {"organization_id": organization_id, "now": now})
    conn.execute(WITHDRAW_EXPORTS, (organization_id,))


def list_stale_exports(conn: Connection, organization_id: UUID, *, since: datetime) -> Mapping[UUID, int]:
    """Return exports that expire after *since*, with the first generation whose files are valid.

    Files of earlier generations are stale.
    """
    return dict(conn.execute(LIST_STALE_EXPORTS, {"organization_id": organization_id, "since": since}).fetchall())


def _named(job: ExportJob) -> dict[str, Any]:
    return {"id": job.id, "organization_id": job.organization_id, "generation": job.generation}


def _claimed(job: ExportJob) -> dict[str, Any]:
    at = {"section": job.section, "position": _json(job.position)}
    return {**_named(job), **at, "claimed_until": job.claimed_until}


def _json(position: ExportPosition) -> Jsonb | None:
    return None if position is None else Jsonb(list(position))
