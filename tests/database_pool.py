"""Databases for tests: cloned from a migrated template, emptied after a test, and used again.

A clone is cheap, but hundreds of them fill the disk. A database that a test changed in any other way than by its rows
(its schema, grants, policies or statistics) is not used again.

Most tests change nothing in ClickHouse. ClickHouse adds a file for each change, so its folders show that without a
query.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from scripts.stack import postgres
from tenancy.stores.clickhouse.client import ClickHouseError, Client, connect
from tenancy.stores.postgres.client import Connection, Database
from tests.given import Databases, Servers

CLONE: Final = "CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY"
# The definitions of a database. A test that changes one of them gets a database of its own. A change of a row of the
# catalogue gives the row another xmin, and clones have the xmin of the template. Printing the definitions would take
# four times as long.
FINGERPRINT: Final = """
    WITH ours AS (SELECT oid, xmin FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    SELECT md5(concat_ws(E'\\n',
        (SELECT string_agg(xmin::text, ' ' ORDER BY oid) FROM ours),
        (SELECT string_agg(a.xmin::text, ' ' ORDER BY attrelid, attnum)
         FROM pg_attribute AS a JOIN ours ON ours.oid = attrelid WHERE attnum > 0),
        (SELECT string_agg(d.xmin::text, ' ' ORDER BY d.oid) FROM pg_attrdef AS d JOIN ours ON ours.oid = adrelid),
        (SELECT string_agg(xmin::text, ' ' ORDER BY oid) FROM pg_policy),
        (SELECT string_agg(xmin::text, ' ' ORDER BY oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
        (SELECT string_agg(xmin::text, ' ' ORDER BY oid) FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace),
        (SELECT string_agg(xmin::text, ' ' ORDER BY oid) FROM pg_trigger),
        (SELECT string_agg(xmin::text, ' ' ORDER BY version) FROM schema_migrations),
        (SELECT count(*) FROM pg_statistic AS s JOIN ours ON ours.oid = s.starelid),
        (SELECT string_agg(xmin::text, ' ' ORDER BY oid) FROM pg_namespace), (SELECT count(*) FROM pg_db_role_setting)
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
WITHOUT_WAITING: Final = "SET lock_timeout = '1s'; SET session_replication_role = replica"
# Each table with its definition, and whether it has ever had rows.
LIST_TABLES_OF_CLICKHOUSE: Final = """
    SELECT name, replaceOne(create_table_query, concat({name:String}, '.'), ''),
           name IN (SELECT table FROM system.parts WHERE database = {name:String})
           OR name IN (SELECT table FROM system.mutations WHERE database = {name:String})
    FROM system.tables WHERE database = {name:String}
"""
CLICKHOUSE_PATIENCE_SECONDS: Final = 300  # the machine may be slow

type Folders = dict[Path, tuple[int, list[str]]]


class DatabasePool:
    """Databases by name: the same name in PostgreSQL and ClickHouse.

    Their connections stay open from one test to the next.
    """

    def __init__(self, servers: Servers, clickhouse: Client, names: Iterator[str]) -> None:
        """Clone the servers' migrated databases under new *names*."""
        self._servers = servers
        self._clickhouse = clickhouse
        self._names = names
        self._spare: list[Databases] = []
        self._superusers: dict[str, Connection] = {}
        self._folders: dict[str, Folders] = {}
        with self._connect(postgres.DATABASE) as conn:
            self._fingerprint = _fingerprint(conn)
            tables = [sql.Identifier(table) for (table,) in conn.execute(LIST_TABLES)]
            self._delete_rows = sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(table) for table in tables)
        self._definitions = {table: definition for table, definition, _ in self._list_tables("default")}

    def take(self) -> Databases:
        """Return empty, migrated databases that no other test uses."""
        return self._spare.pop() if self._spare else self._open(self._clone(next(self._names)))

    def give_back(self, databases: Databases) -> None:
        """Empty the databases for the next test, or drop that of ClickHouse where a test changed more than rows."""
        if self._is_emptied(databases.name):
            self._spare.append(databases)
            return
        close(databases)
        self._superusers.pop(databases.name).close()
        self._clickhouse.command(f"DROP DATABASE IF EXISTS {databases.name} SYNC")

    def empty(self, databases: Databases) -> None:
        """Empty the databases within a test, which must not have changed more than rows."""
        assert self._is_emptied(databases.name), "the test changed more than rows"

    def close(self) -> None:
        """Close all connections."""
        for databases in self._spare:
            close(databases)
        for conn in self._superusers.values():
            conn.close()

    def _open(self, name: str) -> Databases:
        self._superusers[name] = self._connect(name)
        self._superusers[name].execute(WITHOUT_WAITING)
        url, servers = self._servers.postgres_url, self._servers
        return Databases(
            name=name,
            servers=servers,
            owner=Database(lambda: url(postgres.OWNER, name), as_owner=True),
            functions=Database(lambda: url(postgres.FUNCTIONS, name)),
            platform=Database(lambda: url(postgres.PLATFORM, name)),
            authorizer=Database(lambda: url(postgres.AUTHORIZER, name)),
            clickhouse=connect(servers.clickhouse_url(name), timeout_seconds=CLICKHOUSE_PATIENCE_SECONDS),
        )

    def _connect(self, name: str) -> Connection:
        return psycopg.connect(self._servers.superuser_url, dbname=name, autocommit=True)

    def _clone(self, name: str) -> str:
        with psycopg.connect(self._servers.superuser_url, autocommit=True) as conn:
            identifiers = map(sql.Identifier, (name, postgres.DATABASE, postgres.OWNER))
            conn.execute(sql.SQL(CLONE).format(*identifiers))
        self._clickhouse.command(f"CREATE DATABASE {name}")
        for table in self._definitions:
            self._clickhouse.command(f"CREATE TABLE {name}.{table} AS default.{table}")
        self._note_folders(name)
        return name

    def _is_emptied(self, name: str) -> bool:
        with suppress(psycopg.Error, ClickHouseError, FileNotFoundError):
            return self._is_postgres_emptied(self._superusers[name]) and self._is_clickhouse_emptied(name)
        return False

    def _is_postgres_emptied(self, conn: Connection) -> bool:
        if _fingerprint(conn) != self._fingerprint:
            return False
        with conn.transaction():
            conn.execute(self._delete_rows)
            conn.execute(RESTART_SEQUENCES)
        return True

    def _is_clickhouse_emptied(self, name: str) -> bool:
        folder = self._servers.clickhouse_folder
        if folder and _folders(folder, name) == self._folders[name]:
            return True
        tables = self._list_tables(name)
        if {table: definition for table, definition, _ in tables} != self._definitions:
            return False
        for table in [table for table, _, had_rows in tables if had_rows]:
            self._clickhouse.command(f"DROP TABLE {name}.{table} SYNC")
            self._clickhouse.command(f"CREATE TABLE {name}.{table} AS default.{table}")
        self._note_folders(name)
        return True

    def _note_folders(self, name: str) -> None:
        if self._servers.clickhouse_folder:  # those of a real server cannot be read
            self._folders[name] = _folders(self._servers.clickhouse_folder, name)

    def _list_tables(self, name: str) -> list[tuple[str, str, bool]]:
        """Return the name and the definition of each table in ClickHouse, and whether it has ever had rows."""
        rows = self._clickhouse.query(LIST_TABLES_OF_CLICKHOUSE, parameters={"name": name}).result_rows
        return [(str(table), str(definition), bool(had_rows)) for table, definition, had_rows in rows]


def close(databases: Databases) -> None:
    for database in (databases.owner, databases.functions, databases.platform, databases.authorizer):
        database.close()
    databases.clickhouse.close()


def _folders(clickhouse: Path, name: str) -> Folders:
    """Return the folders of a database of ClickHouse, each with its last change and its files.

    Raises:
        FileNotFoundError: a test dropped the database.
    """
    folders = [clickhouse / "metadata" / name, *(clickhouse / "data" / name).iterdir()]
    return {folder: (folder.stat().st_mtime_ns, sorted(each.name for each in folder.iterdir())) for folder in folders}


def _fingerprint(conn: Connection) -> str:
    statement: LiteralString = FINGERPRINT
    [(found,)] = conn.execute(statement)
    return str(found)
