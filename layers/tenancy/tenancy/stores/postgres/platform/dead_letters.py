"""Dead letters of organizations: one row for each object in the bucket of dead letters.

Each statement that writes runs in the transaction of the letter's organization.
"""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg.rows import class_row, dict_row, kwargs_row

from tenancy.rules.dead_letters import (
    MAX_SAMPLES_PER_CAUSE,
    MAX_SHOWN_SAMPLES,
    DeadLetter,
    DeadLetterKind,
    LetterGroup,
    LetterSample,
    redrivable_kinds,
)
from tenancy.rules.durations import DEAD_LETTER_RETENTION, ONE_DAY
from tenancy.stores.postgres.client import Connection

# The columns of a `DeadLetter`. Every statement that returns one uses them.
LETTER_COLUMNS: Final = """
    organization_id, id, letter_kind AS kind, cause, events, call_index, size_bytes, first_received_at
"""
LIST_ENDING: Final = """
    SELECT id, status IN ('erasing', 'erased') FROM organizations WHERE id = ANY(%s)
"""
# A letter that is delivered again is returned until its object is stored, unless an erasure has deleted the object of a
# process that died before the mark. Calls are limited per cause and day.
INSERT_LETTER: Final = """
    INSERT INTO dead_letters (
        organization_id, id, letter_kind, cause, events, call_index, size_bytes, first_received_at, expires_at, seen_at
    )
    SELECT %(organization_id)s, %(id)s, %(kind)s, %(cause)s, %(events)s::integer, %(call_index)s::integer,
           %(size_bytes)s, %(first_received_at)s, %(expires_at)s, %(now)s
    WHERE %(kind)s <> 'calls' OR %(most)s > (
        SELECT count(*) FROM dead_letters
        WHERE organization_id = %(organization_id)s AND letter_kind = 'calls' AND cause = %(cause)s AND id <> %(id)s
          AND seen_at > %(since)s
    )
    ON CONFLICT (organization_id, id) DO UPDATE SET seen_at = dead_letters.seen_at
    WHERE dead_letters.stored_at IS NULL AND dead_letters.deleted_at IS NULL
    RETURNING id
"""
UPDATE_STORED: Final = """
    UPDATE dead_letters SET stored_at = %(now)s
    WHERE organization_id = %(organization_id)s AND id = ANY(%(ids)s) AND stored_at IS NULL
"""
# The redrive may have died between sending and marking, so the mark is set here as well.
UPDATE_FAILED_AGAIN: Final = """
    UPDATE dead_letters SET
        cause = %(cause)s, failed_again_at = coalesce(failed_again_at, %(now)s),
        redriven_at = coalesce(redriven_at, %(now)s)
    WHERE organization_id = %(organization_id)s AND id = %(id)s
"""
LIST_GROUPS: Final = """
    SELECT letter_kind AS kind, cause, count(*) AS count, coalesce(sum(events), 0)::bigint AS events,
           sum(size_bytes)::bigint AS size_bytes,
           count(*) FILTER (
               WHERE letter_kind = ANY(%(kinds)s) AND stored_at IS NOT NULL AND redriven_at IS NULL
                 AND deleted_at IS NULL
           ) AS redrivable,
           count(redriven_at) AS redriven, count(failed_again_at) AS failed_again,
           min(first_received_at) AS first_received_at, max(first_received_at) AS last_received_at
    FROM dead_letters
    WHERE organization_id = %(organization_id)s AND expires_at > %(now)s
      AND (letter_kind, cause) > (%(after_kind)s, %(after_cause)s)
    GROUP BY letter_kind, cause ORDER BY letter_kind, cause LIMIT %(limit)s
"""
LIST_SAMPLES: Final = """
    SELECT id, events, call_index, size_bytes, first_received_at, redriven_at, failed_again_at FROM dead_letters
    WHERE organization_id = %(organization_id)s AND letter_kind = %(kind)s AND cause = %(cause)s
      AND expires_at > %(now)s
    ORDER BY first_received_at DESC, id LIMIT %(limit)s
"""
LIST_REDRIVABLE: Final = (
    "SELECT "
    + LETTER_COLUMNS
    + """
    FROM dead_letters
    WHERE organization_id = %(organization_id)s AND expires_at > %(now)s AND letter_kind = ANY(%(kinds)s)
      AND stored_at IS NOT NULL AND redriven_at IS NULL AND deleted_at IS NULL
    ORDER BY first_received_at, id LIMIT %(limit)s
"""
)
COUNT_REDRIVABLE: Final = """
    SELECT count(*) FROM dead_letters
    WHERE organization_id = %(organization_id)s AND expires_at > %(now)s AND letter_kind = ANY(%(kinds)s)
      AND stored_at IS NOT NULL AND redriven_at IS NULL AND deleted_at IS NULL
"""
UPDATE_REDRIVEN: Final = """
    UPDATE dead_letters SET redriven_at = %s WHERE organization_id = %s AND id = ANY(%s) AND redriven_at IS NULL
"""
UPDATE_DELETED: Final = """
    UPDATE dead_letters SET deleted_at = %s WHERE organization_id = %s AND id = ANY(%s) AND deleted_at IS NULL
"""
UPDATE_BODY: Final = """
    UPDATE dead_letters SET events = %s, size_bytes = %s WHERE organization_id = %s AND id = %s
"""
LIST_EXPIRED: Final = """
    SELECT expires_at, organization_id, id FROM dead_letters
    WHERE expires_at <= %(now)s
      AND (%(after)s::timestamptz IS NULL OR (expires_at, organization_id, id) > (%(after)s, %(of)s, %(after_id)s))
    ORDER BY expires_at, organization_id, id LIMIT %(limit)s
"""
DELETE_EXPIRED: Final = """
    DELETE FROM dead_letters WHERE organization_id = %s AND id = ANY(%s) AND expires_at <= %s
"""
# Letters without stored_at may have an object: the process that stored it may have died before the mark.
LIST_UNMARKED: Final = (
    "SELECT "
    + LETTER_COLUMNS
    + """
    FROM dead_letters
    WHERE organization_id = %(organization_id)s AND stored_at IS NULL AND deleted_at IS NULL
      AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id LIMIT %(limit)s
"""
)
LIST_STORED: Final = (
    "SELECT "
    + LETTER_COLUMNS
    + """, stored_at
    FROM dead_letters
    WHERE organization_id = %(organization_id)s AND deleted_at IS NULL AND stored_at <= %(until)s
      AND (%(after)s::timestamptz IS NULL OR (stored_at, id) > (%(after)s, %(after_id)s))
    ORDER BY stored_at, id LIMIT %(limit)s
"""
)
FIND_SEARCHED: Final = "SELECT letters_stored_at, letters_id FROM erasures WHERE organization_id = %s AND id = %s"
UPDATE_SEARCHED: Final = """
    UPDATE erasures SET letters_stored_at = %s, letters_id = %s WHERE organization_id = %s AND id = %s
"""


