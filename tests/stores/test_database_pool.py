"""A test gets both databases as the migrations left them, after any change of the test before."""

from typing import Final

import psycopg
import pytest

from scripts.stack import postgres
from tests.database_pool import DatabasePool

CHANGES: Final = {
    "a row": "INSERT INTO tombstones (organization_id) VALUES (generateUUIDv4())",
    "an erased row": "ALTER TABLE events DELETE WHERE true SETTINGS mutations_sync = 1",
    "a column": "ALTER TABLE events ADD COLUMN more UInt8",
    "a table": "CREATE TABLE more (x UInt8) ENGINE = MergeTree ORDER BY x",
    "a lost table": "DROP TABLE events SYNC",
}
STATE: Final = """
    SELECT (SELECT groupArray((table, name, type)) FROM (SELECT * FROM system.columns WHERE database = {name:String}
                                                         ORDER BY table, position)),
           (SELECT count() FROM system.parts WHERE database = {name:String}),
           (SELECT count() FROM system.mutations WHERE database = {name:String})
"""
DEFINITIONS: Final = {
    "a column": "ALTER TABLE organizations ADD COLUMN more int",
    "a constraint": "ALTER TABLE organizations ADD CONSTRAINT more CHECK (name <> '')",
    "a default": "ALTER TABLE organizations ALTER COLUMN name SET DEFAULT 'x'",
    "a function": "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a grant": f"GRANT TRUNCATE ON organizations TO {postgres.FUNCTIONS}",
    "a grant of a column": f"GRANT REFERENCES (name) ON organizations TO {postgres.FUNCTIONS}",
    "a migration": "UPDATE schema_migrations SET digest = digest",
    "a policy": "ALTER POLICY tenant_isolation ON apps USING (true)",
    "a schema": "CREATE SCHEMA more",
    "a table": "CREATE TABLE more (x int)",
    "an owner": "ALTER TABLE apps OWNER TO postgres",
    "no row-level security": "ALTER TABLE apps NO FORCE ROW LEVEL SECURITY",
    "statistics": "ANALYZE schema_migrations",
}


def state_of_next(pool: DatabasePool) -> object:
    """Return the columns, parts and mutations of the database that the next test gets."""
    taken = pool.take()
    rows = taken.clickhouse.query(STATE, parameters={"name": taken.name}).result_rows
    pool.give_back(taken)
    return rows


@pytest.mark.parametrize("change", CHANGES)
def test_next_test_gets_an_unchanged_database(database_pool: DatabasePool, change: str) -> None:
    before = state_of_next(database_pool)
    taken = database_pool.take()

    taken.clickhouse.command(CHANGES[change])
    database_pool.give_back(taken)

    assert state_of_next(database_pool) == before


def test_unchanged_database_is_used_again(database_pool: DatabasePool) -> None:
    taken = database_pool.take()
    database_pool.give_back(taken)

    assert database_pool.take() is taken
    database_pool.give_back(taken)


@pytest.mark.parametrize("change", DEFINITIONS)
def test_changed_postgres_is_not_used_again(database_pool: DatabasePool, change: str) -> None:
    taken = database_pool.take()

    with psycopg.connect(taken.servers.superuser_url, dbname=taken.name, autocommit=True) as conn:
        conn.execute(DEFINITIONS[change].encode())
    database_pool.give_back(taken)

    following = database_pool.take()
    assert following is not taken
    database_pool.give_back(following)
