"""The number of certificates that an organization can request. It outlives the claims."""

from datetime import datetime
from uuid import UUID

from tenancy.rules.custom_domains import MAX_CERTIFICATE_REQUESTS
from tenancy.rules.durations import CERTIFICATE_REQUESTS_PERIOD
from tenancy.stores.postgres.certificate_requests import (
    delete_certificate_requests,
    has_certificate_request,
    insert_certificate_request,
    list_certificate_requests,
)
from tenancy.stores.postgres.client import Connection


def find_next_request(conn: Connection, organization_id: UUID, *, now: datetime) -> datetime | None:
    """Return the time from which the organization can request another certificate, None if it can now."""
    since = now - CERTIFICATE_REQUESTS_PERIOD
    times = list_certificate_requests(conn, organization_id, since=since, limit=MAX_CERTIFICATE_REQUESTS)
    return times[-1] + CERTIFICATE_REQUESTS_PERIOD if len(times) == MAX_CERTIFICATE_REQUESTS else None


def spend_request(conn: Connection, organization_id: UUID, claim_id: UUID, attempt: int, *, now: datetime) -> bool:
    """Store the request of a certificate, and return False if the budget is used up. Idempotent for an attempt.

    The transaction holds the lock of the organization's claims.
    """
    if has_certificate_request(conn, organization_id, claim_id, attempt):
        return True
    if find_next_request(conn, organization_id, now=now) is not None:
        return False
    delete_certificate_requests(conn, organization_id, until=now - CERTIFICATE_REQUESTS_PERIOD)
    insert_certificate_request(conn, organization_id, claim_id, attempt, now=now)
    return True
