"""Databases for tests: cloned from a migrated template, emptied after a test, and used again.

A clone is cheap, but hundreds of them fill the disk. A database that a test changed in any other way than by its rows
(its schema, grants, policies or statistics) is not used again.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from scripts.stack import postgres
from tenancy.stores.clickhouse.client import ClickHouseError, Client
from tests.given import Servers

CLONE: Final = "CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY"
# Everything of a database that is not a row: a test that changed any of it gets a database for itself.
FINGERPRINT: Final = """
    WITH ours AS (SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    SELECT md5(concat_ws(E'\\n',
        (SELECT string_agg(concat_ws(' ', relname, relkind, relowner, relacl, relrowsecurity, relforcerowsecurity),
                           E'\\n' ORDER BY relname) FROM ours),
        (SELECT string_agg(concat_ws(' ', c.relname, attname, atttypid, attnotnull, attacl, attstattarget, atthasdef),
                           E'\\n' ORDER BY c.relname, attnum)
         FROM ours AS c JOIN pg_attribute AS a ON a.attrelid = c.oid WHERE attnum > 0),
        (SELECT string_agg(concat_ws(' ', polname, polpermissive, polcmd, polroles, pg_get_expr(polqual, polrelid),
                           pg_get_expr(polwithcheck, polrelid)), E'\\n' ORDER BY polrelid, polname) FROM pg_policy),
        (SELECT string_agg(concat_ws(' ', proname, proowner, prosecdef, proacl, prosrc), E'\\n' ORDER BY oid)
         FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
        (SELECT string_agg(pg_get_constraintdef(oid), E'\\n' ORDER BY oid) FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace),
        (SELECT string_agg(concat_ws(' ', tgname, tgenabled), E'\\n' ORDER BY oid) FROM pg_trigger),
        (SELECT string_agg(concat_ws(' ', version, digest), E'\\n' ORDER BY version) FROM schema_migrations),
        (SELECT count(*) FROM pg_statistic AS s JOIN ours ON ours.oid = s.starelid),
        (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_db_role_setting)
    ))
"""
LIST_TABLES: Final = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'schema_migrations'
"""
RESTART_SEQUENCES: Final = """
    SELECT setval(oid::regclass, 1, false) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
"""
# What a test has open still holds it up; then the database is not used again.
WITHOUT_WAITING: Final = ("SET lock_timeout = '1s'", "SET session_replication_role = replica")
CHANGED_TABLES: Final = """
    SELECT name FROM system.tables WHERE database = {name:String} AND (
        name IN (SELECT table FROM system.parts WHERE database = {name:String})
        OR name IN (SELECT table FROM system.mutations WHERE database = {name:String})
    )
"""
LIST_DEFINITIONS: Final = """
    SELECT name, replaceOne(create_table_query, concat({name:String}, '.'), '') FROM system.tables
    WHERE database = {name:String} ORDER BY name
"""


class DatabasePool:
    """Databases by name: the same name in PostgreSQL and ClickHouse."""

    def __init__(self, servers: Servers, clickhouse: Client, names: Iterator[str]) -> None:
        """Clone the servers' migrated databases under new *names*."""
        self._servers = servers
        self._clickhouse = clickhouse
        self._names = names
        self._spare: list[str] = []
        self._fingerprint = self._read_fingerprint(postgres.DATABASE)
        self._definitions = self._read_definitions("default")

    def take(self) -> str:
        """Return the name of an empty, migrated database that no other test uses."""
        return self._spare.pop() if self._spare else self._clone(next(self._names))

    def give_back(self, name: str) -> None:
        """Empty a database for the next test, or drop it in ClickHouse where a test changed more than rows."""
        if self._is_emptied(name):
            self._spare.append(name)
        else:
            self._clickhouse.command(f"DROP DATABASE IF EXISTS {name} SYNC")

    def _clone(self, name: str) -> str:
        with psycopg.connect(self._servers.superuser_url, autocommit=True) as conn:
            identifiers = map(sql.Identifier, (name, postgres.DATABASE, postgres.OWNER))
            conn.execute(sql.SQL(CLONE).format(*identifiers))
        self._clickhouse.command(f"CREATE DATABASE {name}")
        for table in self._definitions:
            self._clickhouse.command(f"CREATE TABLE {name}.{table} AS default.{table}")
        return name

    def _is_emptied(self, name: str) -> bool:
        with suppress(psycopg.Error, ClickHouseError):
            return self._is_postgres_emptied(name) and self._is_clickhouse_emptied(name)
        return False

    def _is_postgres_emptied(self, name: str) -> bool:
        with psycopg.connect(self._servers.superuser_url, dbname=name, autocommit=True) as conn:
            if _fingerprint(conn) != self._fingerprint:
                return False
            for setting in WITHOUT_WAITING:
                conn.execute(setting)
            tables = [table for (table,) in conn.execute(LIST_TABLES)]
            with conn.transaction():
                for table in tables:
                    conn.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                conn.execute(RESTART_SEQUENCES)
        return True

    def _is_clickhouse_emptied(self, name: str) -> bool:
        if self._read_definitions(name) != self._definitions:
            return False
        for (table,) in self._clickhouse.query(CHANGED_TABLES, parameters={"name": name}).result_rows:
            self._clickhouse.command(f"DROP TABLE {name}.{table} SYNC")
            self._clickhouse.command(f"CREATE TABLE {name}.{table} AS default.{table}")
        return True

    def _read_fingerprint(self, name: str) -> str:
        with psycopg.connect(self._servers.superuser_url, dbname=name, autocommit=True) as conn:
            return _fingerprint(conn)

    def _read_definitions(self, name: str) -> dict[str, str]:
        rows = self._clickhouse.query(LIST_DEFINITIONS, parameters={"name": name}).result_rows
        return {str(table): str(definition) for table, definition in rows}


def _fingerprint(conn: psycopg.Connection) -> str:
    statement: LiteralString = FINGERPRINT
    [(found,)] = conn.execute(statement)
    return str(found)
