"""The outbox: effects that a committed change still owes to the world outside the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from tenancy.stores.postgres import Connection

INSERT_EFFECT: Final = "INSERT INTO outbox (organization_id, kind, payload, due_at) VALUES (%s, %s, %s, %s)"
INSERT_CLAIMED_EFFECT: Final = """
    INSERT INTO outbox (organization_id, kind, payload, due_at, attempts) VALUES (%s, %s, %s, %s, 1)
    RETURNING id, organization_id, kind, payload, attempts
"""
# Nothing is made for an organization that is being erased, or would be made again after it was erased; links to its
# data are not sent while it is deleted.
CLAIM_EFFECTS: Final = """
    UPDATE outbox SET attempts = attempts + 1, due_at = %(again_at)s
    WHERE id IN (
        SELECT e.id FROM outbox AS e JOIN organizations AS o ON o.id = e.organization_id
        WHERE e.due_at <= %(now)s AND (%(organization_id)s::uuid IS NULL OR e.organization_id = %(organization_id)s)
          AND (%(kind)s::text IS NULL OR e.kind = %(kind)s)
          AND CASE
              WHEN o.status IN ('erasing', 'erased') THEN e.kind = 'erased_mail'
              WHEN o.status = 'deleted' THEN e.kind <> 'export_mail'
              ELSE true
          END
        ORDER BY e.id LIMIT %(limit)s FOR UPDATE OF e SKIP LOCKED
    )
    RETURNING id, organization_id, kind, payload, attempts
"""
IS_OWED: Final = "SELECT EXISTS (SELECT FROM outbox WHERE organization_id = %s AND kind = %s)"
DELETE_EFFECT: Final = "DELETE FROM outbox WHERE id = %s"
UPDATE_EFFECT_FAILED: Final = "UPDATE outbox SET last_error = %s, due_at = %s WHERE id = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One thing to do; *attempts* counts this one. It may be done twice, so doing it must be idempotent."""

    id: int
    organization_id: UUID
    kind: str
    payload: dict[str, Any]
    attempts: int


def insert_effect(
    conn: Connection, organization_id: UUID, kind: str, payload: dict[str, Any], *, due_at: datetime
) -> None:
    """Owe an effect from *due_at* on, in the transaction that makes it due."""
    conn.execute(INSERT_EFFECT, (organization_id, kind, Jsonb(payload), due_at))


def insert_claimed_effect(
    conn: Connection, organization_id: UUID, kind: str, payload: dict[str, Any], *, until: datetime
) -> Effect:
    """Owe an effect and return it, claimed by whoever owes it: nobody else does it before *until*."""
    with conn.cursor(row_factory=class_row(Effect)) as cursor:
        [effect] = cursor.execute(INSERT_CLAIMED_EFFECT, (organization_id, kind, Jsonb(payload), until)).fetchall()
    return effect


def claim_effects(
    conn: Connection,
    *,
    now: datetime,
    again_at: datetime,
    limit: int,
    organization_id: UUID | None = None,
    kind: str | None = None,
) -> list[Effect]:
    """Take up to *limit* due effects, of one organization and kind or of all; an unfinished one is due *again_at*."""
    values = {"now": now, "again_at": again_at, "limit": limit, "organization_id": organization_id, "kind": kind}
    with conn.cursor(row_factory=class_row(Effect)) as cursor:
        return sorted(cursor.execute(CLAIM_EFFECTS, values).fetchall(), key=lambda effect: effect.id)


def is_owed(conn: Connection, organization_id: UUID, kind: str) -> bool:
    """Whether an effect of that kind is still to be done, now or later."""
    [(owes,)] = conn.execute(IS_OWED, (organization_id, kind))
    return bool(owes)


def delete_effect(conn: Connection, effect_id: int) -> None:
    """Strike an effect that is done."""
    conn.execute(DELETE_EFFECT, (effect_id,))


def update_effect_failed(conn: Connection, effect_id: int, *, error: str, due_at: datetime) -> None:
    """Note why an effect failed (no personal data) and when it is tried again."""
    conn.execute(UPDATE_EFFECT_FAILED, (error, due_at, effect_id))