class ExpiredLetter(NamedTuple):
    """The place of an expired letter in the list of all of them."""

    expires_at: datetime
    organization_id: UUID
    id: UUID


def list_ending(conn: Connection, organization_ids: Collection[UUID]) -> dict[UUID, bool]:
    """Return for each existing organization whether its status is `erasing` or `erased`."""
    return {
        organization_id: bool(is_ending)
        for organization_id, is_ending in conn.execute(LIST_ENDING, (list(organization_ids),))
    }


def insert_letter(conn: Connection, letter: DeadLetter, *, now: datetime) -> bool:
    """Insert the letter, and return whether its object is to be stored.

    It is not to be stored if it was stored before, or if its cause has enough samples of calls today.
    """
    values = {
        **asdict(letter),
        "expires_at": letter.first_received_at + DEAD_LETTER_RETENTION,
        "most": MAX_SAMPLES_PER_CAUSE,
        "since": now - ONE_DAY,
        "now": now,
    }
    return conn.execute(INSERT_LETTER, values).fetchone() is not None


def update_stored(conn: Connection, organization_id: UUID, letter_ids: Collection[UUID], *, now: datetime) -> None:
    """Mark letters whose objects are stored."""
    conn.execute(UPDATE_STORED, {"organization_id": organization_id, "ids": list(letter_ids), "now": now})


def update_failed_again(conn: Connection, letter: DeadLetter, *, now: datetime) -> None:
    """Mark a letter that failed again after its redrive. Its row may be deleted by then."""
    conn.execute(UPDATE_FAILED_AGAIN, {**asdict(letter), "now": now})


def list_letter_groups(
    conn: Connection, organization_id: UUID, *, after: tuple[str, str], limit: int, now: datetime
) -> list[LetterGroup]:
    """Return at most *limit* groups of letters *after* that kind and cause, without samples."""
    values = {
        "organization_id": organization_id,
        "kinds": redrivable_kinds(organization_id),
        "after_kind": after[0],
        "after_cause": after[1],
        "limit": limit,
        "now": now,
    }
    with conn.cursor(row_factory=kwargs_row(_group)) as cursor:
        return cursor.execute(LIST_GROUPS, values).fetchall()


