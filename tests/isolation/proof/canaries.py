"""Canaries: unique texts in every text field, which identify their owner everywhere."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.given import Databases
from tests.handlers.functions import superuser
from tests.isolation.proof.discovery.tables import Column, Table, discover_clickhouse_tables, discover_tables

CANARY = re.compile(r"canary-[2-9a-h]{16}")
UNAMBIGUOUS_DIGITS = str.maketrans("01", "gh")  # the skeleton of a subdomain has letters in their place
FUTURE_COLUMNS = ("due_", "ends_", "expires_", "purge_")  # nothing may become due during the proof
FUTURE = timedelta(days=365)


class UncoveredTableError(AssertionError):
    """No row can be inserted into a table, so the proof cannot search it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryLocation:
    """The field that holds a canary, and its organization."""

    organization_id: UUID | None
    field: str


@dataclass(slots=True)
class Canaries:
    """All canaries by their text, the same in every run.

    *planted_fields* hold a canary in at least one row.
    """

    locations: dict[str, CanaryLocation] = field(default_factory=dict)
    planted_fields: set[str] = field(default_factory=set)

    def create(self, organization_id: UUID | None, field_name: str) -> str:
        """Return a new canary that is valid as a name, a DNS label and a JSON string.

        `assign` can set its owner later.
        """
        digits = hashlib.sha256(str(len(self.locations)).encode()).hexdigest()[:16].translate(UNAMBIGUOUS_DIGITS)
        canary = f"canary-{digits}"
        self.locations[canary] = CanaryLocation(organization_id=organization_id, field=field_name)
        return canary

    def assign(self, canary: str, organization_id: UUID) -> None:
        """Set the owner of *canary*."""
        location = CanaryLocation(organization_id=organization_id, field=self.locations[canary].field)
        self.locations[canary] = location

    def locations_in(self, text: str) -> set[CanaryLocation]:
        """Return the locations of the canaries in *text*."""
        return {self.locations[canary] for canary in CANARY.findall(text.lower()) if canary in self.locations}

    def foreign_fields_in(self, text: str, organization_id: UUID | None) -> set[str]:
        """Return the fields of other organizations whose canaries are in *text*."""
        return {each.field for each in self.locations_in(text) if each.organization_id != organization_id}


def plant_canaries(databases: Databases, canaries: Canaries, organization_ids: list[UUID]) -> None:
    """Give every organization rows in every table, with a canary in each text field.

    Raises:
        UncoveredTableError: no row that is made from a table's columns and constraints can be inserted into it.
    """
    with superuser(databases) as conn:
        tables = discover_tables(conn)
        for organization_id in organization_ids:
            planting = _Planting(conn, tables, canaries, organization_id)
            planting.insert_first_rows()
            planting.insert_second_rows()
            planting.fill_text_columns()
    for table in discover_clickhouse_tables(databases):
        for organization_id in organization_ids:
            _insert_into_clickhouse(databases, table, canaries, organization_id)


