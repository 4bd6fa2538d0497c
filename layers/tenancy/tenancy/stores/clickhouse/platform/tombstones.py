"""Tombstones of organizations in ClickHouse.

Writers to ClickHouse read them here, without another database.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.stores.clickhouse.client import Client

INSERT_TOMBSTONE: Final = """
    INSERT INTO tombstones (organization_id, closed_at)
    SELECT {organization_id:UUID}, {closed_at:DateTime64(3, 'UTC')}
"""
LIST_TOMBSTONES: Final = """
    SELECT DISTINCT organization_id FROM tombstones WHERE organization_id IN {organizations:Array(UUID)}
"""
LIST_ALL_TOMBSTONES: Final = "SELECT DISTINCT organization_id FROM tombstones"
# On a cluster every reader must see a tombstone that another replica has written. So a majority of the replicas stores
# it before the insert returns, and a replica that lags rejects the read. A single server has nothing to wait for.
WRITE_SETTINGS: Final = {"insert_quorum": "auto", "insert_quorum_parallel": 0}
READ_SETTINGS: Final = {"select_sequential_consistency": 1}


def insert_tombstone(client: Client, organization_id: UUID, *, closed_at: datetime) -> None:
    """Place the tombstone of the organization. Idempotent."""
    parameters = {"organization_id": str(organization_id), "closed_at": closed_at}
    client.command(INSERT_TOMBSTONE, parameters=parameters, settings=WRITE_SETTINGS)


def list_tombstones(client: Client, organization_ids: Iterable[str]) -> set[str]:
    """Return those of *organization_ids* (UUIDs as text) that have a tombstone.

    Each batch of load waits for the answer. The driver's types would take a third of the time.
    """
    parameters = {"organizations": sorted(set(organization_ids))}
    answer = client.raw_query(LIST_TOMBSTONES, parameters=parameters, settings=READ_SETTINGS, fmt="TSV")
    return set(answer.decode().split())


def list_all_tombstones(client: Client) -> set[UUID]:
    """Return all organizations that have a tombstone."""
    return {found for (found,) in client.query(LIST_ALL_TOMBSTONES, settings=READ_SETTINGS).result_rows}
