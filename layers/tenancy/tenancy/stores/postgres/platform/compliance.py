"""The facts of the platform's compliance report: rows of all organizations, and of the platform itself."""

from datetime import date, datetime
from typing import Final

from psycopg.rows import class_row

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.compliance import (
    MAX_READ_ENTRIES,
    MAX_SHOWN,
    DeletionState,
    ErasureCounts,
    KeyAge,
    Listed,
    LogExcerpt,
    OverdueKeys,
)
from tenancy.rules.durations import PLATFORM_KEY_ROTATION, SUBJECT_ERASURE_DEADLINE
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.usage import Period
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.compliance import EXCERPT, READ_COLUMNS, erasure_counts_of, excerpt_of, period_values

PLATFORM: Final = "platform"  # the kind of a platform key
# `of_operators` uses the index audit_log_operators. `of_platform` uses the index of an organization's log.
READ_LOGS: Final = (
    """
    WITH of_operators AS (
        SELECT """
    + READ_COLUMNS
    + """
        FROM audit_log
        WHERE actor_kind = 'operator' AND occurred_at >= %(start)s AND occurred_at < %(end)s
        ORDER BY occurred_at DESC, id DESC LIMIT %(most)s
    ),
    of_platform AS (
        SELECT """
    + READ_COLUMNS
    + """
        FROM audit_log
        WHERE organization_id = %(platform_log)s AND occurred_at >= %(start)s AND occurred_at < %(end)s
        ORDER BY occurred_at DESC, id DESC LIMIT %(most)s
    ),
    entries AS (
        SELECT * FROM (
            SELECT * FROM of_operators
            UNION ALL SELECT * FROM of_platform WHERE actor_kind <> 'operator'
        ) AS both_logs
        ORDER BY occurred_at DESC, id DESC LIMIT %(most)s
    )"""
    + EXCERPT
)
LIST_DELETIONS: Final = """
    WITH ending AS (
        SELECT id, status, deleted_at, purge_at, erased_at, count(*) OVER () AS total FROM organizations
        WHERE status IN ('deleted', 'erasing') OR status = 'erased' AND erased_at >= %(start)s AND erased_at < %(end)s
        ORDER BY status = 'erased', purge_at, id LIMIT %(shown)s
    )
    SELECT e.total, e.id, e.status, e.deleted_at, e.purge_at, e.erased_at, c.certificates, c.last_certified_at
    FROM ending AS e CROSS JOIN LATERAL (
        SELECT count(*) AS certificates, max(issued_at) AS last_certified_at
        FROM deletion_certificates AS d WHERE d.organization_id = e.id
    ) AS c
    ORDER BY e.status = 'erased', e.purge_at, e.id
"""
COUNT_ALL_ERASURES: Final = """
    SELECT status, count(*), count(*) FILTER (WHERE requested_at <= %(overdue)s) FROM erasures
    WHERE requested_at < %(end)s AND (requested_at >= %(start)s OR status = 'pending')
    GROUP BY status
"""
LIST_PLATFORM_KEY_AGES: Final = """
    SELECT count(*) OVER (), id, created_at, expires_at FROM platform_keys
    WHERE revoked_at IS NULL AND replaced_by IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)
    ORDER BY created_at, id LIMIT %(shown)s
"""
LIST_OVERDUE_KEYS: Final = "SELECT organization_id, keys, oldest_created_at FROM list_overdue_keys(%s, %s)"
FIND_LAST_CLEAN_UP: Final = "SELECT month FROM clean_ups ORDER BY month DESC LIMIT 1"


def read_platform_excerpt(conn: Connection, period: Period) -> LogExcerpt:
    """Return the entries of operators in all logs, and the mismatches in the platform's own log."""
    values = {"platform_log": PLATFORM_LOG, "most": MAX_READ_ENTRIES, "shown": MAX_SHOWN, **period_values(period)}
    return excerpt_of(conn.execute(READ_LOGS, values))


def list_deletions(conn: Connection, period: Period) -> Listed[DeletionState]:
    """Return deletions that are not finished, oldest first, then those that ended in *period*."""
    rows = conn.execute(LIST_DELETIONS, {"shown": MAX_SHOWN, **period_values(period)}).fetchall()
    deletions = [
        DeletionState(
            organization_id=organization_id,
            status=OrganizationStatus(status),
            deleted_at=deleted_at,
            purge_at=purge_at,
            erased_at=erased_at,
            certificates=certificates,
            last_certified_at=last_certified_at,
        )
        for _, organization_id, status, deleted_at, purge_at, erased_at, certificates, last_certified_at in rows
    ]
    return Listed(count=rows[0][0] if rows else 0, rows=deletions)


def count_all_erasures(conn: Connection, period: Period, *, now: datetime) -> ErasureCounts:
    """Return the numbers of erasures of all organizations that were requested in *period*, or are pending."""
    values = {"overdue": now - SUBJECT_ERASURE_DEADLINE, **period_values(period)}
    return erasure_counts_of(conn.execute(COUNT_ALL_ERASURES, values))


def list_platform_key_ages(conn: Connection, *, now: datetime) -> Listed[KeyAge]:
    """Return the live platform keys that no rotation has replaced, oldest first."""
    rows = conn.execute(LIST_PLATFORM_KEY_AGES, {"now": now, "shown": MAX_SHOWN}).fetchall()
    keys = [
        KeyAge(
            id=key_id,
            kind=PLATFORM,
            created_at=created_at,
            expires_at=expires_at,
            rotation_days=PLATFORM_KEY_ROTATION.days,
        )
        for _, key_id, created_at, expires_at in rows
    ]
    return Listed(count=rows[0][0] if rows else 0, rows=keys)


def list_overdue_keys(conn: Connection, *, now: datetime, limit: int) -> list[OverdueKeys]:
    """Return at most *limit* organizations with keys that are overdue for a rotation, oldest key first."""
    with conn.cursor(row_factory=class_row(OverdueKeys)) as cursor:
        return cursor.execute(LIST_OVERDUE_KEYS, (now, limit)).fetchall()


def find_last_clean_up(conn: Connection) -> date | None:
    """Return the last month for which retention was applied, or None before the first."""
    row = conn.execute(FIND_LAST_CLEAN_UP).fetchone()
    return row[0] if row else None
