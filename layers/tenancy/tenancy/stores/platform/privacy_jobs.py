"""Jobs of portability and erasure of all organizations, as their worker sees them.

A job is claimed by moving the time at which it is due: whoever comes meanwhile passes it by, and a worker that dies is
succeeded when its claim has ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import kwargs_row
from psycopg.types.json import Jsonb

from tenancy.privacy import (
    ErasureJob,
    ErasureStatus,
    ExportFile,
    ExportJob,
    Found,
    Loss,
    Position,
    Subject,
    SubjectKind,
)
from tenancy.stores.postgres import Connection
from tenancy.usage import DailyEvents

CLAIM_EXPORT: Final = """
    UPDATE exports SET due_at = %(until)s
    WHERE id = (
        SELECT e.id FROM exports AS e
        JOIN organizations AS o ON o.id = e.organization_id AND o.status IN ('active', 'suspended')
        WHERE e.status = 'pending' AND e.due_at <= %(now)s
        ORDER BY e.due_at, e.id LIMIT 1 FOR UPDATE OF e SKIP LOCKED
    )
    RETURNING id, organization_id, actor_kind, actor_id, requested_at, due_at AS claimed_until, generation, section,
              position
"""
# Only what was claimed, as it was claimed: an erasure in between has begun another generation, and when the claim has
# ended another worker has the job.
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
# Of what is withdrawn, and of generations that have ended; what expired long ago, the bucket has forgotten by itself.
LIST_STALE_EXPORTS: Final = """
    SELECT id, CASE WHEN status = 'withdrawn' THEN generation + 1 ELSE generation END FROM exports
    WHERE organization_id = %(organization_id)s AND (status = 'withdrawn' OR generation > 0)
      AND (expires_at IS NULL OR expires_at > %(since)s)
"""
WITHDRAW_EXPORTS: Final = """
    UPDATE exports SET status = 'withdrawn', due_at = NULL WHERE organization_id = %s AND status = 'done'
"""
# Organizations take turns: first those of which nobody has a job, and of them the one that was served longest ago.
# A job is claimed while it is due when its claim ends: whoever is done with it makes it due at another time.
CLAIM_ERASURE: Final = """
    UPDATE erasures SET due_at = %(until)s, claimed_until = %(until)s
    WHERE id = (
        SELECT e.id FROM erasures AS e
        JOIN organizations AS o ON o.id = e.organization_id AND o.status NOT IN ('erasing', 'erased')
        JOIN (
            SELECT organization_id, max(claimed_until) AS served,
                   bool_or(claimed_until IS NOT NULL AND due_at = claimed_until AND due_at > %(now)s) AS is_claimed
            FROM erasures WHERE due_at IS NOT NULL GROUP BY organization_id
        ) AS turns ON turns.organization_id = e.organization_id
        WHERE e.due_at <= %(now)s AND e.digest IS NOT NULL
        ORDER BY turns.is_claimed, turns.served NULLS FIRST, e.due_at, e.id LIMIT 1 FOR UPDATE OF e SKIP LOCKED
    )
    RETURNING id, organization_id, actor_kind, actor_id, subject_kind, salt, digest, status, requested_at, found,
              covered_until
"""
UPDATE_FOUND: Final = "UPDATE erasures SET found = %s WHERE organization_id = %s AND id = %s"
UPDATE_ERASURE: Final = """
    UPDATE erasures SET
        status = %(status)s, found = %(found)s, due_at = %(due_at)s, covered_until = %(covered_until)s,
        events_before = events_before + %(events)s, events_after = 0,
        held_events_before = held_events_before + %(held_events)s, held_events_after = 0,
        erased_at = coalesce(erased_at, %(now)s),
        confirmed_at = CASE WHEN %(status)s = 'confirmed' THEN coalesce(confirmed_at, %(now)s) END,
        salt = CASE WHEN %(due_at)s::timestamptz IS NOT NULL THEN salt END,
        digest = CASE WHEN %(due_at)s::timestamptz IS NOT NULL THEN digest END
    WHERE organization_id = %(organization_id)s AND id = %(id)s AND status = %(status_before)s
