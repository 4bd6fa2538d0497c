"""Requests of certificates for custom domains, by organization."""

from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.stores.postgres.client import Connection

HAS_REQUEST: Final = """
    SELECT FROM certificate_requests WHERE organization_id = %s AND claim_id = %s AND attempt = %s
"""
LIST_REQUESTS: Final = """
    SELECT requested_at FROM certificate_requests WHERE organization_id = %s AND requested_at > %s
    ORDER BY requested_at DESC LIMIT %s
"""
INSERT_REQUEST: Final = """
    INSERT INTO certificate_requests (organization_id, claim_id, attempt, requested_at) VALUES (%s, %s, %s, %s)
"""
DELETE_REQUESTS: Final = "DELETE FROM certificate_requests WHERE organization_id = %s AND requested_at <= %s"


def has_certificate_request(conn: Connection, organization_id: UUID, claim_id: UUID, attempt: int) -> bool:
    """Return whether the attempt at the claim has requested a certificate."""
    return conn.execute(HAS_REQUEST, (organization_id, claim_id, attempt)).fetchone() is not None


def list_certificate_requests(
    conn: Connection, organization_id: UUID, *, since: datetime, limit: int
) -> list[datetime]:
    """Return the times of at most *limit* requests of the organization after *since*, the last one first."""
    return [row[0] for row in conn.execute(LIST_REQUESTS, (organization_id, since, limit))]


def insert_certificate_request(
    conn: Connection, organization_id: UUID, claim_id: UUID, attempt: int, *, now: datetime
) -> None:
    """Insert a request of the attempt at the claim."""
    conn.execute(INSERT_REQUEST, (organization_id, claim_id, attempt, now))


def delete_certificate_requests(conn: Connection, organization_id: UUID, *, until: datetime) -> None:
    """Delete the requests of the organization until then."""
    conn.execute(DELETE_REQUESTS, (organization_id, until))
