"""The connection to the read replica by itself: the same role, the same policies, and no write."""

import re
from collections.abc import Iterator
from functools import partial
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from scripts.stack import postgres
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.replica import Replica, ReplicaError
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.streaming_replica import StreamingReplica

LIST_READABLE = """
    SELECT c.relname, EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'organization_id')
    FROM pg_class AS c
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
      AND has_any_column_privilege('tenancy_functions', c.oid, 'SELECT')
    ORDER BY relname
"""
DESCRIBE_POLICIES = """
    SELECT tablename, policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies ORDER BY 1, 2
"""
OWNERS = "SELECT DISTINCT {}::text FROM {}"
LIST_WRITABLE = """
    SELECT c.relname FROM pg_class AS c
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
      AND has_any_column_privilege('tenancy_functions', c.oid, 'INSERT')
    ORDER BY relname
"""


@pytest.fixture
def near(replica: StreamingReplica, databases: Databases, acme: Provisioned, globex: Provisioned) -> Iterator[Replica]:
    """A client of the replica, which has both organizations."""
    assert acme.organization.id != globex.organization.id
    replica.catch_up()
    url = databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)
    opened = Replica(lambda: url, replica.address, databases.functions)
    yield opened
    opened.close()


def owners_in(db: Database, organization_id: UUID, tables: list[tuple[str, bool]]) -> dict[str, set[str]]:
    with db.tenant_transaction(organization_id) as conn:
        assert conn.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        return {
            table: {owner for (owner,) in conn.execute(owners_of(table, has_owner=has_owner)).fetchall()}
            for table, has_owner in tables
            if has_owner or table == "organizations"
        }


def owners_of(table: str, *, has_owner: bool) -> sql.Composed:
    return sql.SQL(OWNERS).format(sql.Identifier("organization_id" if has_owner else "id"), sql.Identifier(table))


def test_tenant_sees_only_its_own_rows_in_each_table(
    near: Replica, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name) as conn:
        tables = conn.execute(LIST_READABLE).fetchall()

    seen = {
        each.organization.id: near.read(partial(owners_in, organization_id=each.organization.id, tables=tables), ())
        for each in (acme, globex)
    }

    for own, found in seen.items():
        assert {owner for owners in found.values() for owner in owners} == {str(own)}
        assert found["users"] == found["organizations"] == found["apps"] == {str(own)}
        assert len(found) > 20


def test_no_rows_are_visible_without_a_tenant(near: Replica) -> None:
    def count(db: Database) -> object:
        with db.transaction() as conn:
            return conn.execute("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM organizations)").fetchone()

    assert near.read(count, ()) == (0, 0)


def test_replica_has_the_policies_of_the_primary(databases: Databases, replica: StreamingReplica) -> None:
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name) as primary:
        expected = primary.execute(DESCRIBE_POLICIES).fetchall()

    with replica.connect(databases) as conn:
        found = conn.execute(DESCRIBE_POLICIES).fetchall()

    assert found == expected != []


def test_no_table_takes_a_write(near: Replica, databases: Databases, acme: Provisioned) -> None:
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name) as conn:
        tables = [table for (table,) in conn.execute(LIST_WRITABLE).fetchall()]

    def insert(db: Database, table: str) -> None:
        with db.tenant_transaction(acme.organization.id) as conn:
            conn.execute(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(sql.Identifier(table)))

    assert len(tables) > 5
    for table in tables:
        near._paused_until = 0.0
        with pytest.raises(ReplicaError) as raised:
            near.read(partial(insert, table=table), ())
        assert re.search(r"recovery|read-only", str(raised.value.__cause__))
