"""Databases on two replicas, which `make test-clickhouse` starts. `make test` leaves this folder out."""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tenancy.stores.clickhouse.client import Client, connect
from tenancy.stores.clickhouse.platform.migrations import apply_migration, list_versions
from tenancy.use_cases.schema.migrate import read_migrations
from tests.given import MIGRATIONS

CREATE_DATABASE = "CREATE DATABASE {0} ENGINE = Replicated('/clickhouse/databases/{0}', '{{shard}}', '{{replica}}')"


@pytest.fixture
def replicas() -> Iterator[list[Client]]:
    """Return a client of each replica, in a new and migrated database."""
    urls, name = os.environ["TEST_CLICKHOUSE_REPLICAS"].split(), f"replicated_{uuid4().hex}"
    for url in urls:
        admin = connect(f"{url}/default")
        admin.command(CREATE_DATABASE.format(name))
        admin.close()
    clients = [connect(f"{url}/{name}") for url in urls]
    list_versions(clients[0])
    for each in read_migrations(MIGRATIONS / "clickhouse"):
        assert apply_migration(clients[0], each.version, each.name, each.digest, each.script)
    yield clients
    for client in clients:
        client.close()