def list_letter_samples(
    conn: Connection, organization_id: UUID, kind: DeadLetterKind, cause: str, *, now: datetime
) -> list[LetterSample]:
    """Return the newest letters of one kind and cause."""
    values = {
        "organization_id": organization_id,
        "kind": kind,
        "cause": cause,
        "limit": MAX_SHOWN_SAMPLES,
        "now": now,
    }
    with conn.cursor(row_factory=class_row(LetterSample)) as cursor:
        return cursor.execute(LIST_SAMPLES, values).fetchall()


def list_redrivable(conn: Connection, organization_id: UUID, *, limit: int, now: datetime) -> list[DeadLetter]:
    """Return at most *limit* letters that were not redriven yet, the oldest first."""
    values = _redrivable_values(organization_id, now) | {"limit": limit}
    with conn.cursor(row_factory=kwargs_row(_letter)) as cursor:
        return cursor.execute(LIST_REDRIVABLE, values).fetchall()


def count_redrivable(conn: Connection, organization_id: UUID, *, now: datetime) -> int:
    """Return the number of letters that were not redriven yet."""
    [(count,)] = conn.execute(COUNT_REDRIVABLE, _redrivable_values(organization_id, now))
    return int(count)


def update_redriven(conn: Connection, organization_id: UUID, letter_ids: Collection[UUID], *, now: datetime) -> None:
    """Mark letters that were sent back."""
    conn.execute(UPDATE_REDRIVEN, (now, organization_id, list(letter_ids)))


def update_deleted(conn: Connection, organization_id: UUID, letter_ids: Collection[UUID], *, now: datetime) -> None:
    """Mark letters whose objects are gone."""
    conn.execute(UPDATE_DELETED, (now, organization_id, list(letter_ids)))


def update_letter_size(conn: Connection, letter: DeadLetter, *, events: int, size_bytes: int) -> None:
    """Store the number of events and the size of a letter that was rewritten."""
    conn.execute(UPDATE_BODY, (events, size_bytes, letter.organization_id, letter.id))


def list_expired(conn: Connection, *, after: ExpiredLetter | None, limit: int, now: datetime) -> list[ExpiredLetter]:
    """Return at most *limit* expired letters of all organizations *after* that one, the oldest first."""
    values = {
        "after": after and after.expires_at,
        "of": after and after.organization_id,
        "after_id": after and after.id,
        "limit": limit,
        "now": now,
    }
    return [ExpiredLetter(*row) for row in conn.execute(LIST_EXPIRED, values)]


def delete_expired(conn: Connection, organization_id: UUID, letter_ids: Collection[UUID], *, now: datetime) -> None:
    """Delete the rows of expired letters of the organization."""
    conn.execute(DELETE_EXPIRED, (organization_id, list(letter_ids), now))


def list_unmarked(conn: Connection, organization_id: UUID, *, after: UUID | None, limit: int) -> list[DeadLetter]:
    """Return at most *limit* letters *after* that id whose objects are not known to be stored, sorted by id."""
    values = {"organization_id": organization_id, "after": after, "limit": limit}
    with conn.cursor(row_factory=kwargs_row(_letter)) as cursor:
        return cursor.execute(LIST_UNMARKED, values).fetchall()


def list_unsearched(
    conn: Connection, organization_id: UUID, erasure_id: UUID, *, until: datetime, limit: int
) -> list[tuple[DeadLetter, datetime]]:
    """Return the next letters that the erasure has not searched, with their `stored_at`."""
    [(after, after_id)] = conn.execute(FIND_SEARCHED, (organization_id, erasure_id)).fetchall() or [(None, None)]
    values = {
        "organization_id": organization_id,
        "until": until,
        "after": after,
        "after_id": after_id,
        "limit": limit,
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LIST_STORED, values).fetchall()
    return [(_letter(**{name: row[name] for name in row if name != "stored_at"}), row["stored_at"]) for row in rows]


def update_searched(
    conn: Connection, organization_id: UUID, erasure_id: UUID, letter: DeadLetter, stored_at: datetime
) -> None:
    """Store that the erasure has searched all letters up to *letter*."""
    conn.execute(UPDATE_SEARCHED, (stored_at, letter.id, organization_id, erasure_id))


def _redrivable_values(organization_id: UUID, now: datetime) -> dict[str, Any]:
    return {"organization_id": organization_id, "kinds": redrivable_kinds(organization_id), "now": now}


def _group(*, kind: str, **columns: Any) -> LetterGroup:  # noqa: ANN401 - a row
    return LetterGroup(kind=DeadLetterKind(kind), samples=(), **columns)


def _letter(*, kind: str, **columns: Any) -> DeadLetter:  # noqa: ANN401 - a row
    return DeadLetter(kind=DeadLetterKind(kind), **columns)
