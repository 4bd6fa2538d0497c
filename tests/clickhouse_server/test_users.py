"""Users of a real server: the user of usage has the role `tenancy_reader` alone, and row policies bind it."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from tenancy.stores.clickhouse.client import TENANT_TABLES, Client, DatabaseError, TenantReader, connect
from tenancy.stores.clickhouse.platform.tombstones import insert_tombstone
from tests.given import NOW

ACME = UUID("00000000-0000-4000-8000-00000000ac3e")
GLOBEX = UUID("00000000-0000-4000-8000-0000000010be")
# Names the organization, as the reader requires, but does not filter by it.
UNFILTERED = "SELECT DISTINCT organization_id, {organization_id:UUID} AS named FROM "
INSERT = "INSERT INTO {table:Identifier} (organization_id) SELECT {organization_id:UUID}"


class UnfilteredReader(TenantReader):
    """A tenant reader without its filter: only the row policies are left."""

    def _filters(self) -> str:
        return "{}"


@pytest.fixture
def reader(replicas: list[Client]) -> Iterator[Client]:
    """Return a client of the user of usage, as docs/operations.md makes it, with rows of both organizations."""
    for organization in (ACME, GLOBEX):
        for table in TENANT_TABLES:
            replicas[0].command(INSERT, parameters={"table": table, "organization_id": organization})
    client = connect_reader(replicas[0])
    yield client
    client.close()


def connect_reader(owner: Client) -> Client:
    """Create a user of usage, and return its client for the database of *owner*."""
    name, password = f"usage_{uuid4().hex}", uuid4().hex
    owner.command(f"CREATE USER {name} IDENTIFIED BY '{password}' DEFAULT ROLE tenancy_reader")
    owner.command(f"GRANT tenancy_reader TO {name}")
    address = urlsplit(os.environ["TEST_CLICKHOUSE_REPLICAS"].split()[0])
    return connect(f"http://{name}:{password}@{address.hostname}:{address.port}/{owner.database}")


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_policies_show_rows_of_the_own_organization(reader: Client, table: str) -> None:
    rows = UnfilteredReader(reader, ACME).query(UNFILTERED + table)

    assert rows == [(ACME, ACME)]


@pytest.mark.parametrize("table", TENANT_TABLES)
def test_policies_show_nothing_without_an_organization(reader: Client, table: str) -> None:
    assert reader.query(f"SELECT * FROM {table}").result_rows == []


def test_owner_of_the_schema_sees_every_row(replicas: list[Client], reader: Client) -> None:
    assert reader.database == replicas[0].database

    rows = replicas[0].query("SELECT DISTINCT organization_id FROM events ORDER BY organization_id").result_rows

    assert {found for (found,) in rows} == {ACME, GLOBEX}


def test_reader_cannot_read_tombstones(replicas: list[Client], reader: Client) -> None:
    insert_tombstone(replicas[0], ACME, closed_at=NOW)

    with pytest.raises(DatabaseError, match="ACCESS_DENIED"):
        reader.query("SELECT * FROM tombstones")


@pytest.mark.parametrize("statement", [INSERT, "ALTER TABLE {table:Identifier} DELETE WHERE 1"])
def test_reader_cannot_write(reader: Client, statement: str) -> None:
    with pytest.raises(DatabaseError, match="ACCESS_DENIED"):
        reader.command(statement, parameters={"table": "events", "organization_id": ACME})
