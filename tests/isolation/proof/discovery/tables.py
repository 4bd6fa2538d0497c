"""What the databases say of themselves: the tables that hold organizations' rows, their columns and constraints."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import redis

from tenancy.use_cases.deletion.delete import DELETED
from tenancy.use_cases.outbox.effects import Kind
from tests.given import Databases
from tests.handlers.functions import superuser

LIST_TABLES = """
    SELECT c.relname, CASE WHEN c.relname = 'organizations' THEN 'id' ELSE 'organization_id' END
    FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
      AND (c.relname = 'organizations' OR EXISTS (
          SELECT FROM pg_attribute AS a
          WHERE a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped
      ))
    ORDER BY c.relname <> 'organizations', c.relname
"""
LIST_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, NULL), a.attnotnull,
           a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '',
           coalesce((
               SELECT string_agg(pg_get_constraintdef(k.oid), ' ') FROM pg_constraint AS k
               WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]
           ), '')
    FROM pg_attribute AS a
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
LIST_FOREIGN_KEYS = """
    SELECT k.confrelid::regclass::text,
           array(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY AS n (number, place)
                 JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = n.number ORDER BY n.place),
           array(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY AS n (number, place)
                 JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = n.number ORDER BY n.place)
    FROM pg_constraint AS k WHERE k.conrelid = %s::regclass AND k.contype = 'f'
"""
LIST_OTHERS = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
REDIS = "Redis"  # whose keys may expire by themselves
ONE_OF = re.compile(r"= ANY \(+ARRAY\[([^]]*)\]")
LIST_CLICKHOUSE_COLUMNS = """
    SELECT c.table, c.name, c.type, c.default_kind FROM system.columns AS c
    INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
    WHERE c.database = currentDatabase() AND t.engine NOT LIKE '%View' ORDER BY c.table, c.position
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """*choices* are the values that a CHECK allows, none where anything goes; *is_filled*: there is a default."""

    name: str
    type: str
    is_required: bool
    is_filled: bool
    choices: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        return self.type in {"text", "character varying", "character", "citext", "json", "jsonb"} or (
            self.type in {"String", "LowCardinality(String)", "Nullable(String)", "LowCardinality(Nullable(String))"}
        )

    @property
    def is_texts(self) -> bool:
        return self.type == "Array(String)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with organizations' rows; *foreign_keys* are (other table, columns here, columns there)."""

    name: str
    tenant_column: str
    columns: tuple[Column, ...]
    foreign_keys: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = ()


def discover_tables(conn: psycopg.Connection[Any]) -> list[Table]:
    """Return PostgreSQL's tables with organizations' rows."""
    return [
        Table(
            name=name,
            tenant_column=tenant_column,
            columns=tuple(_column(*row) for row in conn.execute(LIST_COLUMNS, (name,))),
            foreign_keys=tuple(
                (other, tuple(here), tuple(there)) for other, here, there in conn.execute(LIST_FOREIGN_KEYS, (name,))
            ),
        )
        for name, tenant_column in conn.execute(LIST_TABLES).fetchall()
    ]


def discover_clickhouse_tables(databases: Databases) -> list[Table]:
    """Return ClickHouse's tables with organizations' rows."""
    columns: dict[str, list[Column]] = {}
    for table, name, kind, default in databases.clickhouse.query(LIST_CLICKHOUSE_COLUMNS).result_rows:
        column = Column(name=name, type=kind, is_required=True, is_filled=bool(default))
        columns.setdefault(table, []).append(column)
    return [
        Table(name=table, tenant_column="organization_id", columns=tuple(found))
        for table, found in columns.items()
        if "organization_id" in {column.name for column in found}
    ]


def choices_of(tables: list[Table]) -> Mapping[str, tuple[str, ...]]:
    """Return what CHECKs allow, by the name of the column."""
    return {column.name: column.choices for table in tables for column in table.columns if column.choices}


