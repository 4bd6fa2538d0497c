"""The outbox: effects that a committed change still owes to the world outside the database."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from tenancy.stores.postgres.client import Connection

ENTRY_COLUMNS: Final = "id, organization_id, kind, payload, attempts"
INSERT_ENTRY: Final = "INSERT INTO outbox (organization_id, kind, payload, due_at) VALUES (%s, %s, %s, %s)"
INSERT_CLAIMED_ENTRY: Final = (
    """
    INSERT INTO outbox (organization_id, kind, payload, due_at, claimed_until, attempts) VALUES (%s, %s, %s, %s, %s, 1)
    RETURNING """
    + ENTRY_COLUMNS
    + "\n"
)
# Nothing is made for an organization that is being erased, or would be made again after it was erased; links to its
# data are not sent while it is deleted.
RUNNABLE: Final = """
    FROM outbox AS e JOIN organizations AS o ON o.id = e.organization_id
    WHERE CASE
        WHEN o.status IN ('erasing', 'erased') THEN e.kind = 'erased_mail'
        WHEN o.status = 'deleted' THEN e.kind <> 'export_mail'
        ELSE true
    END
"""
# Mail goes last, and each organization's in turns: neither a slow mail service nor one that mails thousands keeps
# others waiting. What is free is asked again of the locked row: another may have claimed and let it go meanwhile.
CLAIM_ENTRIES: Final = (
    """
    WITH free AS (
        SELECT e.id, e.due_at, right(e.kind, 5) = '_mail' AS is_mail, row_number() OVER (
                   PARTITION BY e.organization_id, right(e.kind, 5) = '_mail' ORDER BY e.due_at, e.id
               ) AS place
    """
    + RUNNABLE
    + """
          AND (e.due_at <= %(now)s OR %(at_once)s) AND (e.claimed_until IS NULL OR e.claimed_until <= %(now)s)
          AND (%(organization_id)s::uuid IS NULL OR e.organization_id = %(organization_id)s)
          AND (%(kind)s::text IS NULL OR e.kind = %(kind)s)
    ),
    taken AS (
        SELECT e.id, f.is_mail, f.due_at FROM outbox AS e JOIN free AS f ON f.id = e.id
        WHERE (e.due_at <= %(now)s OR %(at_once)s) AND (e.claimed_until IS NULL OR e.claimed_until <= %(now)s)
          AND (NOT f.is_mail OR f.place <= %(mails_each)s)
        ORDER BY f.is_mail, f.due_at, e.id LIMIT %(limit)s FOR UPDATE OF e SKIP LOCKED
    ),
    claimed AS (
        UPDATE outbox AS e SET attempts = attempts + 1, claimed_until = %(until)s FROM taken AS t WHERE e.id = t.id
        RETURNING e.id, e.organization_id, e.kind, e.payload, e.attempts, t.is_mail, t.due_at
    )
    SELECT """
    + ENTRY_COLUMNS
    + " FROM claimed ORDER BY is_mail, due_at, id"
)
UNCLAIM_ENTRIES: Final = "UPDATE outbox SET attempts = attempts - 1, claimed_until = NULL WHERE id = ANY(%s)"
FIND_OLDEST: Final = "SELECT min(e.created_at)" + RUNNABLE + " AND e.due_at < 'infinity'"
COUNT_PARKED: Final = "SELECT count(*) FROM outbox WHERE due_at = 'infinity'"
HAS_PENDING_ENTRY: Final = "SELECT EXISTS (SELECT FROM outbox WHERE organization_id = %s AND kind = %s)"
DELETE_ENTRY: Final = "DELETE FROM outbox WHERE id = %s"
UPDATE_ENTRY_FAILED: Final = "UPDATE outbox SET last_error = %s, due_at = %s, claimed_until = NULL WHERE id = %s"
PARK_ENTRY: Final = "UPDATE outbox SET last_error = %s, due_at = 'infinity', claimed_until = NULL WHERE id = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """One thing to do; *attempts* counts this one. It may be done twice, so doing it must be idempotent."""

    id: int
    organization_id: UUID
    kind: str
    payload: dict[str, Any]
    attempts: int


def insert_outbox_entry(
    conn: Connection, organization_id: UUID, kind: str, payload: dict[str, Any], *, due_at: datetime
) -> None:
    """Owe an effect from *due_at* on, in the transaction that makes it due."""
    conn.execute(INSERT_ENTRY, (organization_id, kind, Jsonb(payload), due_at))


def insert_claimed_entry(
    conn: Connection, organization_id: UUID, kind: str, payload: dict[str, Any], *, until: datetime
) -> OutboxEntry:
    """Owe an effect and return it, claimed by whoever owes it: nobody else does it before *until*."""
    values = (organization_id, kind, Jsonb(payload), until, until)
    with conn.cursor(row_factory=class_row(OutboxEntry)) as cursor:
        [entry] = cursor.execute(INSERT_CLAIMED_ENTRY, values).fetchall()
    return entry


def claim_entries(
    conn: Connection,
    *,
    now: datetime,
    until: datetime,
    limit: int,
    mails_each: int,
    organization_id: UUID | None = None,
    kind: str | None = None,
    before_due: bool = False,
) -> list[OutboxEntry]:
    """Take up to *limit* due effects, of one organization and kind or of all; nobody else gets them *until* then.

    What is no mail comes first, and what is due longest; of each organization *mails_each* mails at most. *at_once*
    takes what failed before it is due again.
    """
    values = {
        "now": now,
        "until": until,
        "limit": limit,
        "mails_each": mails_each,
        "organization_id": organization_id,
        "kind": kind,
        "at_once": before_due,
    }
    with conn.cursor(row_factory=class_row(OutboxEntry)) as cursor:
        return cursor.execute(CLAIM_ENTRIES, values).fetchall()


def unclaim_entries(conn: Connection, entries: Iterable[OutboxEntry]) -> None:
    """Undo the claim of effects that were not tried."""
    conn.execute(UNCLAIM_ENTRIES, ([entry.id for entry in entries],))


def has_pending_entry(conn: Connection, organization_id: UUID, kind: str) -> bool:
    """Whether an effect of that kind is still to be done, now or later."""
    [(owes,)] = conn.execute(HAS_PENDING_ENTRY, (organization_id, kind))
    return bool(owes)


def delete_entry(conn: Connection, entry_id: int) -> None:
    """Strike an effect that is done."""
    conn.execute(DELETE_ENTRY, (entry_id,))


def update_entry_failed(conn: Connection, entry_id: int, *, error: str, due_at: datetime) -> None:
    """Note why an effect failed (no personal data) and when it is tried again."""
    conn.execute(UPDATE_ENTRY_FAILED, (error, due_at, entry_id))


def park_entry(conn: Connection, entry_id: int, *, error: str) -> None:
    """Keep an effect with what was wrong with it (no personal data), and try it no more."""
    conn.execute(PARK_ENTRY, (error, entry_id))


def count_parked_entries(conn: Connection) -> int:
    """Return how many effects are kept and not tried any more."""
    [(parked,)] = conn.execute(COUNT_PARKED)
    return int(parked)


def find_oldest_entry(conn: Connection) -> datetime | None:
    """Return since when the oldest effect is owed that is to be done, None when there is none."""
    oldest: datetime | None
    [(oldest,)] = conn.execute(FIND_OLDEST)
    return oldest
