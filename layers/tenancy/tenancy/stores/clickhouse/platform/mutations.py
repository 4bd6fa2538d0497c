"""Mutations: deletions that rewrite the parts on disk, on every replica of every shard."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, LiteralString

from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.shards import storage_settings

# With shards a mutation is an entry in the log of a Replicated database. By default such a statement returns before the
# mutation has ended, and it waits for 180 seconds at most. Other databases ignore the two last settings.
SYNCHRONOUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "mutations_sync": 2,
        "database_replicated_enforce_synchronous_settings": 1,
        "distributed_ddl_task_timeout": -1,
    }
)


def run_mutation(
    client: Client,
    statement: LiteralString,
    parameters: Mapping[str, Any],
    *,
    settings: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Run *statement* on the tables that have the rows. It is done on all replicas of all shards when this returns.

    A Distributed table has no mutations. So with shards the statement runs in the database of the shards' tables.
    """
    client.command(
        statement, parameters=dict(parameters), settings={**SYNCHRONOUS, **settings, **storage_settings(client)}
    )
