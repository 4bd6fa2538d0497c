"""Connections to the migrated database: one to read its catalog, one to break its rules."""

from collections.abc import Iterator

import psycopg
import pytest

from scripts.stack import postgres
from tenancy.stores.postgres.client import Connection, Database
from tests.given import Databases, Servers


@pytest.fixture
def migrated(servers: Servers) -> Iterator[Connection]:
    """Connect as the owner to the database that the tests' databases are copies of."""
    owner = Database(lambda: servers.postgres_url(postgres.OWNER, postgres.DATABASE), as_owner=True)
    with owner.transaction() as conn:
        yield conn
    owner.close()


@pytest.fixture
def superuser_connection(databases: Databases) -> Iterator[psycopg.Connection]:
    """Connect as the superuser to the test's database, and roll back every change."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name) as conn:
        yield conn
        conn.rollback()
