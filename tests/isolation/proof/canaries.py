"""A text of its own in every text field of every organization: wherever it turns up, it says whose it is."""

import hashlib
import re
from collections.abc import Iterator, Mapping
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
OTHER_DIGITS = str.maketrans("01", "gh")  # a subdomain's skeleton then shows its canary as it is
LATER = ("due_", "ends_", "expires_", "purge_")  # columns of a time until which nothing must happen
DAYS_LATER = 365


class UncoveredTableError(AssertionError):
    """The proof cannot make a row of a table, so it cannot watch it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a canary sits."""

    organization_id: UUID | None
    field: str


@dataclass(slots=True)
class Canaries:
    """Every canary that was let out; the same ones in every run."""

    places: dict[str, Place] = field(default_factory=dict)
    planted: set[str] = field(default_factory=set)
    barred: set[str] = field(default_factory=set)

    def new(self, organization_id: UUID | None, place: str) -> str:
        """Return a text that is a valid name, DNS label and JSON string; `claim` may say later whose it is."""
        digits = hashlib.sha256(str(len(self.places)).encode()).hexdigest()[:16].translate(OTHER_DIGITS)
        text = f"canary-{digits}"
        self.places[text] = Place(organization_id=organization_id, field=place)
        return text

    def claim(self, text: str, organization_id: UUID) -> None:
        self.places[text] = Place(organization_id=organization_id, field=self.places[text].field)

    def found_in(self, text: str) -> set[Place]:
        return {self.places[canary] for canary in CANARY.findall(text.lower()) if canary in self.places}

    def foreign_in(self, text: str, organization_id: UUID | None) -> set[str]:
        """Return the fields of other organizations that *text* shows."""
        return {place.field for place in self.found_in(text) if place.organization_id != organization_id}


def plant(databases: Databases, canaries: Canaries, organizations: Mapping[UUID, str]) -> None:
    """Give every organization a row in every table of every store, and a canary in every text field of its rows.

    Raises:
        UncoveredTableError: a table takes no row that its catalog entry suggests.
    """
    with superuser(databases) as conn:
        tables = discover_tables(conn)
        for organization_id in organizations:
            _fill(conn, tables, canaries, organization_id)
            for table in tables:
                _add_second(conn, table, canaries, organization_id)
            for table in tables:
                for column in table.columns:
                    if column.is_text:
                        _plant_column(conn, table, column, canaries, organization_id)
    for table in discover_clickhouse_tables(databases):
        for organization_id in organizations:
            _insert_into_clickhouse(databases, table, canaries, organization_id)


def _fill(conn: psycopg.Connection[Any], tables: list[Table], canaries: Canaries, organization_id: UUID) -> None:
    """Insert what is missing; a table may have to wait for the row that its own points at."""
    errors: dict[str, str] = {}
    for _ in tables:
        missing = [table for table in tables if not _count(conn, table, organization_id)]
        if not missing:
            return
        for table in missing:
            try:
                with conn.transaction():
                    _insert(conn, table, canaries, organization_id)
            except psycopg.Error as error:
                errors[table.name] = str(error).partition("\n")[0]
    raise UncoveredTableError(f"The proof can make no row of {errors}; see tests/isolation/proof/canaries.py.")


def _add_second(conn: psycopg.Connection[Any], table: Table, canaries: Canaries, organization_id: UUID) -> None:
    """Insert one more row, with every column if possible: lists then have a next page, and rows every state."""
    for is_whole in (True, False):
        with suppress(psycopg.Error), conn.transaction():
            _insert(conn, table, canaries, organization_id, row=2, is_whole=is_whole)
            return


def _insert(
    conn: psycopg.Connection[Any],
    table: Table,
    canaries: Canaries,
    organization_id: UUID,
    *,
    row: int = 1,
    is_whole: bool = False,
) -> None:
    values: dict[str, Any] = {
        column.name: _value(table, column, canaries, organization_id, row)
        for column in table.columns
        if not column.is_filled and (is_whole or column.is_required)
    }
    for other, here, there in table.foreign_keys:
        if set(here) <= set(values) and here != (table.tenant_column,):
            values.update(zip(here, _referenced(conn, other, there, organization_id), strict=True))
    values[table.tenant_column] = organization_id
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table.name),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.Placeholder() * len(values)),
    )
    conn.execute(statement, list(values.values()))


