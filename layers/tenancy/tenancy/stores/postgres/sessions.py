"""Sessions of an organization's members, and their refresh tokens."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.rows import class_row

from tenancy.rules.durations import SUCCESSOR_RETENTION
from tenancy.rules.people.sessions import MAX_SESSIONS, TokenInFamily
from tenancy.stores.postgres.client import Connection

INSERT_SESSION: Final = """
    INSERT INTO sessions (organization_id, id, user_id, organization_epoch, created_at, refreshed_at, expires_at)
    VALUES (%(organization_id)s, %(id)s, %(user_id)s, %(epoch)s, %(now)s, %(now)s, %(expires_at)s)
"""
INSERT_NEWEST: Final = """
    INSERT INTO refresh_tokens (organization_id, digest, session_id, created_at) VALUES (%s, %s, %s, %s)
"""
FIND_USER: Final = """
    SELECT s.user_id FROM refresh_tokens AS t
    JOIN sessions AS s ON s.organization_id = t.organization_id AND s.id = t.session_id
    WHERE t.organization_id = %s AND t.digest = %s
"""
LOCK_FAMILY: Final = """
    SELECT t.session_id, t.used_at, t.successor, s.organization_epoch, s.created_at, s.expires_at, s.ended_at,
           s.refreshes
    FROM refresh_tokens AS t
    JOIN sessions AS s ON s.organization_id = t.organization_id AND s.id = t.session_id
    WHERE t.organization_id = %s AND t.digest = %s
    FOR NO KEY UPDATE OF s, t
"""
MARK_USED: Final = """
    UPDATE refresh_tokens SET used_at = %s, successor = %s WHERE organization_id = %s AND digest = %s
"""
FORGET_SUCCESSORS: Final = """
    UPDATE refresh_tokens SET successor = NULL
    WHERE organization_id = %s AND session_id = %s AND successor IS NOT NULL AND used_at < %s
"""
FORGET_SUCCESSORS_OF_SESSIONS: Final = """
    UPDATE refresh_tokens SET successor = NULL
    WHERE organization_id = %s AND session_id = ANY (%s) AND successor IS NOT NULL
"""
UPDATE_REFRESHED: Final = """
    UPDATE sessions SET refreshed_at = %s, expires_at = %s, refreshes = refreshes + 1
    WHERE organization_id = %s AND id = %s
"""
END_SESSION: Final = """
    UPDATE sessions SET ended_at = %(now)s, expires_at = least(expires_at, %(now)s)
    WHERE organization_id = %(organization_id)s AND id = %(id)s AND ended_at IS NULL
    RETURNING id
"""
END_FAMILY: Final = """
    UPDATE sessions AS s SET ended_at = %(now)s, expires_at = least(s.expires_at, %(now)s)
    FROM refresh_tokens AS t
    WHERE t.organization_id = %(organization_id)s AND t.digest = %(digest)s
      AND s.organization_id = t.organization_id AND s.id = t.session_id
      AND s.ended_at IS NULL AND s.expires_at > %(now)s
    RETURNING s.id, s.user_id
"""
END_SESSIONS: Final = """
    UPDATE sessions SET ended_at = %(now)s, expires_at = least(expires_at, %(now)s)
    WHERE organization_id = %(organization_id)s AND user_id = %(user_id)s AND ended_at IS NULL
      AND (%(kept)s::uuid IS NULL OR id <> %(kept)s)
    RETURNING id
"""
END_OLDEST_SESSIONS: Final = """
    UPDATE sessions SET ended_at = %(now)s, expires_at = least(expires_at, %(now)s)
    WHERE organization_id = %(organization_id)s AND id IN (
        SELECT id FROM sessions
        WHERE organization_id = %(organization_id)s AND user_id = %(user_id)s AND ended_at IS NULL
        ORDER BY refreshed_at DESC, id OFFSET %(most)s
    )
    RETURNING id
