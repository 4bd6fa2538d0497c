"""Answers to requests with an `Idempotency-Key`, encrypted, for repeated requests."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from tenancy.stores.postgres.client import Connection

FIND_ANSWER: Final = """
    SELECT request_digest, answer FROM idempotent_requests
    WHERE organization_id = %s AND credential_id = %s AND key_digest = %s AND created_at >= %s
"""
DELETE_EXPIRED_ANSWER: Final = """
    DELETE FROM idempotent_requests
    WHERE organization_id = %s AND credential_id = %s AND key_digest = %s AND created_at < %s
"""
INSERT_ANSWER: Final = """
    INSERT INTO idempotent_requests (organization_id, credential_id, key_digest, request_digest, answer, created_at)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """The SHA-256 of a request, and its encrypted answer."""

    request_digest: bytes
    answer: bytes


def find_answer(
    conn: Connection, organization_id: UUID, credential_id: UUID, key_digest: bytes, *, since: datetime
) -> StoredAnswer | None:
    """Return the answer to a request of the credential since *since*, or None without one.

    *key_digest* is the SHA-256 of the `Idempotency-Key`.
    """
    with conn.cursor(row_factory=class_row(StoredAnswer)) as cursor:
        return cursor.execute(FIND_ANSWER, (organization_id, credential_id, key_digest, since)).fetchone()


def insert_answer(
    conn: Connection,
    organization_id: UUID,
    credential_id: UUID,
    key_digest: bytes,
    stored: StoredAnswer,
    *,
    since: datetime,
    now: datetime,
) -> bool:
    """Insert an answer in the transaction of its change, and return whether that was possible.

    It waits for a transaction that inserts an answer for the same key. If that one commits, nothing is inserted. An
    answer from before *since* is replaced.
    """
    key = (organization_id, credential_id, key_digest)
    conn.execute(DELETE_EXPIRED_ANSWER, (*key, since))
    return conn.execute(INSERT_ANSWER, (*key, stored.request_digest, stored.answer, now)).rowcount == 1
