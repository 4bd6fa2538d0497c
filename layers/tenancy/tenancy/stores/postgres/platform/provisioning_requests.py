"""Provisioning requests with an `Idempotency-Key`: their claims and their answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from tenancy.stores.postgres.client import Connection

INSERT_REQUEST: Final = """
    INSERT INTO provisioning_requests
        (credential_id, key_digest, organization_id, request_hash, claimed_until, created_at)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""
FIND_REQUEST: Final = """
    SELECT organization_id, request_hash, claimed_until, answer
    FROM provisioning_requests WHERE credential_id = %s AND key_digest = %s
"""
TAKE_REQUEST: Final = """
    UPDATE provisioning_requests SET claimed_until = %s, created_at = %s
    WHERE credential_id = %s AND key_digest = %s AND claimed_until = %s AND answer IS NULL
"""
UPDATE_ANSWER: Final = """
    UPDATE provisioning_requests SET answer = %s
    WHERE credential_id = %s AND key_digest = %s AND claimed_until = %s AND answer IS NULL
"""
DELETE_REQUEST: Final = """
    DELETE FROM provisioning_requests
    WHERE credential_id = %s AND key_digest = %s AND claimed_until = %s AND answer IS NULL
"""
DELETE_REQUESTS_BEFORE: Final = "DELETE FROM provisioning_requests WHERE created_at < %s AND claimed_until < %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """The credential of a request, and the SHA-256 of its `Idempotency-Key`."""

    credential_id: UUID
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    """A request with its claim and its answer.

    *claimed_until* also identifies the claim. *answer* is encrypted, and None until the organization is committed.
    """

    organization_id: UUID
    request_hash: str
    claimed_until: datetime
    answer: bytes | None = None


def insert_request(conn: Connection, key: RequestKey, request: StoredRequest, *, now: datetime) -> bool:
    """Claim a new request, and return whether it was new."""
    values = (
        key.credential_id,
        key.digest,
        request.organization_id,
        request.request_hash,
        request.claimed_until,
        now,
    )
    return conn.execute(INSERT_REQUEST, values).rowcount == 1


def find_request(conn: Connection, key: RequestKey) -> StoredRequest | None:
    """Return the stored request, or None."""
    with conn.cursor(row_factory=class_row(StoredRequest)) as cursor:
        return cursor.execute(FIND_REQUEST, (key.credential_id, key.digest)).fetchone()


def take_request(conn: Connection, key: RequestKey, *, seen: datetime, until: datetime, now: datetime) -> bool:
    """Take over the claim that ended at *seen* until *until*, and return whether that succeeded.

    It fails if another caller was faster.
    """
    return conn.execute(TAKE_REQUEST, (until, now, key.credential_id, key.digest, seen)).rowcount == 1


def update_answer(conn: Connection, key: RequestKey, answer: bytes, *, claimed_until: datetime) -> bool:
    """Store the *answer* in the transaction of the change. Return whether the claim was valid."""
    return conn.execute(UPDATE_ANSWER, (answer, key.credential_id, key.digest, claimed_until)).rowcount == 1


def delete_request(conn: Connection, key: RequestKey, *, claimed_until: datetime) -> None:
    """Delete the claim if it is still the caller's and has no answer."""
    conn.execute(DELETE_REQUEST, (key.credential_id, key.digest, claimed_until))


def delete_requests_before(conn: Connection, *, created_before: datetime, now: datetime) -> None:
    """Delete requests and answers created before *created_before*. Claimed requests stay."""
    conn.execute(DELETE_REQUESTS_BEFORE, (created_before, now))
