"""Audit logs of all organizations, as they are written, sealed and cut.

The record function writes them, the sweep seals them, and the roll-up cuts them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import DataError, IntegrityError
from psycopg.errors import InsufficientPrivilege, UniqueViolation
from psycopg.rows import class_row

from tenancy.rules.audit_chain import AuditEntry, ChainLink, Checkpoint
from tenancy.rules.audit_record import Actor, AddressedRecord, AuditOutcome, AuditRecord
from tenancy.rules.tenant import CallerKind
from tenancy.stores.postgres.audit_log import ENTRY_COLUMNS, UnwritableRecordError
from tenancy.stores.postgres.client import Connection

INSERT_REFUSAL: Final = """
    INSERT INTO audit_refusals (
        id, organization_id, occurred_at, actor_kind, actor_id, action, target, code, request_id, source_address
    )
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (organization_id, id) DO NOTHING
"""
# Refusals of one credential, address, action and target within one minute become one row.
COUNT_REFUSALS: Final = """
    WITH due AS (
        SELECT * FROM audit_refusals WHERE counted_at IS NULL AND occurred_at < %(before)s
        ORDER BY occurred_at, id LIMIT %(limit)s FOR UPDATE
    ),
    counted AS (
        UPDATE audit_refusals AS r SET counted_at = %(now)s, source_address = '' FROM due
        WHERE r.organization_id = due.organization_id AND r.id = due.id
    )
    SELECT organization_id, min(occurred_at), actor_kind, actor_id, action, target, code, source_address,
           (array_agg(request_id ORDER BY occurred_at, id))[1], count(*)
    FROM due
    GROUP BY organization_id, date_trunc('minute', occurred_at), actor_kind, actor_id, action, target, code,
             source_address
    ORDER BY min(occurred_at)
"""
DELETE_REFUSALS: Final = "DELETE FROM audit_refusals WHERE counted_at < %s"
LIST_UNSEALED_LOGS: Final = """
    SELECT organization_id FROM audit_log WHERE sequence IS NULL GROUP BY organization_id ORDER BY min(occurred_at)
"""
LIST_UNSEALED: Final = (
    "SELECT "
    + ENTRY_COLUMNS
    + """, NULL::bytea AS salt, NULL::text AS source_address
    FROM audit_log AS l
    WHERE l.organization_id = %s AND l.sequence IS NULL ORDER BY l.occurred_at, l.id LIMIT %s
"""
)
UPDATE_SEALS: Final = """
    UPDATE audit_log AS l SET sequence = new.sequence, seal = new.seal
    FROM unnest(%(ids)s::uuid[], %(sequences)s::bigint[], %(seals)s::bytea[]) AS new (id, sequence, seal)
    WHERE l.id = new.id AND l.organization_id = %(organization_id)s
"""
LOCK_HEAD: Final = "SELECT sequence, seal FROM audit_heads WHERE organization_id = %s FOR UPDATE"
UPSERT_HEAD: Final = """
    INSERT INTO audit_heads (organization_id, sequence, seal) VALUES (%s, %s, %s)
    ON CONFLICT (organization_id) DO UPDATE SET sequence = excluded.sequence, seal = excluded.seal
    WHERE audit_heads.sequence < excluded.sequence
"""
# The prefix of each log in which every entry is older than its retention.
LIST_CUTS: Final = """
    SELECT r.organization_id, last.sequence, last.seal, r.cut_before
    FROM unnest(%(logs)s::uuid[], %(cut_before)s::timestamptz[]) AS r (organization_id, cut_before)
    CROSS JOIN LATERAL (
        SELECT coalesce((
            SELECT l.sequence FROM audit_log AS l
            WHERE l.organization_id = r.organization_id AND l.sequence > 0 AND l.occurred_at >= r.cut_before
            ORDER BY l.sequence LIMIT 1
        ), 9223372036854775807) AS sequence
    ) AS first_kept
    CROSS JOIN LATERAL (
        SELECT l.sequence, l.seal FROM audit_log AS l
        WHERE l.organization_id = r.organization_id AND l.sequence < first_kept.sequence
        ORDER BY l.sequence DESC LIMIT 1
    ) AS last
"""
INSERT_CHECKPOINT: Final = """
    INSERT INTO audit_checkpoints (organization_id, sequence, seal, cut_before, signature) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (organization_id, sequence) DO NOTHING
"""
DELETE_ENTRIES: Final = "DELETE FROM audit_log WHERE organization_id = %s AND sequence <= %s"


class SealedMeanwhileError(Exception):
    """Another sealer changed the same log. The sweep's lease prevents that."""