class _Planting:
    """The rows of one organization in PostgreSQL. Each statement is a transaction of its own."""

    def __init__(
        self, conn: psycopg.Connection[Any], tables: list[Table], canaries: Canaries, organization_id: UUID
    ) -> None:
        self._conn = conn
        self._tables = tables
        self._canaries = canaries
        self._organization_id = organization_id

    def insert_first_rows(self) -> None:
        """Insert a row into each empty table, again where a foreign key needs another row first."""
        errors: dict[str, str] = {}
        for _ in self._tables:
            empty = [table for table in self._tables if not self._count(table)]
            if not empty:
                return
            for table in empty:
                for with_optional in (False, True):  # a constraint may need optional columns
                    try:
                        self._insert(table, row=1, with_optional=with_optional)
                        break
                    except psycopg.Error as error:
                        errors[table.name] = str(error).partition("\n")[0]
        raise UncoveredTableError(f"Rows cannot be inserted, change {__file__}: {errors}")

    def insert_second_rows(self) -> None:
        """Insert another row where that is possible, so that lists have a second page.

        Prefer one with all columns.
        """
        for table in self._tables:
            for with_optional in (True, False):
                with suppress(psycopg.Error):
                    self._insert(table, row=2, with_optional=with_optional)
                    break

    def fill_text_columns(self) -> None:
        """Put a canary into each text column of each row."""
        for table in self._tables:
            for column in table.columns:
                if column.is_text and column.length is None:
                    self._fill_column(table, column)

    def _insert(self, table: Table, *, row: int, with_optional: bool) -> None:
        values: dict[str, Any] = {
            column.name: self._value(table, column, row)
            for column in table.columns
            if not column.has_default and (with_optional or column.is_required)
        }
        for other, here, there in table.foreign_keys:
            if set(here) <= set(values) and here != (table.tenant_column,):
                values.update(zip(here, self._referenced(other, there), strict=True))
        values[table.tenant_column] = self._organization_id
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table.name),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        )
        self._conn.execute(statement, list(values.values()))

    def _referenced(self, table: str, columns: tuple[str, ...]) -> tuple[Any, ...]:
        """Return the *columns* of a row of *table* that a foreign key can reference."""
        tenant_column = "id" if table == "organizations" else "organization_id"
        statement = sql.SQL("SELECT {} FROM {} WHERE {} = %s LIMIT 1").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table), sql.Identifier(tenant_column)
        )
        row: tuple[Any, ...] | None = self._conn.execute(statement, (self._organization_id,)).fetchone()
        if row is None:
            raise psycopg.errors.ForeignKeyViolation(f"{table} has no row yet")
        return row

    def _value(self, table: Table, column: Column, row: int) -> Any:  # noqa: ANN401
        """Return a valid value for *column*."""
        if column.allowed_values:
            return column.allowed_values[0]
        if column.is_text:
            return _text_value(column, self._canaries.create(self._organization_id, _field_name(table, column)))
        unique = hashlib.sha256(f"{self._organization_id} {table.name} {column.name} {row}".encode()).digest()
        values = {
            "uuid": UUID(bytes=unique[:16]),
            "bytea": unique,
            **dict.fromkeys(("timestamp with time zone", "timestamp without time zone", "date"), _time(column)),
            "boolean": True,
            **dict.fromkeys(("inet", "cidr"), "203.0.113.1"),
            "interval": timedelta(days=1),
        }
        number = row if column.is_required else 1
        return "{}" if column.type.endswith("[]") else values.get(column.type, number)

    def _count(self, table: Table) -> int:
        statement = sql.SQL("SELECT count(*) FROM {} WHERE {} = %s").format(
            sql.Identifier(table.name), sql.Identifier(table.tenant_column)
        )
        [(count,)] = self._conn.execute(statement, (self._organization_id,)).fetchall()
        return int(count)

    def _fill_column(self, table: Table, column: Column) -> None:
        """Put a canary into *column* of each row, unless a constraint refuses it."""
        field_name = _field_name(table, column)
        names = {
            "table": sql.Identifier(table.name),
            "tenant_column": sql.Identifier(table.tenant_column),
            "column": sql.Identifier(column.name),
        }
        list_rows = sql.SQL("SELECT ctid FROM {table} WHERE {tenant_column} = %s").format(**names)
        update = sql.SQL("UPDATE {table} SET {column} = %s WHERE ctid = %s").format(**names)
        read = sql.SQL("SELECT {column} FROM {table} WHERE ctid = %s").format(**names)
        for (row,) in self._conn.execute(list_rows, (self._organization_id,)).fetchall():
            canary = self._canaries.create(self._organization_id, field_name)
            try:
                self._conn.execute(update, (_text_value(column, canary), row))
                self._canaries.planted_fields.add(field_name)
            except psycopg.errors.GeneratedAlways:
                [(text,)] = self._conn.execute(read, (row,))
                if CANARY.search(text):  # generated from a column with a canary
                    self._canaries.planted_fields.add(field_name)
            except psycopg.Error:
                continue  # a constraint refuses the canary


def _field_name(table: Table, column: Column) -> str:
    return f"PostgreSQL {table.name}.{column.name}"


def _text_value(column: Column, canary: str) -> object:
    return Jsonb({canary: canary}) if column.type in {"json", "jsonb"} else canary[: column.length]


def _time(column: Column) -> datetime:
    return datetime.now(UTC) + (FUTURE if column.name.startswith(FUTURE_COLUMNS) else timedelta(0))


def _insert_into_clickhouse(databases: Databases, table: Table, canaries: Canaries, organization_id: UUID) -> None:
    values = dict(_clickhouse_values(table, canaries, organization_id))
    names = ", ".join(f"`{name}`" for name in values)
    parameters = ", ".join(f"{{{name}:{kind}}}" for name, (kind, _) in values.items())
    databases.clickhouse.command(
        f"INSERT INTO `{table.name}` ({names}) VALUES ({parameters})",
        parameters={name: value for name, (_, value) in values.items()},
    )


def _clickhouse_values(
    table: Table, canaries: Canaries, organization_id: UUID
) -> Iterator[tuple[str, tuple[str, object]]]:
    """Return the type and value of each column that gets one, by name."""
    for column in table.columns:
        if column.name == table.tenant_column:
            yield column.name, ("UUID", str(organization_id))
        elif column.is_text or column.is_text_array:
            field_name = f"ClickHouse {table.name}.{column.name}"
            canaries.planted_fields.add(field_name)
            canary = canaries.create(organization_id, field_name)
            yield column.name, (column.type, [canary]) if column.is_text_array else ("String", canary)
        elif column.type.startswith("Date") and not column.has_default:
            now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
            kind = column.type.partition("(")[0]
            yield column.name, (kind, now if "Time" in kind else now.date())
