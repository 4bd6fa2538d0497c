"""The lock under which an organization's users or apps are counted and added."""

from typing import Final
from uuid import UUID

from tenancy.rules.quotas import Metric
from tenancy.stores.postgres.client import Connection

# Advisory locks are numbers, so the name is hashed. The lock ends with the transaction.
LOCK_SEATS: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def lock_seats(conn: Connection, organization_id: UUID, metric: Metric) -> None:
    """Lock *metric* of the organization until the transaction ends. Others that add to it wait."""
    conn.execute(LOCK_SEATS, (f"seats {organization_id} {metric}",))
