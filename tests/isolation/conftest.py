"""The database that the rules are asked about, and one to break them in."""

from collections.abc import Iterator

import psycopg
import pytest

from scripts.stack import postgres
from tenancy.stores.postgres.client import Connection, Database
from tests.given import Databases, Servers


@pytest.fixture
def migrated(servers: Servers) -> Iterator[Connection]:
    """Connect to the database that the migrations made, of which the tests' own are copies."""
    owner = Database(lambda: servers.postgres_url(postgres.OWNER, postgres.DATABASE), as_owner=True)
    with owner.transaction() as conn:
        yield conn
    owner.close()


@pytest.fixture
def vandal(databases: Databases) -> Iterator[psycopg.Connection]:
    """Connect as the superuser, to break what is put back at the end."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name) as conn:
        yield conn
        conn.rollback()
