"""The rows of an organization under erasure: deleted from every part, and counted."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, LiteralString
from uuid import UUID

from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.mutations import run_mutation

# ALTER TABLE, because the rows of a lightweight DELETE stay readable on disk. Parts without rows of the organization
# are not rewritten.
DELETE_ROWS: Final[Mapping[str, LiteralString]] = MappingProxyType(
    {
        "events": "ALTER TABLE events DELETE WHERE organization_id = {organization_id:UUID}",
        "held_events": "ALTER TABLE held_events DELETE WHERE organization_id = {organization_id:UUID}",
        "daily_statistics": "ALTER TABLE daily_statistics DELETE WHERE organization_id = {organization_id:UUID}",
    }
)
# apply_deleted_mask = 0 also counts rows that a lightweight DELETE has only hidden.
COUNT_ROWS: Final[Mapping[str, LiteralString]] = MappingProxyType(
    {
        "events": "SELECT count() FROM events WHERE organization_id = {organization_id:UUID}",
        "held_events": "SELECT count() FROM held_events WHERE organization_id = {organization_id:UUID}",
        "daily_statistics": "SELECT count() FROM daily_statistics WHERE organization_id = {organization_id:UUID}",
    }
)
LIST_WITH_ROWS: Final = """
    SELECT DISTINCT organization_id FROM (
        SELECT organization_id FROM events UNION ALL SELECT organization_id FROM held_events
        UNION ALL SELECT organization_id FROM daily_statistics
    )
"""
UNMASKED: Final = {"apply_deleted_mask": 0}


def delete_event_rows(client: Client, organization_id: UUID) -> None:
    """Delete all rows of the organization from every active part, on every replica.

    The rows are gone when it returns.
    """
    for statement in DELETE_ROWS.values():
        run_mutation(client, statement, {"organization_id": str(organization_id)})


def count_event_rows(client: Client, organization_id: UUID) -> Mapping[str, int]:
    """Return the number of the organization's rows in each table, hidden rows included."""
    parameters = {"organization_id": str(organization_id)}
    return {
        table: int(client.query(statement, parameters=parameters, settings=UNMASKED).result_rows[0][0])
        for table, statement in COUNT_ROWS.items()
    }


def list_organizations_with_rows(client: Client) -> set[UUID]:
    """Return all organizations that have rows."""
    return {found for (found,) in client.query(LIST_WITH_ROWS).result_rows}