"""
UPDATE_ERASURE_DUE: Final = (
    "UPDATE erasures SET due_at = %s WHERE organization_id = %s AND id = %s AND due_at IS NOT NULL"
)
HAS_CLAIMS: Final = """
    SELECT EXISTS (
        SELECT due_at FROM exports
        WHERE organization_id = %(organization_id)s AND status = 'pending' AND due_at > %(now)s AND due_at <= %(until)s
        UNION ALL
        SELECT due_at FROM erasures
        WHERE organization_id = %(organization_id)s AND due_at > %(now)s AND due_at <= %(until)s
    )
"""
# Days that were never rolled up have no row, and get none here: the roll-up counts them from what is left.
UPDATE_DAYS: Final = """
    UPDATE tenant_usage AS u SET
        events_count = new.events, unique_users_count = new.unique_users, storage_bytes = new.storage_bytes
    FROM jsonb_to_recordset(%s) AS new (metric_date date, events bigint, unique_users bigint, storage_bytes bigint)
    WHERE u.organization_id = %s AND u.metric_date = new.metric_date
"""
# Retention has deleted some of a closed day's events: it cannot be counted again, so that what it loses is taken off.
UPDATE_CLOSED_DAYS: Final = """
    UPDATE tenant_usage AS u SET
        events_count = greatest(0, u.events_count - lost.events),
        unique_users_count = greatest(0, u.unique_users_count - lost.unique_users),
        storage_bytes = greatest(0, u.storage_bytes - lost.storage_bytes)
    FROM jsonb_to_recordset(%s) AS lost (metric_date date, events bigint, unique_users bigint, storage_bytes bigint)
    WHERE u.organization_id = %s AND u.metric_date = lost.metric_date
"""


def claim_export(conn: Connection, *, now: datetime, until: datetime) -> ExportJob | None:
    """Take the export that has been due for longest, *until* then; None when nothing is due."""
    with conn.cursor(row_factory=kwargs_row(ExportJob)) as cursor:
        return cursor.execute(CLAIM_EXPORT, {"now": now, "until": until}).fetchone()


def update_export(conn: Connection, job: ExportJob, *, section: int, position: Position) -> ExportJob | None:
    """Note where the next file begins, and return the job as it is then; None when it is not this worker's any more."""
    values = {**_claimed(job), "next_section": section, "next_position": _json(position)}
    if conn.execute(UPDATE_EXPORT, values).rowcount:
        return replace(job, section=section, position=position)
    return None


def insert_export_file(conn: Connection, job: ExportJob, number: int, file: ExportFile) -> None:
    """Note a file that was written."""
    conn.execute(INSERT_FILE, {**_named(job), "number": number, **file._asdict()})


def update_export_done(conn: Connection, job: ExportJob, *, now: datetime, expires_at: datetime) -> bool:
    """Note that all files are written, and say whether the job was still this worker's."""
    return conn.execute(UPDATE_EXPORT_DONE, {**_claimed(job), "now": now, "expires_at": expires_at}).rowcount == 1


def update_export_due(conn: Connection, job: ExportJob, *, due_at: datetime) -> None:
    """Give the job back, to be gone on with from *due_at* on; nothing happens when another worker has it."""
    conn.execute(UPDATE_EXPORT_DUE, {**_claimed(job), "due_at": due_at})


def find_expired_export(conn: Connection, *, now: datetime) -> tuple[UUID, UUID] | None:
    """Return an export whose files are to be deleted by *now*, after its organization; None without any."""
    return conn.execute(FIND_EXPIRED_EXPORT, (now,)).fetchone()


def update_export_expired(conn: Connection, organization_id: UUID, export_id: UUID) -> None:
    """Note that its files are deleted."""
    conn.execute(UPDATE_EXPORT_EXPIRED, (organization_id, export_id))


def withdraw_exports(conn: Connection, organization_id: UUID, *, now: datetime) -> None:
    """Withdraw all of an organization's exports that are done, and let the others begin anew."""
    conn.execute(RESTART_EXPORTS, {"organization_id": organization_id, "now": now})
    conn.execute(WITHDRAW_EXPORTS, (organization_id,))


