"""Erasures of data subjects of all organizations, as their worker claims them.

A worker claims a job by moving its due time to the end of the claim. Other workers skip it until then. If the worker
dies, another one continues after the claim has ended. This module also changes the usage that an erasure reduces.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import kwargs_row
from psycopg.types.json import Jsonb

from tenancy.rules.erasures import DailyLoss, DataSubject, ErasureJob, ErasureStatus, SubjectKind, SubjectRows
from tenancy.rules.usage import DailyEvents
from tenancy.stores.postgres.client import Connection

# Organizations take turns: first those without a claimed job, and of them the one that was served longest ago.
# A job is claimed while its due time equals the end of its claim. A worker that finishes sets another due time.
CLAIM_ERASURE: Final = """
    UPDATE erasures SET due_at = %(until)s, claimed_until = %(until)s
    WHERE (organization_id, id) = (
        SELECT e.organization_id, e.id FROM erasures AS e
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
# Days that were never rolled up have no row, and get none here. The roll-up counts them from the remaining events.
UPDATE_DAYS: Final = """
    UPDATE tenant_usage AS u SET
        events_count = new.events, unique_users_count = new.unique_users, storage_bytes = new.storage_bytes
    FROM jsonb_to_recordset(%s) AS new (metric_date date, events bigint, unique_users bigint, storage_bytes bigint)
    WHERE u.organization_id = %s AND u.metric_date = new.metric_date
"""
# Retention has deleted some events of a closed day, so the day cannot be counted again. Its losses are subtracted.
UPDATE_CLOSED_DAYS: Final = """
    UPDATE tenant_usage AS u SET
        events_count = greatest(0, u.events_count - lost.events),
        unique_users_count = greatest(0, u.unique_users_count - lost.unique_users),
        storage_bytes = greatest(0, u.storage_bytes - lost.storage_bytes)
    FROM jsonb_to_recordset(%s) AS lost (metric_date date, events bigint, unique_users bigint, storage_bytes bigint)
    WHERE u.organization_id = %s AND u.metric_date = lost.metric_date
"""


def claim_erasure(conn: Connection, *, now: datetime, until: datetime) -> ErasureJob | None:
    """Claim the next due erasure until *until*, or return None without one.

    Organizations take turns.
    """
    with conn.cursor(row_factory=kwargs_row(_erasure_job)) as cursor:
        return cursor.execute(CLAIM_ERASURE, {"now": now, "until": until}).fetchone()


def update_found(conn: Connection, job: ErasureJob, found: SubjectRows) -> None:
    """Store the numbers of *found* before the rows are deleted."""
    conn.execute(UPDATE_FOUND, (Jsonb(found.document()), job.organization_id, job.id))


def update_erasure(
    conn: Connection,
    job: ErasureJob,
    status: ErasureStatus,
    found: SubjectRows,
    *,
    covered_until: datetime,
    now: datetime,
    due_at: datetime | None,
) -> bool:
    """Store the end of a pass, and return whether the job had not changed meanwhile.

    *found* is added to the rows before the erasure. No row is left after it. Without *due_at* this was the last pass,
    and the digest of the subject is deleted.
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
    """Release the claim, and continue the job from *due_at* on."""
    conn.execute(UPDATE_ERASURE_DUE, (due_at, job.organization_id, job.id))


def update_days(conn: Connection, organization_id: UUID, days: Sequence[DailyEvents]) -> None:
    """Set the organization's usage on *days* to the counted numbers."""
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


def update_closed_days(conn: Connection, organization_id: UUID, losses: Mapping[date, DailyLoss]) -> None:
    """Subtract *losses* from the organization's usage, by day.

    Not idempotent. Call it once, at the end of a pass.
    """
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


def _erasure_job(
    *, subject_kind: str, salt: bytes, digest: bytes, status: str, found: dict[str, Any], **columns: object
) -> ErasureJob:
    return ErasureJob(
        subject=DataSubject(kind=SubjectKind(subject_kind), salt=salt, digest=digest),
        status=ErasureStatus(status),
        found=SubjectRows.from_document(found),
        **columns,  # type: ignore[arg-type] # ERASURE_JOB_COLUMNS are the fields
    )
