"""Restore the tombstones that ClickHouse lost when it was restored from a backup."""

from uuid import UUID

from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.tombstones import insert_tombstone, list_all_tombstones
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.deletions import list_tombstone_times


def restore_tombstones(platform_db: Database, client: Client) -> list[UUID]:
    """Insert the tombstones that ClickHouse lacks, and return their organizations.

    PostgreSQL has all tombstones. Erased rows of these organizations may be in ClickHouse again.

    Raises:
        UnavailableError, ClickHouseError: a store is unreachable.
    """
    with platform_db.transaction() as conn:
        times = list_tombstone_times(conn)
    known = list_all_tombstones(client)
    missing = {
        organization_id: closed_at for organization_id, closed_at in times.items() if organization_id not in known
    }
    for organization_id, closed_at in missing.items():
        insert_tombstone(client, organization_id, closed_at=closed_at)
    return list(missing)
