"""The outbox: side effects that a committed change still has to cause outside the database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from tenancy.stores.postgres.client import Connection

ENTRY_COLUMNS: Final = "id, organization_id, kind, payload, attempts"
NEW_ENTRY_COLUMNS: Final = "organization_id, kind, payload, due_at"
INSERT_ENTRY: Final = "INSERT INTO outbox (" + NEW_ENTRY_COLUMNS + ") VALUES (%s, %s, %s, %s)"
INSERT_WANTED_ENTRY: Final = "INSERT INTO outbox (" + NEW_ENTRY_COLUMNS + ") SELECT %s, %s, %s, %s WHERE %s"
INSERT_MAILS: Final = (
    "INSERT INTO outbox ("
    + NEW_ENTRY_COLUMNS
    + """)
    SELECT %s, %s, jsonb_build_object('token_id', token_id::text), %s FROM unnest(%s::uuid[]) AS token_id
"""
)
INSERT_ENTRIES: Final = (
    "INSERT INTO outbox (" + NEW_ENTRY_COLUMNS + ") SELECT %s, %s, payload, %s FROM unnest(%s::jsonb[]) AS payload"
)
INSERT_CLAIMED_ENTRY: Final = (
    "INSERT INTO outbox ("
    + NEW_ENTRY_COLUMNS
    + """, claimed_until, attempts) VALUES (%s, %s, %s, %s, %s, 1)
    RETURNING """
    + ENTRY_COLUMNS
    + "\n"
)
# For an organization that is being erased or was erased only the last mail runs, because other entries would create
# data again. While an organization is deleted, no links to its data are mailed, and no one-time tokens.
RUNNABLE: Final = """
    FROM outbox AS e JOIN organizations AS o ON o.id = e.organization_id
    WHERE CASE
        WHEN o.status IN ('erasing', 'erased') THEN e.kind = 'erased_mail'
        WHEN o.status = 'deleted' THEN e.kind NOT IN (
            'export_mail', 'invitation_mail', 'password_reset_mail', 'first_password_mail'
        )
        ELSE true
    END
