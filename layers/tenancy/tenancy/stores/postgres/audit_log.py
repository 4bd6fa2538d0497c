"""The audit log of an organization. Entries are inserted once and never changed."""

import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final
from uuid import UUID

from psycopg import DataError, IntegrityError
from psycopg.rows import class_row

from tenancy.rules.audit_chain import AuditEntry, ChainLink, Checkpoint, personal_digest
from tenancy.rules.audit_record import AuditOutcome, AuditRecord
from tenancy.stores.postgres.client import Connection

SALT_BYTES: Final = 16

# A repeated message changes nothing: neither the record nor its personal values. No personal values are stored for an
# organization that is being erased or was erased.
INSERT_RECORD: Final = """
    WITH written AS (
        INSERT INTO audit_log (
            id, organization_id, occurred_at, actor_kind, actor_id, action, target, outcome, code, count, request_id,
            personal_digest
        )
        VALUES (
            %(id)s, %(organization_id)s, %(occurred_at)s, %(actor_kind)s, %(actor_id)s, %(action)s, %(target)s,
            %(outcome)s, %(code)s, %(count)s, %(request_id)s, %(personal_digest)s
        )
        ON CONFLICT (organization_id, id) DO NOTHING
        RETURNING id
    )
    INSERT INTO audit_people (organization_id, record_id, actor_id, salt, source_address)
    SELECT %(organization_id)s, id, %(actor_id)s, %(salt)s, %(source_address)s FROM written
    WHERE NOT EXISTS (
        SELECT FROM organizations AS o WHERE o.id = %(organization_id)s AND o.status IN ('erasing', 'erased')
    )
"""
HAS_RECORD_SINCE: Final = """
    SELECT EXISTS (SELECT FROM audit_log WHERE organization_id = %s AND action = %s AND occurred_at > %s)
"""
# The columns of an `AuditEntry` in audit_log. Its personal columns are in audit_people.
ENTRY_COLUMNS: Final = (
    "l.id, l.organization_id, l.occurred_at, l.actor_kind, l.actor_id, l.action, l.target, l.outcome, l.code, l.count, "
    "l.request_id, l.personal_digest, l.sequence, l.seal"
)
LIST_ENTRIES: Final = (
    "SELECT "
    + ENTRY_COLUMNS
    + """, p.salt, p.source_address
    FROM audit_log AS l
    LEFT JOIN audit_people AS p ON p.organization_id = l.organization_id AND p.record_id = l.id
    WHERE l.organization_id = %(organization_id)s
      AND l.occurred_at >= %(start)s AND l.occurred_at < %(end)s
      AND (%(actor)s::uuid IS NULL OR l.actor_id = %(actor)s)
      AND (%(action)s::text IS NULL OR l.action = %(action)s)
      AND (%(outcome)s::text IS NULL OR l.outcome = %(outcome)s)
      AND (%(before_time)s::timestamptz IS NULL OR (l.occurred_at, l.id) < (%(before_time)s, %(before_id)s))
    ORDER BY l.occurred_at DESC, l.id DESC LIMIT %(limit)s
"""
)
LIST_SEALED: Final = (
    "SELECT "
    + ENTRY_COLUMNS
    + """, p.salt, p.source_address
    FROM audit_log AS l
    LEFT JOIN audit_people AS p ON p.organization_id = l.organization_id AND p.record_id = l.id
    WHERE l.organization_id = %(organization_id)s AND l.sequence > %(after)s
    ORDER BY l.sequence LIMIT %(limit)s
"""
)
COUNT_UNSEALED: Final = "SELECT count(*) FROM audit_log WHERE organization_id = %s AND sequence IS NULL"
FIND_HEAD: Final = "SELECT sequence, seal FROM audit_heads WHERE organization_id = %s"
FIND_CHECKPOINT: Final = """
    SELECT sequence, seal, cut_before, signature FROM audit_checkpoints
    WHERE organization_id = %s ORDER BY sequence DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSelection:
    """The entries to list: UTC days from *start* to before *end*, and values that must match.

    None matches all values.
    """

    start: date
    end: date
    actor: UUID | None = None
    action: str | None = None
    outcome: AuditOutcome | None = None


class UnwritableRecordError(Exception):
    """The table rejects a record. The code that made the record has a defect."""


def insert_audit_record(conn: Connection, organization_id: UUID, record: AuditRecord) -> None:
    """Insert *record* in the transaction of the change that it records. Idempotent.

    Raises:
        UnwritableRecordError: the table rejects the record.
    """
    salt = secrets.token_bytes(SALT_BYTES)
    values = {
        "id": record.id,
        "organization_id": organization_id,
        "occurred_at": record.occurred_at,
        "actor_kind": record.actor.kind,
        "actor_id": record.actor.id,
        "action": record.action,
        "target": record.target,
        "outcome": record.outcome,
        "code": record.code,
        "count": record.count,
        "request_id": record.actor.request_id,
        "personal_digest": personal_digest(salt, record.actor.source_address),
        "salt": salt,
        "source_address": record.actor.source_address,
    }
    try:
        conn.execute(INSERT_RECORD, values)
    except (DataError, IntegrityError) as error:
        raise UnwritableRecordError from error


def has_record_since(conn: Connection, organization_id: UUID, action: str, *, since: datetime) -> bool:
    """Tell whether the log has a record of *action* after *since*."""
    [(found,)] = conn.execute(HAS_RECORD_SINCE, (organization_id, action, since))
    return bool(found)


def list_entries(
    conn: Connection,
    organization_id: UUID,
    selection: AuditSelection,
    *,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[AuditEntry]:
    """Return at most *limit* entries, newest first, that follow *before* (`occurred_at`, id)."""
    before_time, before_id = before or (None, None)
    values = {
        "organization_id": organization_id,
        "start": datetime.combine(selection.start, time(), UTC),
        "end": datetime.combine(selection.end, time(), UTC),
        "actor": selection.actor,
        "action": selection.action,
        "outcome": selection.outcome,
        "before_time": before_time,
        "before_id": before_id,
        "limit": limit,
    }
    with conn.cursor(row_factory=class_row(AuditEntry)) as cursor:
        return cursor.execute(LIST_ENTRIES, values).fetchall()


def list_sealed(conn: Connection, organization_id: UUID, *, after: int, limit: int) -> list[AuditEntry]:
    """Return at most *limit* sealed entries in order, beginning after the sequence *after*."""
    values = {"organization_id": organization_id, "after": after, "limit": limit}
    with conn.cursor(row_factory=class_row(AuditEntry)) as cursor:
        return cursor.execute(LIST_SEALED, values).fetchall()


def count_unsealed(conn: Connection, organization_id: UUID) -> int:
    """Return the number of records that the sweep has not sealed yet."""
    row = conn.execute(COUNT_UNSEALED, (organization_id,)).fetchone()
    return row[0] if row else 0


def find_head(conn: Connection, organization_id: UUID) -> ChainLink | None:
    """Return the last seal of the chain, or None before the first."""
    row = conn.execute(FIND_HEAD, (organization_id,)).fetchone()
    return ChainLink(sequence=row[0], seal=row[1]) if row else None


def find_checkpoint(conn: Connection, organization_id: UUID) -> Checkpoint | None:
    """Return the last point at which retention cut the log, or None if it was never cut."""
    row = conn.execute(FIND_CHECKPOINT, (organization_id,)).fetchone()
    if row is None:
        return None
    sequence, seal, cut_before, signature = row
    return Checkpoint(
        organization_id=organization_id,
        link=ChainLink(sequence=sequence, seal=seal),
        cut_before=cut_before,
        signature=signature,
    )