def insert_refusal(conn: Connection, refusal: AddressedRecord) -> None:
    """Store a refusal until its minute is over. Idempotent.

    Raises:
        UnwritableRecordError: the table rejects the refusal.
    """
    record = refusal.record
    values = (
        record.id,
        refusal.organization_id,
        record.occurred_at,
        record.actor.kind,
        record.actor.id,
        record.action,
        record.target,
        record.code,
        record.actor.request_id,
        record.actor.source_address,
    )
    try:
        conn.execute(INSERT_REFUSAL, values)
    except (DataError, IntegrityError) as error:
        raise UnwritableRecordError from error


def count_refusals(conn: Connection, *, before: datetime, limit: int, now: datetime) -> list[AddressedRecord]:
    """Count up to *limit* refusals from before *before*, each once, and return their records."""
    values = {"before": before, "limit": limit, "now": now}
    return [_counted_refusal(row) for row in conn.execute(COUNT_REFUSALS, values)]


def delete_refusals(conn: Connection, *, counted_before: datetime) -> None:
    """Delete refusals that were counted before *counted_before*.

    Their messages cannot arrive again.
    """
    conn.execute(DELETE_REFUSALS, (counted_before,))


def list_unsealed_logs(conn: Connection) -> list[UUID]:
    """Return the organizations with unsealed records, oldest records first."""
    return [organization_id for (organization_id,) in conn.execute(LIST_UNSEALED_LOGS)]


def list_unsealed(conn: Connection, organization_id: UUID, *, limit: int) -> list[AuditEntry]:
    """Return at most *limit* unsealed records, oldest first, without their personal values."""
    with conn.cursor(row_factory=class_row(AuditEntry)) as cursor:
        return cursor.execute(LIST_UNSEALED, (organization_id, limit)).fetchall()


def lock_head(conn: Connection, organization_id: UUID) -> ChainLink | None:
    """Return the last seal of the chain, or None before the first.

    It locks the head: other sealers wait until the transaction ends.
    """
    row = conn.execute(LOCK_HEAD, (organization_id,)).fetchone()
    return ChainLink(sequence=row[0], seal=row[1]) if row else None


def update_seals(conn: Connection, organization_id: UUID, links: Mapping[UUID, ChainLink]) -> None:
    """Store the sequence and seal of records, by id. The last one becomes the head of the log.

    Raises:
        SealedMeanwhileError: another sealer was faster. Nothing may be committed.
    """
    values = {
        "organization_id": organization_id,
        "ids": list(links),
        "sequences": [link.sequence for link in links.values()],
        "seals": [link.seal for link in links.values()],
    }
    head = max(links.values(), key=lambda link: link.sequence)
    try:
        sealed = conn.execute(UPDATE_SEALS, values).rowcount
        moved = conn.execute(UPSERT_HEAD, (organization_id, head.sequence, head.seal)).rowcount
    except (UniqueViolation, InsufficientPrivilege) as error:
        raise SealedMeanwhileError from error
    if sealed != len(links) or moved != 1:
        raise SealedMeanwhileError


def list_cuts(conn: Connection, cut_before: Mapping[UUID, datetime]) -> list[Checkpoint]:
    """Return the point up to which each log of *cut_before* may be cut, unsigned."""
    values = {"logs": list(cut_before), "cut_before": list(cut_before.values())}
    return [
        Checkpoint(organization_id=organization_id, link=ChainLink(sequence=sequence, seal=seal), cut_before=moment)
        for organization_id, sequence, seal, moment in conn.execute(LIST_CUTS, values)
    ]


def insert_checkpoint(conn: Connection, checkpoint: Checkpoint) -> None:
    """Store a signed checkpoint. Policies let no entry be deleted without one."""
    link = checkpoint.link
    conn.execute(
        INSERT_CHECKPOINT,
        (checkpoint.organization_id, link.sequence, link.seal, checkpoint.cut_before, checkpoint.signature),
    )


def delete_entries(conn: Connection, organization_id: UUID, *, up_to: int) -> int:
    """Delete the entries up to the sequence *up_to*, and return their number.

    Their personal values are deleted with them.
    """
    return conn.execute(DELETE_ENTRIES, (organization_id, up_to)).rowcount


def _counted_refusal(row: Sequence[Any]) -> AddressedRecord:
    organization_id, occurred_at, kind, actor_id, action, target, code, source_address, request_id, count = row
    actor = Actor(kind=CallerKind(kind), id=actor_id, request_id=request_id, source_address=source_address)
    record = AuditRecord(
        occurred_at=occurred_at,
        actor=actor,
        action=action,
        target=target,
        outcome=AuditOutcome.REFUSED,
        code=code,
        count=count,
    )
    return AddressedRecord(organization_id=organization_id, record=record)
