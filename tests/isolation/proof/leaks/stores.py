"""Texts in PostgreSQL and Redis: every column of every table, every version of every row, every key."""

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from tests.given import Databases
from tests.isolation.proof.leaks.snapshots import redis_keys

LIST_TABLES = """
    SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname <> 'written'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
    ORDER BY 1, 2
"""
LIST_TEXTS = sql.SQL("""
    SELECT DISTINCT member.key, member.value FROM {table} AS t, jsonb_each_text(to_jsonb(t)) AS member
    WHERE member.value IS NOT NULL
""")
# The function runs with the rights of its owner, so that the roles of the code under test need no others.
CREATE_RECORD = """
    CREATE SCHEMA written;
    CREATE UNLOGGED TABLE written.rows (table_name text, content jsonb);
    CREATE FUNCTION written.record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
    $$BEGIN INSERT INTO written.rows VALUES (TG_TABLE_NAME, to_jsonb(NEW)); RETURN NULL; END$$
"""
RECORD_TABLE = sql.SQL("""
    CREATE TRIGGER written AFTER INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION written.record()
""")
LIST_WRITTEN = """
    SELECT DISTINCT w.table_name, member.key, member.value
    FROM written.rows AS w, jsonb_each_text(w.content) AS member WHERE member.value IS NOT NULL
"""


def record_written_rows(conn: psycopg.Connection[Any]) -> None:
    """Keep each row that is written from now on.

    The proof restores rows between two calls, so that the tables do not show them at its end.
    """
    conn.execute(CREATE_RECORD)
    for table in _tables(conn):
        conn.execute(RECORD_TABLE.format(table=table))


def texts_in_tables(conn: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Yield the place and value of each column of each row of every table. A bytea is in hexadecimal digits."""
    for table in _tables(conn):
        for column, value in conn.execute(LIST_TEXTS.format(table=table)):
            yield f"PostgreSQL {table.as_string()}.{column}", value


def texts_written(conn: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Yield the same of all rows that were written since `record_written_rows`."""
    for table, column, value in conn.execute(LIST_WRITTEN):
        yield f"PostgreSQL {table}.{column}, as written", value


def texts_in_redis(databases: Databases) -> Iterator[tuple[str, str]]:
    """Yield the place and text of each key of Redis and of its value."""
    for key, value in redis_keys(databases).items():
        yield f"Redis {key.partition('}')[2]}", f"{key} {value}"


def _tables(conn: psycopg.Connection[Any]) -> list[sql.Identifier]:
    return [sql.Identifier(schema, name) for schema, name in conn.execute(LIST_TABLES).fetchall()]
