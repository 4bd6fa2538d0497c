"""The lock under which an organization's users, or its apps, are counted and added."""

from typing import Final
from uuid import UUID

from tenancy.rules.quotas import Metric
from tenancy.stores.postgres.client import Connection

# Advisory locks are numbers: this one is the organization's and the metric's, and ends with the transaction.
LOCK_SEATS: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def lock_seats(conn: Connection, organization_id: UUID, metric: Metric) -> None:
    """Wait until nobody else adds to *metric* of the organization, and keep others out until the transaction ends."""
    conn.execute(LOCK_SEATS, (f"seats {organization_id} {metric}",))