def list_stale_exports(conn: Connection, organization_id: UUID, *, since: datetime) -> Mapping[UUID, int]:
    """Return exports that have not expired *since*, with the generation before which their files are stale."""
    return dict(conn.execute(LIST_STALE_EXPORTS, {"organization_id": organization_id, "since": since}).fetchall())


def claim_erasure(conn: Connection, *, now: datetime, until: datetime) -> ErasureJob | None:
    """Take the erasure whose organization has its turn, *until* then; None when nothing is due."""
    with conn.cursor(row_factory=kwargs_row(_erasure_job)) as cursor:
        return cursor.execute(CLAIM_ERASURE, {"now": now, "until": until}).fetchone()


def update_found(conn: Connection, job: ErasureJob, found: Found) -> None:
    """Note what was found, before it is deleted."""
    conn.execute(UPDATE_FOUND, (Jsonb(found.document()), job.organization_id, job.id))


def update_erasure(
    conn: Connection,
    job: ErasureJob,
    status: ErasureStatus,
    found: Found,
    *,
    covered_until: datetime,
    now: datetime,
    due_at: datetime | None,
) -> bool:
    """Note the end of a pass, and say whether the job is still as it was; without another one it forgets its subject.

    What was *found* counts as having been there before, and none of it is there now.
    """
    values = {
        "id": job.id,
        "organization_id": job.organization_id,
        "status": status,
        "status_before": job.status,
        "found": Jsonb(found.made_up_for().document() if due_at else {}),
        "events": found.events,
        "held_events": found.held_events,
        "covered_until": covered_until,
        "now": now,
        "due_at": due_at,
    }
    return conn.execute(UPDATE_ERASURE, values).rowcount == 1


def update_erasure_due(conn: Connection, job: ErasureJob, *, due_at: datetime) -> None:
    """Give the job back, to be gone on with from *due_at* on."""
    conn.execute(UPDATE_ERASURE_DUE, (due_at, job.organization_id, job.id))


def has_claims(conn: Connection, organization_id: UUID, *, now: datetime, until: datetime) -> bool:
    """Whether a worker may have a job of the organization that it took before *until* less `CLAIM_TIME`."""
    values = {"organization_id": organization_id, "now": now, "until": until}
    return conn.execute(HAS_CLAIMS, values).fetchone() == (True,)


def update_days(conn: Connection, organization_id: UUID, days: Sequence[DailyEvents]) -> None:
    """Make the organization's usage on *days* what was counted."""
    rows = [
        {
            "metric_date": day.metric_date.isoformat(),
            "events": day.events,
            "unique_users": day.unique_users,
            "storage_bytes": day.storage_bytes,
        }
        for day in days
    ]
    conn.execute(UPDATE_DAYS, (Jsonb(rows), organization_id))


def update_closed_days(conn: Connection, organization_id: UUID, losses: Mapping[date, Loss]) -> None:
    """Take *losses* by day off the organization's usage. Not idempotent: it belongs into the end of a pass."""
    rows = [
        {
            "metric_date": day.isoformat(),
            "events": loss.events,
            "unique_users": loss.devices,
            "storage_bytes": loss.size_bytes,
        }
        for day, loss in losses.items()
    ]
    conn.execute(UPDATE_CLOSED_DAYS, (Jsonb(rows), organization_id))


def _named(job: ExportJob) -> dict[str, Any]:
    return {"id": job.id, "organization_id": job.organization_id, "generation": job.generation}


def _claimed(job: ExportJob) -> dict[str, Any]:
    at = {"section": job.section, "position": _json(job.position)}
    return {**_named(job), **at, "claimed_until": job.claimed_until}


def _json(position: Position) -> Jsonb | None:
    return None if position is None else Jsonb(list(position))


def _erasure_job(
    *, subject_kind: str, salt: bytes, digest: bytes, status: str, found: dict[str, Any], **columns: object
) -> ErasureJob:
    return ErasureJob(
        subject=Subject(kind=SubjectKind(subject_kind), salt=salt, digest=digest),
        status=ErasureStatus(status),
        found=Found.from_document(found),
        **columns,  # type: ignore[arg-type] # columns are the fields
    )
