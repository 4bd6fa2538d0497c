"""Tables with rows of organizations, read from the catalogs of PostgreSQL and ClickHouse."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.given import Databases

# A canary in the directory of homes would move its organization to a database that does not exist.
LIST_TABLES = """
    SELECT c.relname, CASE WHEN c.relname = 'organizations' THEN 'id' ELSE 'organization_id' END
    FROM pg_class AS c
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
      AND (c.relname = 'organizations' OR EXISTS (
          SELECT FROM pg_attribute AS a
          WHERE a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped
      ))
      AND c.relname NOT IN ('moved_organizations', 'organization_homes')
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
LIST_CLICKHOUSE_COLUMNS = """
    SELECT c.table, c.name, c.type, c.default_kind FROM system.columns AS c
    INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
    WHERE c.database = currentDatabase() AND t.engine NOT LIKE '%View' ORDER BY c.table, c.position
"""
ALLOWED_VALUES = re.compile(r"= ANY \(+ARRAY\[([^]]*)\]")
FIXED_LENGTH = re.compile(r"\blength\(\w+\) = (\d+)")
POSTGRES_TEXT_TYPES = {"text", "character varying", "character", "citext", "json", "jsonb"}
CLICKHOUSE_TEXT_TYPES = {"String", "LowCardinality(String)", "Nullable(String)", "LowCardinality(Nullable(String))"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    *allowed_values* are those of its CHECK constraint, empty without one. *length* is that of each of its texts, if a
    CHECK constraint fixes it.
    """

    name: str
    type: str
    is_required: bool
    has_default: bool
    allowed_values: tuple[str, ...] = ()
    length: int | None = None

    @property
    def is_text(self) -> bool:
        return self.type in POSTGRES_TEXT_TYPES | CLICKHOUSE_TEXT_TYPES

    @property
    def is_text_array(self) -> bool:
        return self.type == "Array(String)"

    @property
    def is_aggregate(self) -> bool:
        return "Agg" in self.type


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with rows of organizations.

    *foreign_keys* are (other table, columns here, columns there).
    """

    name: str
    tenant_column: str
    columns: tuple[Column, ...]
    foreign_keys: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = ()


def discover_tables(conn: psycopg.Connection[Any]) -> list[Table]:
    """Return the PostgreSQL tables with rows of organizations."""
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


def discover_tenant_columns(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """Return the column with the organization's id of each table with rows of organizations."""
    return dict(conn.execute(LIST_TABLES).fetchall())


def discover_clickhouse_tables(databases: Databases) -> list[Table]:
    """Return the ClickHouse tables with rows of organizations."""
    columns: dict[str, list[Column]] = {}
    for table, name, kind, default in databases.clickhouse.query(LIST_CLICKHOUSE_COLUMNS).result_rows:
        column = Column(name=name, type=kind, is_required=True, has_default=bool(default))
        columns.setdefault(table, []).append(column)
    return [
        Table(name=table, tenant_column="organization_id", columns=tuple(found))
        for table, found in columns.items()
        if "organization_id" in {column.name for column in found}
    ]


def allowed_values_of(tables: list[Table]) -> Mapping[str, tuple[str, ...]]:
    """Return the values that CHECK constraints allow, by column name."""
    return {column.name: column.allowed_values for table in tables for column in table.columns if column.allowed_values}


def _column(name: str, kind: str, is_required: bool, has_default: bool, checks: str) -> Column:  # noqa: FBT001 - a row
    found = ALLOWED_VALUES.search(checks)
    values = tuple(re.findall(r"'([^']*)'", found[1])) if found else ()
    fixed = FIXED_LENGTH.search(checks)
    length = int(fixed[1]) if fixed else None
    return Column(
        name=name, type=kind, is_required=is_required, has_default=has_default, allowed_values=values, length=length
    )
