"""API keys of the platform's operators. Only a digest of a key is stored."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from tenancy.rules.keys.api_keys import ApiKey
from tenancy.rules.keys.managed_keys import KeyLife, NewKey
from tenancy.stores.postgres.client import Connection

INSERT_PLATFORM_KEY: Final = """
    INSERT INTO platform_keys (name, digest, prefix, hint) VALUES (%s, %s, %s, %s)
    ON CONFLICT ON CONSTRAINT platform_keys_digest_key DO NOTHING
"""
INSERT_NEW_PLATFORM_KEY: Final = """
    INSERT INTO platform_keys (id, name, digest, prefix, hint, created_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
# Advisory locks are numbers, so the name is hashed. The lock ends with the transaction.
LOCK_PLATFORM_KEYS: Final = "SELECT pg_advisory_xact_lock(hashtextextended('platform keys', 0))"
COUNT_LIVE_PLATFORM_KEYS: Final = """
    SELECT count(*) FROM platform_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %s)
"""
HAS_OTHER_ENDLESS_KEY: Final = """
    SELECT EXISTS (SELECT FROM platform_keys WHERE id <> %s AND revoked_at IS NULL AND expires_at IS NULL)
"""
SELECT_PLATFORM_KEY: Final = """
    SELECT id, name, prefix, hint, created_at, last_used_at, expires_at, revoked_at, replaced_by
    FROM platform_keys
"""
FIND_PLATFORM_KEY: Final = SELECT_PLATFORM_KEY + " WHERE id = %s"
LIST_PLATFORM_KEYS: Final = (
    SELECT_PLATFORM_KEY
    + """
    WHERE %(before_time)s::timestamptz IS NULL OR (created_at, id) < (%(before_time)s, %(before_id)s)
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""
)
REPLACE_PLATFORM_KEY: Final = """
    UPDATE platform_keys SET
        replaced_by = %(successor_id)s,
        revoked_at = CASE WHEN %(ends_at)s <= %(now)s THEN %(now)s ELSE revoked_at END,
        expires_at = CASE WHEN %(ends_at)s <= %(now)s THEN expires_at ELSE %(ends_at)s END
    WHERE id = %(key_id)s
"""
LIST_ENDED_PLATFORM_KEYS: Final = """
    SELECT id, least(revoked_at, expires_at) FROM platform_keys WHERE least(revoked_at, expires_at) > %s
"""
REVOKE_PLATFORM_KEY: Final = "UPDATE platform_keys SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL"


def insert_platform_key(conn: Connection, key: ApiKey, *, name: str) -> None:
    """Store the digest of *key*, which the deploy made. An existing digest stays unchanged."""
    conn.execute(INSERT_PLATFORM_KEY, (name, key.digest, key.prefix, key.hint))


def insert_new_platform_key(conn: Connection, new: NewKey) -> None:
    """Store the digest of a key that an operator has created."""
    key = new.key
    conn.execute(
        INSERT_NEW_PLATFORM_KEY,
        (new.id, new.name, key.digest, key.prefix, key.hint, new.created_at, new.expires_at),
    )


def lock_platform_keys(conn: Connection) -> None:
    """Lock all platform keys until the transaction ends. Others that change one wait."""
    conn.execute(LOCK_PLATFORM_KEYS)


def count_live_platform_keys(conn: Connection, *, now: datetime) -> int:
    """Return the number of keys that are neither revoked nor expired at *now*."""
    [(count,)] = conn.execute(COUNT_LIVE_PLATFORM_KEYS, (now,))
    return int(count)


def has_other_endless_key(conn: Connection, key_id: UUID) -> bool:
    """Return whether there is a key other than *key_id* that is not revoked and has no end."""
    [(has_other,)] = conn.execute(HAS_OTHER_ENDLESS_KEY, (key_id,))
    return bool(has_other)


def find_managed_platform_key(conn: Connection, key_id: UUID) -> KeyLife | None:
    """Return a key in any state, or None if it does not exist."""
    with conn.cursor(row_factory=class_row(KeyLife)) as cursor:
        return cursor.execute(FIND_PLATFORM_KEY, (key_id,)).fetchone()


def list_platform_keys(conn: Connection, *, before: tuple[datetime, UUID] | None, limit: int) -> list[KeyLife]:
    """Return at most *limit* keys in any state after *before* (`created_at`, id), newest first."""
    before_time, before_id = before or (None, None)
    values = {"before_time": before_time, "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=class_row(KeyLife)) as cursor:
        return cursor.execute(LIST_PLATFORM_KEYS, values).fetchall()


def list_ended_platform_keys(conn: Connection, *, since: datetime) -> dict[UUID, datetime]:
    """Return the keys that end after *since*, with their ends. These may be in the future."""
    return dict(conn.execute(LIST_ENDED_PLATFORM_KEYS, (since,)).fetchall())


def replace_platform_key(
    conn: Connection, key_id: UUID, *, successor_id: UUID, ends_at: datetime, now: datetime
) -> None:
    """Let a key end at *ends_at*, and name its successor.

    If that time is not after *now*, the key is revoked.
    """
    values = {"key_id": key_id, "successor_id": successor_id, "ends_at": ends_at, "now": now}
    conn.execute(REPLACE_PLATFORM_KEY, values)


def revoke_platform_key(conn: Connection, key_id: UUID, *, now: datetime) -> bool:
    """Revoke a key at *now*. Return whether it was not revoked before."""
    return conn.execute(REVOKE_PLATFORM_KEY, (now, key_id)).rowcount == 1
