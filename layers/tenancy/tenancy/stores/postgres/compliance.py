"""The facts of compliance reports in rows of one organization."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from typing import Any, Final
from uuid import UUID

from tenancy.rules.compliance import (
    MAX_READ_ENTRIES,
    MAX_SHOWN,
    AccessEntry,
    AccessKind,
    DeletionState,
    ErasureCounts,
    KeyAge,
    Listed,
    LogExcerpt,
    SubjectErasure,
)
from tenancy.rules.durations import SUBJECT_ERASURE_DEADLINE
from tenancy.rules.erasures import ErasureStatus
from tenancy.rules.keys.api_keys import KeyType
from tenancy.rules.keys.managed_keys import KeyKind
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.usage import Period
from tenancy.stores.postgres.client import Connection

ENTRY_FIELDS: Final = (
    "id", "organization_id", "occurred_at", "actor_kind", "actor_id", "action", "outcome", "target", "count"
)  # fmt: skip
# An entry is listed once for each of its kinds. Reads of events have no kind: GET /v1/audit shows them. Only the newest
# entries are read, to bound the cost of a long log.
EXCERPT: Final = """,
    listed AS (
        SELECT k.kind, r.*,
               row_number() OVER (PARTITION BY k.kind ORDER BY r.occurred_at DESC, r.id DESC) AS number,
               count(*) OVER (PARTITION BY k.kind) AS total
        FROM entries AS r CROSS JOIN LATERAL (VALUES
            ('operator', r.actor_kind = 'operator'),
            ('export', r.action = 'export.requested' OR r.action LIKE '%% /v1/exports%%'),
            ('audit_read', r.action LIKE 'GET /v1/%%audit%%' OR r.action LIKE 'GET /v1/%%compliance/report'),
            ('mismatch', r.code = 'tenant_mismatch')
        ) AS k (kind, is_member)
        WHERE k.is_member
    )
    SELECT (SELECT count(*) FROM entries), kind, total, id, organization_id, occurred_at, actor_kind, actor_id,
           left(action, 200), outcome, CASE kind WHEN 'mismatch' THEN left(target, 200) ELSE '' END, count
    FROM (SELECT 1) AS one LEFT JOIN listed ON number <= %(shown)s
    ORDER BY kind, number
"""
READ_COLUMNS: Final = "id, organization_id, occurred_at, actor_kind, actor_id, action, outcome, code, target, count"
READ_LOG: Final = (
    """
    WITH entries AS (
        SELECT """
    + READ_COLUMNS
    + """
        FROM audit_log
        WHERE organization_id = %(organization_id)s AND occurred_at >= %(start)s AND occurred_at < %(end)s
        ORDER BY occurred_at DESC, id DESC LIMIT %(most)s
    )"""
    + EXCERPT
)
FIND_DELETION_STATE: Final = """
    SELECT status, deleted_at, purge_at, erased_at FROM organizations WHERE id = %s
"""
COUNT_ERASURES: Final = """
    SELECT status, count(*), count(*) FILTER (WHERE requested_at <= %(overdue)s) FROM erasures
    WHERE organization_id = %(organization_id)s AND requested_at < %(end)s
      AND (requested_at >= %(start)s OR status = 'pending')
    GROUP BY status
"""
LIST_SUBJECT_ERASURES: Final = """
    SELECT count(*) OVER (), id, subject_kind, status, requested_at, erased_at, confirmed_at FROM erasures
    WHERE organization_id = %(organization_id)s AND requested_at < %(end)s
      AND (requested_at >= %(start)s OR status = 'pending')
    ORDER BY requested_at DESC, id DESC LIMIT %(shown)s
"""
# The oldest keys first, so that all overdue ones come before the others.
LIST_KEY_AGES: Final = """
    SELECT count(*) OVER (), k.id, k.type, k.created_at, k.expires_at, o.key_rotation_days
    FROM api_keys AS k JOIN organizations AS o ON o.id = k.organization_id
    WHERE k.organization_id = %(organization_id)s AND k.revoked_at IS NULL AND k.replaced_by IS NULL
      AND (k.expires_at IS NULL OR k.expires_at > %(now)s)
    ORDER BY k.created_at, k.id LIMIT %(shown)s
"""
COUNT_OVERDUE_KEYS: Final = """
    SELECT count(*) FROM api_keys AS k JOIN organizations AS o ON o.id = k.organization_id
    WHERE k.organization_id = %(organization_id)s AND k.revoked_at IS NULL AND k.replaced_by IS NULL
      AND (k.expires_at IS NULL OR k.expires_at > %(now)s)
      AND k.created_at + make_interval(hours => 24 * o.key_rotation_days) <= %(now)s
