"""Gates that a restored ClickHouse has open again: PostgreSQL knows which ones are closed for good."""

from uuid import UUID

from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.tombstones import insert_tombstone, list_all_tombstones
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.deletions import list_tombstone_times


def restore_tombstones(platform_db: Database, client: Client) -> list[UUID]:
    """Give ClickHouse the tombstones that it lacks, and return whose: what was erased of them may be there again.

    Raises:
        UnavailableError, ClickHouseError: a store is away.
    """
    with platform_db.transaction() as conn:
        closed = list_tombstone_times(conn)
    known = list_all_tombstones(client)
    forgotten = {organization_id: at for organization_id, at in closed.items() if organization_id not in known}
    for organization_id, closed_at in forgotten.items():
        insert_tombstone(client, organization_id, closed_at=closed_at)
    return list(forgotten)