def state_restorer(conn: psycopg.Connection[Any]) -> Callable[[], None]:
    """Return what puts every row back into its table's first state: what one call has used up, another one asks for.

    Records of what calls have changed are taken back as well, so that a log is the same for each call that reads it.
    """
    states = [
        (table.name, column.choices[0])
        for table in discover_tables(conn)
        for column in table.columns
        if column.name == "status" and column.choices
    ]

    known: list[object] = []

    def restore() -> None:
        known[:] = known or [each for (each,) in conn.execute("SELECT id FROM audit_log")]
        conn.execute("DELETE FROM audit_log WHERE id <> ALL (%s)", (known,))
        for table, state in states:
            conn.execute(f"UPDATE {table} SET status = %(state)s WHERE status <> %(state)s", {"state": state})

    return restore


def reviver(conn: psycopg.Connection[Any], client: redis.Redis) -> Callable[[str], None]:
    """Return what gives every organization a status, as if nobody had deleted it: with live tokens, and no trace."""

    def revive(status: str) -> None:
        conn.execute("UPDATE organizations SET status = %s, token_epoch = 0", (status,))
        conn.execute("DELETE FROM audit_log WHERE action = %s", (DELETED,))
        conn.execute("DELETE FROM outbox WHERE kind = %s", (Kind.DELETION_EXECUTION,))
        for key in client.keys("*:standing"):
            client.delete(key)

    return revive


def redis_keys(databases: Databases) -> dict[str, str]:
    """Return every key of Redis with what it holds."""
    with redis.Redis.from_url(databases.servers.valkey_url, decode_responses=True) as client:
        return {str(key): _held(client, str(key)) for key in client.keys("*")}


def _held(client: redis.Redis, key: str) -> str:
    """Return what a key holds; ours are hashes all, and one that has expired meanwhile is an empty one."""
    held: Any = client.hgetall(key)
    return repr(sorted(held.items()))


def snapshot(databases: Databases, organization_id: object) -> dict[str, frozenset[str]]:
    """Return a digest of each row of one organization, by store and table; of no organization with None."""
    rows: dict[str, frozenset[str]] = {}
    with superuser(databases) as conn:
        tables = {table.name: table.tenant_column for table in discover_tables(conn)}
        for (name,) in conn.execute(LIST_OTHERS).fetchall():
            if organization_id is not None and name in tables:
                statement = f"SELECT md5(t::text) FROM {name} AS t WHERE {tables[name]} = %s"
                rows[f"PostgreSQL {name}"] = _all(conn.execute(statement, (organization_id,)))
            elif organization_id is None and name not in tables:
                rows[f"PostgreSQL {name}"] = _all(conn.execute(f"SELECT md5(t::text) FROM {name} AS t"))
    if organization_id is not None:
        for table in discover_clickhouse_tables(databases):
            columns = ", ".join(f"toString({column.name})" for column in table.columns if "Agg" not in column.type)
            statement = (
                f"SELECT hex(MD5(concat_ws('|', {columns}))) FROM {table.name} WHERE organization_id = {{id:UUID}}"
            )
            found = databases.clickhouse.query(statement, parameters={"id": str(organization_id)}).result_rows
            rows[f"ClickHouse {table.name}"] = frozenset(digest for (digest,) in found)
        held = redis_keys(databases)
        rows[REDIS] = frozenset(f"{key} {held[key]}" for key in held if str(organization_id) in key)
    return rows


def _all(cursor: psycopg.Cursor[Any]) -> frozenset[str]:
    return frozenset(digest for (digest,) in cursor)


def _column(name: str, kind: str, is_required: bool, is_filled: bool, checks: str) -> Column:  # noqa: FBT001 - a row
    found = ONE_OF.search(checks)
    choices = tuple(re.findall(r"'([^']*)'", found[1])) if found else ()
    return Column(name=name, type=kind, is_required=is_required, is_filled=is_filled, choices=choices)