"""


def period_values(period: Period) -> dict[str, datetime]:
    """Return the times at which *period* starts and ends, as parameters of a statement."""
    return {
        "start": datetime.combine(period.start, time(), UTC),
        "end": datetime.combine(period.end, time(), UTC),
    }


def read_log_excerpt(conn: Connection, organization_id: UUID, period: Period) -> LogExcerpt:
    """Return the accesses and mismatches of a period in the log of *organization_id*."""
    values = {"organization_id": organization_id, **period_values(period)}
    return excerpt_of(conn.execute(READ_LOG, {**values, "most": MAX_READ_ENTRIES, "shown": MAX_SHOWN}))


def find_deletion_state(conn: Connection, organization_id: UUID) -> DeletionState | None:
    """Return the state of the organization's deletion, without certificates. None without such an organization."""
    row = conn.execute(FIND_DELETION_STATE, (organization_id,)).fetchone()
    if row is None:
        return None
    status, deleted_at, purge_at, erased_at = row
    return DeletionState(
        organization_id=organization_id,
        status=OrganizationStatus(status),
        deleted_at=deleted_at,
        purge_at=purge_at,
        erased_at=erased_at,
        certificates=0,
        last_certified_at=None,
    )


def count_erasures(conn: Connection, organization_id: UUID, period: Period, *, now: datetime) -> ErasureCounts:
    """Return the numbers of erasures that were requested in *period*, or are pending."""
    values = {"organization_id": organization_id, "overdue": now - SUBJECT_ERASURE_DEADLINE, **period_values(period)}
    return erasure_counts_of(conn.execute(COUNT_ERASURES, values))


def list_subject_erasures(conn: Connection, organization_id: UUID, period: Period) -> Listed[SubjectErasure]:
    """Return the newest erasures that were requested in *period*, or are pending."""
    values = {"organization_id": organization_id, "shown": MAX_SHOWN, **period_values(period)}
    rows = conn.execute(LIST_SUBJECT_ERASURES, values).fetchall()
    erasures = [
        SubjectErasure(
            id=identifier,
            subject_kind=kind,
            status=ErasureStatus(status),
            requested_at=requested_at,
            erased_at=erased_at,
            confirmed_at=confirmed_at,
        )
        for _, identifier, kind, status, requested_at, erased_at, confirmed_at in rows
    ]
    return Listed(count=rows[0][0] if rows else 0, rows=erasures)


def list_key_ages(conn: Connection, organization_id: UUID, *, now: datetime) -> Listed[KeyAge]:
    """Return the live keys of the organization that no rotation has replaced, oldest first."""
    values = {"organization_id": organization_id, "now": now, "shown": MAX_SHOWN}
    rows = conn.execute(LIST_KEY_AGES, values).fetchall()
    keys = [
        KeyAge(
            id=key_id,
            kind=KeyKind.of(KeyType(key_type)),
            created_at=created_at,
            expires_at=expires_at,
            rotation_days=rotation_days,
        )
        for _, key_id, key_type, created_at, expires_at, rotation_days in rows
    ]
    return Listed(count=rows[0][0] if rows else 0, rows=keys)


def count_overdue_keys(conn: Connection, organization_id: UUID, *, now: datetime) -> int:
    """Return the number of the organization's keys that should have been rotated."""
    [(overdue,)] = conn.execute(COUNT_OVERDUE_KEYS, {"organization_id": organization_id, "now": now})
    return int(overdue)


def excerpt_of(rows: Iterable[Sequence[Any]]) -> LogExcerpt:
    """Return the excerpt that *rows* of an `EXCERPT` have."""
    read = 0
    totals = dict.fromkeys(AccessKind, 0)
    entries: dict[AccessKind, list[AccessEntry]] = {kind: [] for kind in AccessKind}
    for read_entries, kind, total, *columns in rows:
        read = read_entries
        if kind is not None:  # null: no entry has a kind
            totals[AccessKind(kind)] = total
            entries[AccessKind(kind)].append(AccessEntry(**dict(zip(ENTRY_FIELDS, columns, strict=True))))
    return LogExcerpt(read=read, entries={kind: Listed(count=totals[kind], rows=entries[kind]) for kind in AccessKind})


def erasure_counts_of(rows: Iterable[Sequence[Any]]) -> ErasureCounts:
    """Return the numbers that *rows* have: state, number, and number after the deadline."""
    counts = {ErasureStatus(status): (number, late) for status, number, late in rows}
    pending, overdue = counts.get(ErasureStatus.PENDING, (0, 0))
    erased, _ = counts.get(ErasureStatus.ERASED, (0, 0))
    confirmed, _ = counts.get(ErasureStatus.CONFIRMED, (0, 0))
    return ErasureCounts(pending=pending, erased=erased, confirmed=confirmed, overdue=overdue)
