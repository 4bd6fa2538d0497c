"""Databases on two servers that `make test-clickhouse` starts: two replicas, or two shards.

`make test` leaves this folder out.
"""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tenancy.stores.clickhouse.client import Client, connect
from tenancy.stores.clickhouse.platform.migrations import apply_migration, list_versions
from tenancy.stores.clickhouse.platform.shards import distribute_tables, grant_distributed_tables
from tenancy.use_cases.schema.migrate import read_migrations
from tests.given import MIGRATIONS

CREATE_DATABASE = "CREATE DATABASE {0} ENGINE = Replicated('/clickhouse/databases/{0}', '{{shard}}', '{{replica}}')"

CREATE_SHARD = "CREATE DATABASE {0} ENGINE = Replicated('/clickhouse/databases/{0}', '0{1}', '{{replica}}') {2}"
WITH_SECRET = "SETTINGS collection_name = 'tenancy_cluster'"


@pytest.fixture
def replicas() -> Iterator[list[Client]]:
    """Return a client of each replica, in a new and migrated database."""
    urls, name = server_urls(), f"replicated_{uuid4().hex}"
    for url in urls:
        admin = connect(f"{url}/default")
        admin.command(CREATE_DATABASE.format(name))
        admin.close()
    clients = [connect(f"{url}/{name}") for url in urls]
    migrate(clients[0])
    yield clients
    for client in clients:
        client.close()


@pytest.fixture
def shards() -> Iterator[list[Client]]:
    """Return a client of each of two shards, in a new and migrated pair of databases."""
    clients = connect_shards(WITH_SECRET)
    migrate(clients[0])
    yield clients
    for client in clients:
        client.close()


def server_urls() -> list[str]:
    return os.environ["TEST_CLICKHOUSE_REPLICAS"].split()


def connect_shards(settings: str) -> list[Client]:
    """Create a pair of databases, with each server as a shard, and return a client of each."""
    name = f"sharded_{uuid4().hex}"
    for number, url in enumerate(server_urls(), start=1):
        admin = connect(f"{url}/default")
        for database in (f"{name}_shards", name):
            admin.command(CREATE_SHARD.format(database, number, settings))
        admin.close()
    return [connect(f"{url}/{name}") for url in server_urls()]


def migrate(client: Client) -> None:
    list_versions(client)
    for each in read_migrations(MIGRATIONS / "clickhouse"):
        assert apply_migration(client, each.version, each.name, each.digest, each.script)
    distribute_tables(client)
    grant_distributed_tables(client)
