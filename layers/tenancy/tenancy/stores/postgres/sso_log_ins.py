"""Log-ins by single sign-on: their states and codes, each used once."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from tenancy.rules.sso.log_in import HandedOverLogIn, ProvenLogIn, StoredLogIn
from tenancy.stores.postgres.client import Connection

INSERT_LOG_IN: Final = """
    INSERT INTO sso_log_ins (
        organization_id, state_digest, browser_digest, connection_id, redirect_uri, code_challenge, started_at,
        expires_at
    )
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
LOCK_STATE: Final = """
    SELECT state_digest, browser_digest, connection_id, redirect_uri, code_challenge, started_at, expires_at, used_at
    FROM sso_log_ins WHERE organization_id = %s AND state_digest = %s FOR NO KEY UPDATE
"""
UPDATE_USED: Final = """
    UPDATE sso_log_ins SET used_at = %s, expires_at = greatest(expires_at, %s)
    WHERE organization_id = %s AND state_digest = %s
"""
UPDATE_PROVEN: Final = """
    UPDATE sso_log_ins SET user_id = %s, code_digest = %s, expires_at = %s
    WHERE organization_id = %s AND state_digest = %s
"""
UPDATE_HANDED_OVER: Final = """
    UPDATE sso_log_ins SET finish_digest = %s, sealed_identity = %s, expires_at = %s
    WHERE organization_id = %s AND state_digest = %s
"""
LOCK_FINISH: Final = """
    SELECT state_digest, browser_digest, connection_id, redirect_uri, expires_at,
           sealed_identity AS encrypted_identity, finished_at
    FROM sso_log_ins WHERE organization_id = %s AND finish_digest = %s FOR NO KEY UPDATE
"""
UPDATE_FINISHED: Final = """
    UPDATE sso_log_ins SET finished_at = %s, sealed_identity = NULL WHERE organization_id = %s AND state_digest = %s
"""
LOCK_CODE: Final = """
    SELECT state_digest, connection_id, user_id, code_challenge, expires_at, code_used_at
    FROM sso_log_ins WHERE organization_id = %s AND code_digest = %s FOR NO KEY UPDATE
"""
UPDATE_CODE_USED: Final = "UPDATE sso_log_ins SET code_used_at = %s WHERE organization_id = %s AND state_digest = %s"
# Two transactions may delete at once. Each leaves the rows that the other one has locked.
DELETE_EXPIRED: Final = """
    DELETE FROM sso_log_ins WHERE organization_id = %(organization_id)s AND state_digest IN (
        SELECT state_digest FROM sso_log_ins WHERE organization_id = %(organization_id)s AND expires_at <= %(before)s
        FOR UPDATE SKIP LOCKED
    )
"""


def insert_sso_log_in(conn: Connection, organization_id: UUID, log_in: StoredLogIn) -> None:
    """Insert a log-in that begins."""
    values = (log_in.state_digest, log_in.browser_digest, log_in.connection_id, log_in.redirect_uri)
    times = (log_in.started_at, log_in.expires_at)
    conn.execute(INSERT_LOG_IN, (organization_id, *values, log_in.code_challenge, *times))


def lock_sso_state(conn: Connection, organization_id: UUID, digest: bytes) -> StoredLogIn | None:
    """Return the log-in with the state of *digest*, locked until the transaction ends, or None."""
    with conn.cursor(row_factory=class_row(StoredLogIn)) as cursor:
        return cursor.execute(LOCK_STATE, (organization_id, digest)).fetchone()


def update_state_used(
    conn: Connection, organization_id: UUID, digest: bytes, *, now: datetime, keep_until: datetime
) -> None:
    """Mark the state of *digest* as used. Its row stays until *keep_until*, while the provider's answer is verified."""
    conn.execute(UPDATE_USED, (now, keep_until, organization_id, digest))


def update_log_in_proven(
    conn: Connection, organization_id: UUID, digest: bytes, *, user_id: UUID, code_digest: bytes, expires_at: datetime
) -> None:
    """Store the member of the log-in with the state of *digest*, and the code for the client."""
    conn.execute(UPDATE_PROVEN, (user_id, code_digest, expires_at, organization_id, digest))


def update_log_in_handed_over(
    conn: Connection,
    organization_id: UUID,
    digest: bytes,
    *,
    finish_digest: bytes,
    encrypted_identity: bytes,
    expires_at: datetime,
) -> None:
    """Store the proven person of the log-in with the state of *digest* until the browser comes."""
    conn.execute(UPDATE_HANDED_OVER, (finish_digest, encrypted_identity, expires_at, organization_id, digest))


def lock_sso_finish(conn: Connection, organization_id: UUID, digest: bytes) -> HandedOverLogIn | None:
    """Return the log-in whose finish token has *digest*, locked until the transaction ends, or None."""
    with conn.cursor(row_factory=class_row(HandedOverLogIn)) as cursor:
        return cursor.execute(LOCK_FINISH, (organization_id, digest)).fetchone()


def update_log_in_finished(conn: Connection, organization_id: UUID, state_digest: bytes, *, now: datetime) -> None:
    """Mark the finish token as used, and delete the proven person."""
    conn.execute(UPDATE_FINISHED, (now, organization_id, state_digest))


def lock_sso_code(conn: Connection, organization_id: UUID, digest: bytes) -> ProvenLogIn | None:
    """Return the log-in with the code of *digest*, locked until the transaction ends, or None."""
    with conn.cursor(row_factory=class_row(ProvenLogIn)) as cursor:
        return cursor.execute(LOCK_CODE, (organization_id, digest)).fetchone()


def update_code_used(conn: Connection, organization_id: UUID, state_digest: bytes, *, now: datetime) -> None:
    """Mark the code of the log-in as used."""
    conn.execute(UPDATE_CODE_USED, (now, organization_id, state_digest))


def delete_expired_log_ins(conn: Connection, organization_id: UUID, *, before: datetime) -> None:
    """Delete the organization's log-ins that expired before that time. A policy requires that they have expired."""
    conn.execute(DELETE_EXPIRED, {"organization_id": organization_id, "before": before})