"""
# Mail is last, and organizations take turns with it. So neither a slow mail service nor an organization with thousands
# of mails delays other entries. The conditions are checked again on the locked row, because another run may have
# claimed and released it meanwhile.
CLAIM_ENTRIES: Final = (
    """
    WITH free AS (
        SELECT e.organization_id, e.id, e.due_at, right(e.kind, 5) = '_mail' AS is_mail, row_number() OVER (
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
        SELECT e.organization_id, e.id, f.is_mail, f.due_at
        FROM outbox AS e JOIN free AS f ON f.organization_id = e.organization_id AND f.id = e.id
        WHERE (e.due_at <= %(now)s OR %(at_once)s) AND (e.claimed_until IS NULL OR e.claimed_until <= %(now)s)
          AND (NOT f.is_mail OR f.place <= %(mails_each)s)
        ORDER BY f.is_mail, f.due_at, e.id LIMIT %(limit)s FOR UPDATE OF e SKIP LOCKED
    ),
    claimed AS (
        UPDATE outbox AS e SET attempts = attempts + 1, claimed_until = %(until)s FROM taken AS t
        WHERE e.organization_id = t.organization_id AND e.id = t.id
        RETURNING e.id, e.organization_id, e.kind, e.payload, e.attempts, t.is_mail, t.due_at
    )
    SELECT """
    + ENTRY_COLUMNS
    + " FROM claimed ORDER BY is_mail, due_at, id"
)
UNCLAIM_ENTRIES: Final = """
    UPDATE outbox AS e SET attempts = attempts - 1, claimed_until = NULL
    FROM unnest(%s::uuid[], %s::bigint[]) AS claimed (organization_id, id)
    WHERE e.organization_id = claimed.organization_id AND e.id = claimed.id
"""
FIND_OLDEST: Final = "SELECT min(e.created_at)" + RUNNABLE + " AND e.due_at < 'infinity'"
COUNT_PARKED: Final = "SELECT count(*) FROM outbox WHERE due_at = 'infinity'"
HAS_PENDING_ENTRY: Final = "SELECT EXISTS (SELECT FROM outbox WHERE organization_id = %s AND kind = %s)"
DELETE_ENTRY: Final = "DELETE FROM outbox WHERE organization_id = %s AND id = %s"
UPDATE_ENTRY_FAILED: Final = """
    UPDATE outbox SET last_error = %s, due_at = %s, claimed_until = NULL WHERE organization_id = %s AND id = %s
"""
PARK_ENTRY: Final = """
    UPDATE outbox SET last_error = %s, due_at = 'infinity', claimed_until = NULL WHERE organization_id = %s AND id = %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """One side effect.

    It may run twice, so it must be idempotent. *attempts* counts this attempt.
    """

    id: int
    organization_id: UUID
    kind: str
    payload: dict[str, Any]
    attempts: int


def insert_outbox_entry(
    conn: Connection, organization_id: UUID, kind: str, payload: dict[str, Any], *, due_at: datetime
) -> None:
    """Insert an outbox entry that is due at *due_at*, in the transaction of its cause."""
    conn.execute(INSERT_ENTRY, (organization_id, kind, Jsonb(payload), due_at))


def insert_wanted_entry(
    conn: Connection, organization_id: UUID, kind: str, payload: dict[str, Any], *, due_at: datetime, is_wanted: bool
) -> None:
    """Insert an outbox entry if *is_wanted*, and otherwise execute the statement without an effect."""
    conn.execute(INSERT_WANTED_ENTRY, (organization_id, kind, Jsonb(payload), due_at, is_wanted))


def insert_outbox_entries(
    conn: Connection, organization_id: UUID, kind: str, payloads: Iterable[dict[str, Any]], *, due_at: datetime
) -> None:
    """Insert an entry for each of the *payloads*, by one statement."""
    conn.execute(INSERT_ENTRIES, (organization_id, kind, due_at, [Jsonb(payload) for payload in payloads]))


def insert_token_entries(
    conn: Connection, organization_id: UUID, kind: str, token_ids: Sequence[UUID], *, due_at: datetime
) -> None:
    """Insert an entry for the mail with each of the one-time tokens, by one statement."""
    conn.execute(INSERT_MAILS, (organization_id, kind, due_at, list(token_ids)))


def insert_claimed_entry(
    conn: Connection, organization_id: UUID, kind: str, payload: dict[str, Any], *, until: datetime
) -> OutboxEntry:
    """Insert an outbox entry that the caller has claimed until *until*, and return it."""
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
    """Claim up to *limit* due entries until *until*, of one organization and kind or of all.

    Entries other than mail come first, then the longest due. Each organization gets at most *mails_each* mails. With
    *before_due* the entries that failed are claimed before they are due again.
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
    """Undo the claim of entries that were not tried."""
    claimed = list(entries)
    values = ([entry.organization_id for entry in claimed], [entry.id for entry in claimed])
    conn.execute(UNCLAIM_ENTRIES, values)


def has_pending_entry(conn: Connection, organization_id: UUID, kind: str) -> bool:
    """Return whether an entry of that kind is pending, now or later."""
    [(is_pending,)] = conn.execute(HAS_PENDING_ENTRY, (organization_id, kind))
    return bool(is_pending)


def delete_entry(conn: Connection, entry: OutboxEntry) -> None:
    """Delete an entry that has run."""
    conn.execute(DELETE_ENTRY, (entry.organization_id, entry.id))


def update_entry_failed(conn: Connection, entry: OutboxEntry, *, error: str, due_at: datetime) -> None:
    """Store the *error* of an entry, without personal data, and retry it at *due_at*."""
    conn.execute(UPDATE_ENTRY_FAILED, (error, due_at, entry.organization_id, entry.id))


def park_entry(conn: Connection, entry: OutboxEntry, *, error: str) -> None:
    """Keep an entry with its *error*, without personal data, and do not retry it."""
    conn.execute(PARK_ENTRY, (error, entry.organization_id, entry.id))


def count_parked_entries(conn: Connection) -> int:
    """Return the number of parked entries."""
    [(parked,)] = conn.execute(COUNT_PARKED)
    return int(parked)


def find_oldest_entry(conn: Connection) -> datetime | None:
    """Return `created_at` of the oldest runnable entry, or None without one."""
    oldest: datetime | None
    [(oldest,)] = conn.execute(FIND_OLDEST)
    return oldest