"""


def insert_session(
    conn: Connection, organization_id: UUID, session_id: UUID, user_id: UUID, *, epoch: int, expires_at: datetime,
    now: datetime
) -> None:  # fmt: skip
    """Insert a session. *epoch* is that of the organization."""
    values = {"organization_id": organization_id, "id": session_id, "user_id": user_id, "epoch": epoch}
    conn.execute(INSERT_SESSION, values | {"expires_at": expires_at, "now": now})


def insert_refresh_token(
    conn: Connection, organization_id: UUID, digest: bytes, session_id: UUID, *, now: datetime
) -> None:
    """Insert the newest refresh token of a session, by its SHA-256 *digest*."""
    conn.execute(INSERT_NEWEST, (organization_id, digest, session_id, now))


def find_user_of_token(conn: Connection, organization_id: UUID, digest: bytes) -> UUID | None:
    """Return the member whose session has the refresh token with that *digest*, or None."""
    row = conn.execute(FIND_USER, (organization_id, digest)).fetchone()
    return row[0] if row else None


def lock_refresh_token(conn: Connection, organization_id: UUID, digest: bytes) -> TokenInFamily | None:
    """Return the refresh token and its session, both locked until the transaction ends, or None.

    The caller has locked the member before. All transactions lock in this order, so none waits for itself.
    """
    with conn.cursor(row_factory=class_row(TokenInFamily)) as cursor:
        return cursor.execute(LOCK_FAMILY, (organization_id, digest)).fetchone()


def replace_refresh_token(
    conn: Connection, organization_id: UUID, session_id: UUID, *, used: bytes, successor: bytes, encrypted: bytes,
    expires_at: datetime, now: datetime
) -> None:  # fmt: skip
    """Replace the token with the digest *used* by that with the digest *successor*.

    *encrypted* is the successor for a repeated request. Earlier ones that are no longer given again are deleted. The
    session expires at *expires_at* now, and counts one more refresh.
    """
    conn.execute(FORGET_SUCCESSORS, (organization_id, session_id, now - SUCCESSOR_RETENTION))
    conn.execute(MARK_USED, (now, encrypted, organization_id, used))
    insert_refresh_token(conn, organization_id, successor, session_id, now=now)
    conn.execute(UPDATE_REFRESHED, (now, expires_at, organization_id, session_id))


def end_session(conn: Connection, organization_id: UUID, session_id: UUID, *, now: datetime) -> None:
    """End one session."""
    _end(conn, organization_id, END_SESSION, {"organization_id": organization_id, "id": session_id, "now": now})


def end_session_of_token(
    conn: Connection, organization_id: UUID, digest: bytes, *, now: datetime
) -> tuple[UUID, UUID] | None:
    """End the session with the refresh token of that *digest*.

    Return the ids of the session and its member, or None without one.
    """
    values = {"organization_id": organization_id, "digest": digest, "now": now}
    ended = _end(conn, organization_id, END_FAMILY, values)
    return ended[0] if ended else None


def end_sessions(
    conn: Connection, organization_id: UUID, user_id: UUID, *, now: datetime, kept: UUID | None = None
) -> None:
    """End all sessions of a member but *kept*. The caller has locked the member."""
    values = {"organization_id": organization_id, "user_id": user_id, "now": now, "kept": kept}
    _end(conn, organization_id, END_SESSIONS, values)


def end_oldest_sessions(conn: Connection, organization_id: UUID, user_id: UUID, *, now: datetime) -> None:
    """End the sessions of a member that leave no room for one more.

    The caller has locked the member.
    """
    values = {"organization_id": organization_id, "user_id": user_id, "now": now, "most": MAX_SESSIONS - 1}
    _end(conn, organization_id, END_OLDEST_SESSIONS, values)


def _end(
    conn: Connection, organization_id: UUID, statement: LiteralString, values: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    """End sessions by *statement*, and forget their successors. Return the rows of the statement, ids first.

    The second statement begins with the sessions locked, so it sees the successor of each refresh before the end.
    """
    ended = conn.execute(statement, values).fetchall()
    conn.execute(FORGET_SUCCESSORS_OF_SESSIONS, (organization_id, [session_id for session_id, *_ in ended]))
    return ended
