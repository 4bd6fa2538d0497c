"""The tables that move with an organization, found in the catalogue of PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from types import MappingProxyType
from typing import Final
from uuid import UUID

from psycopg import sql

from scripts.move.databases import Connection

# Each has an organization_id, and stays where it is.
STAYING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "moved_organizations": "says of its own database which organizations it does not have",
        "organization_homes": "the directory, in the catalogue",
        "catalogue_entries": "values that are unique among all databases, in the catalogue",
        "provisioning_requests": "claimed in the catalogue before an organization has a home",
    }
)
# Tables whose rows belong to an organization, the column that names it, and all columns with their types.
LIST_TABLES: Final = """
    SELECT c.relname, a.attname, (
        SELECT string_agg(quote_ident(b.attname) || ' ' || format_type(b.atttypid, b.atttypmod), ', ' ORDER BY b.attnum)
        FROM pg_attribute AS b WHERE b.attrelid = c.oid AND b.attnum > 0 AND NOT b.attisdropped
    )
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT a.attisdropped
      AND a.attname = CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'organization_id' END
      AND NOT c.relname = ANY (%s)
    ORDER BY c.relname
"""
LIST_FOREIGN_KEYS: Final = """
    SELECT r.relname, f.relname FROM pg_constraint AS k
    JOIN pg_class AS r ON r.oid = k.conrelid JOIN pg_class AS f ON f.oid = k.confrelid
    WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace AND k.conrelid <> k.confrelid
"""
# A publication with a row filter needs the organization in the replica identity of its table. Otherwise PostgreSQL
# refuses each UPDATE and DELETE of the table, those of other organizations as well.
LIST_UNIDENTIFIED: Final = """
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (%s) AND c.relreplident <> 'f' AND NOT EXISTS (
        SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = c.oid
          AND a.attname = CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'organization_id' END
          AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident)
    )
    ORDER BY c.relname
"""
LIST_SEQUENCES: Final = """
    SELECT c.relname, a.attname, s.relname FROM pg_depend AS d
    JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_class AS c ON c.oid = d.refobjid JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND c.relname = ANY (%s)
      AND c.relnamespace = 'public'::regnamespace
"""
HAS_ROW: Final = sql.SQL("SELECT EXISTS (SELECT FROM {table} WHERE {column} = %s)")
# A bounded number of rows, so that no transaction on a busy database is long.
DELETE_BATCH: Final = sql.SQL(
    "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {column} = %s LIMIT 10000))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with rows of organizations. *column* names the organization. *definition* has its columns and types."""

    name: str
    column: str
    definition: str

    def format(self, statement: sql.SQL) -> sql.Composed:
        """Return *statement* for this table."""
        return statement.format(table=sql.Identifier(self.name), column=sql.Identifier(self.column))


def list_tables(conn: Connection) -> list[Table]:
    """Return the tables that move, each before the tables that its foreign keys reference."""
    rows = conn.execute(LIST_TABLES, (list(STAYING),)).fetchall()
    tables = {name: Table(name=name, column=column, definition=definition) for name, column, definition in rows}
    order = TopologicalSorter[str](dict.fromkeys(tables, ()))
    for referencing, referenced in conn.execute(LIST_FOREIGN_KEYS).fetchall():
        if {referencing, referenced} <= tables.keys():
            order.add(referenced, referencing)
    return [tables[name] for name in order.static_order()]


def list_unidentified(conn: Connection, tables: Sequence[Table]) -> list[str]:
    """Return the tables whose replica identity lacks the organization."""
    return [name for (name,) in conn.execute(LIST_UNIDENTIFIED, ([table.name for table in tables],)).fetchall()]


def list_sequences(conn: Connection, tables: Sequence[Table]) -> list[tuple[str, str, str]]:
    """Return table, column and sequence of each column of *tables* whose values a sequence makes."""
    rows = conn.execute(LIST_SEQUENCES, ([table.name for table in tables],)).fetchall()
    return [(str(table), str(column), str(sequence)) for table, column, sequence in rows]


def list_filled(conn: Connection, tables: Sequence[Table], organization_id: UUID) -> list[str]:
    """Return the tables that have a row of the organization."""
    return [
        table.name for table in tables if conn.execute(table.format(HAS_ROW), (organization_id,)).fetchone() == (True,)
    ]


def delete_rows(conn: Connection, tables: Sequence[Table], organization_id: UUID) -> int:
    """Delete all rows of the organization, and return their number. Idempotent."""
    deleted = 0
    for table in tables:
        statement = table.format(DELETE_BATCH)
        while batch := conn.execute(statement, (organization_id,)).rowcount:
            deleted += batch
    return deleted
