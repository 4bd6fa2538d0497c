"""API keys of an organization. Only a digest of a key is stored."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import kwargs_row

from tenancy.rules.keys.api_keys import ApiKey, KeyType
from tenancy.rules.keys.managed_keys import KeyKind, ManagedKey, NewKey
from tenancy.stores.postgres.client import Connection

INSERT_API_KEY: Final = """
    INSERT INTO api_keys (id, organization_id, type, app_id, name, digest, hint, prefix, scopes)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
INSERT_NEW_API_KEY: Final = """
    INSERT INTO api_keys (id, organization_id, type, app_id, name, digest, hint, prefix, scopes, created_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
# Advisory locks are numbers, so the name is hashed. The lock ends with the transaction.
LOCK_API_KEYS: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
COUNT_LIVE_API_KEYS: Final = """
    SELECT count(*) FROM api_keys
    WHERE organization_id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %s)
"""
SELECT_API_KEY: Final = """
    SELECT id, type, app_id, name, scopes, prefix, hint, created_at, last_used_at, expires_at, revoked_at, replaced_by
    FROM api_keys
"""
FIND_API_KEY: Final = SELECT_API_KEY + " WHERE organization_id = %s AND id = %s"
LOCK_API_KEY: Final = FIND_API_KEY + " FOR NO KEY UPDATE"
LIST_API_KEYS: Final = (
    SELECT_API_KEY
    + """
    WHERE organization_id = %(organization_id)s
      AND (%(before_time)s::timestamptz IS NULL OR (created_at, id) < (%(before_time)s, %(before_id)s))
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""
)
REPLACE_API_KEY: Final = """
    UPDATE api_keys SET
        replaced_by = %(successor_id)s,
        revoked_at = CASE WHEN %(ends_at)s <= %(now)s THEN %(now)s ELSE revoked_at END,
        expires_at = CASE WHEN %(ends_at)s <= %(now)s THEN expires_at ELSE %(ends_at)s END
    WHERE organization_id = %(organization_id)s AND id = %(key_id)s
"""
REVOKE_API_KEY: Final = """
    UPDATE api_keys SET revoked_at = %s WHERE organization_id = %s AND id = %s AND revoked_at IS NULL
"""
# Statements that change several keys lock them by id. The same order prevents deadlocks.
REVOKE_API_KEYS_OF_APP: Final = """
    UPDATE api_keys SET revoked_at = %(now)s
    WHERE organization_id = %(organization_id)s AND id IN (
        SELECT id FROM api_keys
        WHERE organization_id = %(organization_id)s AND app_id = %(app_id)s
          AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)
        ORDER BY id FOR NO KEY UPDATE
    )
    RETURNING id
"""


def insert_api_key(
    conn: Connection,
    organization_id: UUID,
    key_id: UUID,
    key: ApiKey,
    *,
    name: str,
    scopes: Iterable[str],
    app_id: UUID | None = None,
) -> None:
    """Store the digest of *key*, a first key of the organization.

    A write key belongs to the app *app_id*, a secret key may belong to one.
    """
    values = (key_id, organization_id, key.type.value, app_id, name, key.digest, key.hint, key.prefix, sorted(scopes))
    conn.execute(INSERT_API_KEY, values)


def insert_new_api_key(conn: Connection, organization_id: UUID, new: NewKey) -> None:
    """Store the digest of a key that the organization has created.

    Its app belongs to the organization.
    """
    key = new.key
    values = (
        new.id,
        organization_id,
        key.type.value,
        new.app_id,
        new.name,
        key.digest,
        key.hint,
        key.prefix,
        list(new.scopes),
        new.created_at,
        new.expires_at,
    )
    conn.execute(INSERT_NEW_API_KEY, values)


def lock_api_keys(conn: Connection, organization_id: UUID) -> None:
    """Lock the number of the organization's keys until the transaction ends.

    Other transactions that add a key wait.
    """
    conn.execute(LOCK_API_KEYS, (f"keys {organization_id}",))


def count_live_api_keys(conn: Connection, organization_id: UUID, *, now: datetime) -> int:
    """Return the number of keys that are neither revoked nor expired at *now*."""
    [(count,)] = conn.execute(COUNT_LIVE_API_KEYS, (organization_id, now))
    return int(count)


def find_api_key(conn: Connection, organization_id: UUID, key_id: UUID) -> ManagedKey | None:
    """Return a key of the organization in any state, or None if it does not exist."""
    with conn.cursor(row_factory=kwargs_row(_managed_key)) as cursor:
        return cursor.execute(FIND_API_KEY, (organization_id, key_id)).fetchone()


def lock_api_key(conn: Connection, organization_id: UUID, key_id: UUID) -> ManagedKey | None:
    """Return a key as `find_api_key` does, and lock it until the transaction ends."""
    with conn.cursor(row_factory=kwargs_row(_managed_key)) as cursor:
        return cursor.execute(LOCK_API_KEY, (organization_id, key_id)).fetchone()


def list_api_keys(
    conn: Connection, organization_id: UUID, *, before: tuple[datetime, UUID] | None, limit: int
) -> list[ManagedKey]:
    """Return at most *limit* keys in any state after *before* (`created_at`, id), newest first."""
    before_time, before_id = before or (None, None)
    values = {"organization_id": organization_id, "before_time": before_time, "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=kwargs_row(_managed_key)) as cursor:
        return cursor.execute(LIST_API_KEYS, values).fetchall()


def replace_api_key(
    conn: Connection, organization_id: UUID, key_id: UUID, *, successor_id: UUID, ends_at: datetime, now: datetime
) -> None:
    """Let a key end at *ends_at*, and name its successor.

    If that time is not after *now*, the key is revoked.
    """
    values = {
        "organization_id": organization_id,
        "key_id": key_id,
        "successor_id": successor_id,
        "ends_at": ends_at,
        "now": now,
    }
    conn.execute(REPLACE_API_KEY, values)


def revoke_api_key(conn: Connection, organization_id: UUID, key_id: UUID, *, now: datetime) -> bool:
    """Revoke a key at *now*. Return whether it was not revoked before."""
    return conn.execute(REVOKE_API_KEY, (now, organization_id, key_id)).rowcount == 1


def revoke_api_keys_of_app(conn: Connection, organization_id: UUID, app_id: UUID, *, now: datetime) -> list[UUID]:
    """Revoke all live keys of an app at *now*, and return their ids."""
    values = {"organization_id": organization_id, "app_id": app_id, "now": now}
    return sorted(key_id for (key_id,) in conn.execute(REVOKE_API_KEYS_OF_APP, values))


def _managed_key(*, type: str, scopes: list[str], **columns: object) -> ManagedKey:  # noqa: A002 - the column's name
    kind = KeyKind.of(KeyType(type))
    return ManagedKey(kind=kind, scopes=tuple(sorted(scopes)), **columns)  # type: ignore[arg-type] # the columns are the fields