def _referenced(conn: psycopg.Connection[Any], table: str, columns: tuple[str, ...], organization_id: UUID) -> Any:  # noqa: ANN401
    tenant_column = "id" if table == "organizations" else "organization_id"
    statement = sql.SQL("SELECT {} FROM {} WHERE {} = %s LIMIT 1").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table), sql.Identifier(tenant_column)
    )
    row = conn.execute(statement, (organization_id,)).fetchone()
    if row is None:
        raise psycopg.errors.ForeignKeyViolation(f"{table} has no row yet")
    return row


def _value(  # noqa: PLR0911
    table: Table, column: Column, canaries: Canaries, organization_id: UUID, row: int
) -> Any:  # noqa: ANN401
    """Return what goes into a column that must have a value."""
    if column.choices:
        return column.choices[0]
    if column.is_text:
        return _text(column, canaries.new(organization_id, f"PostgreSQL {table.name}.{column.name}"))
    seed = f"{organization_id} {table.name} {column.name} {row}"
    match column.type:
        case "uuid":
            return UUID(bytes=hashlib.sha256(seed.encode()).digest()[:16])
        case "bytea":
            return hashlib.sha256(seed.encode()).digest()
        case "timestamp with time zone" | "timestamp without time zone" | "date":
            later = timedelta(days=DAYS_LATER if column.name.startswith(LATER) else 0)
            return datetime.now(UTC) + later
        case "boolean":
            return True
        case "inet" | "cidr":
            return "203.0.113.1"
        case kind if kind.endswith("[]"):
            return "{}"
        case "interval":
            return timedelta(days=1)
    return row if column.is_required else 1


def _text(column: Column, canary: str) -> object:
    return Jsonb({canary: canary}) if column.type in {"json", "jsonb"} else canary


def _count(conn: psycopg.Connection[Any], table: Table, organization_id: UUID) -> int:
    statement = sql.SQL("SELECT count(*) FROM {} WHERE {} = %s").format(
        sql.Identifier(table.name), sql.Identifier(table.tenant_column)
    )
    row = conn.execute(statement, (organization_id,)).fetchone()
    return int(row[0]) if row else 0


def _plant_column(
    conn: psycopg.Connection[Any], table: Table, column: Column, canaries: Canaries, organization_id: UUID
) -> None:
    """Put a canary into each row's *column*, as far as its constraints allow."""
    place = f"PostgreSQL {table.name}.{column.name}"
    name, field_name = sql.Identifier(table.name), sql.Identifier(column.name)
    of_tenant = sql.SQL("SELECT ctid FROM {} WHERE {} = %s").format(name, sql.Identifier(table.tenant_column))
    update = sql.SQL("UPDATE {} SET {} = %s WHERE ctid = %s").format(name, field_name)
    for (row,) in conn.execute(of_tenant, (organization_id,)).fetchall():
        try:
            with conn.transaction():
                conn.execute(update, (_text(column, canaries.new(organization_id, place)), row))
            canaries.planted.add(place)
        except psycopg.errors.GeneratedAlways:
            [(text,)] = conn.execute(sql.SQL("SELECT {} FROM {} WHERE ctid = %s").format(field_name, name), (row,))
            if CANARY.search(text):  # made from a column that has one
                canaries.planted.add(place)
        except psycopg.Error:
            canaries.barred.add(place)


def _insert_into_clickhouse(databases: Databases, table: Table, canaries: Canaries, organization_id: UUID) -> None:
    values = dict(_clickhouse_values(table, canaries, organization_id))
    names = ", ".join(f"`{name}`" for name in values)
    places = ", ".join(f"{{{name}:{kind}}}" for name, (kind, _) in values.items())
    databases.clickhouse.command(
        f"INSERT INTO `{table.name}` ({names}) VALUES ({places})",
        parameters={name: value for name, (_, value) in values.items()},
    )


def _clickhouse_values(
    table: Table, canaries: Canaries, organization_id: UUID
) -> Iterator[tuple[str, tuple[str, object]]]:
    for column in table.columns:
        if column.name == table.tenant_column:
            yield column.name, ("UUID", str(organization_id))
        elif column.is_text or column.is_texts:
            place = f"ClickHouse {table.name}.{column.name}"
            canaries.planted.add(place)
            canary = canaries.new(organization_id, place)
            yield column.name, (column.type, [canary]) if column.is_texts else ("String", canary)
        elif column.type.startswith("Date") and not column.is_filled:
            now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
            kind = column.type.partition("(")[0]
            yield column.name, (kind, now.date() if kind.startswith("Date") and "Time" not in kind else now)
