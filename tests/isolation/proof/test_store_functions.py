"""Every store function keeps to the organization that it is given: it does not trust the policies, nor they it."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from tenancy.errors import Refusal
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.redis.client import Redis
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.isolation.proof.discovery.store_functions import (
    StoreFunction,
    arguments,
    count_platform_functions,
    discover_functions,
    starts_with,
    touches_rows,
)
from tests.isolation.proof.discovery.tables import (
    choices_of,
    discover_clickhouse_tables,
    discover_tables,
    redis_keys,
    snapshot,
)
from tests.isolation.proof.proof_data import Neighbours
from tests.isolation.proof.report import Report

FUNCTIONS = discover_functions()


FORGETFUL = (
    "SELECT DISTINCT organization_id, {{organization_id:UUID}} FROM {table}",
    "SELECT DISTINCT t.organization_id, {{organization_id:UUID}} FROM (SELECT * FROM {table}) AS t",
    "SELECT DISTINCT b.organization_id, {{organization_id:UUID}} FROM system.one AS a CROSS JOIN {table} AS b",
)

type Values = tuple[list[Any], dict[str, Any]]


class Unfiltered(TenantReader):
    """A reader whose filter was forgotten."""

    def _filters(self) -> str:
        return "{}"


def test_a_store_function_that_touches_rows_takes_the_organization_right_after_the_connection(report: Report) -> None:
    touching = [function for function in FUNCTIONS if touches_rows(function)]
    assert touching
    report.sections["store functions"] = {
        "outside stores/platform": sorted(function.name for function in FUNCTIONS),
        "that touch rows": len(touching)
        + len([function for function in FUNCTIONS if starts_with(function, TenantReader)]),
        "in stores/platform": count_platform_functions(),
    }
    assert [function.name for function in touching if not function.is_tenants] == []


def test_a_store_function_keeps_to_the_organization_by_the_policies_alone_and_by_its_statement_alone(
    databases: Databases, neighbours: Neighbours, report: Report, subtests: pytest.Subtests
) -> None:
    acme, globex, _ = neighbours.organizations
    with superuser(databases) as conn:
        choices = choices_of(discover_tables(conn))
    before = snapshot(databases, globex.organization_id)
    for function in _of_postgres():
        with subtests.test("in another's transaction it finds nothing", function=function.name):
            values = arguments(function, globex.organization_id, globex.rows, choices)
            seen = _in_transaction_of(databases, acme.organization_id, function, values)
            assert neighbours.canaries.foreign_in(seen or "", acme.organization_id) == set()
    with subtests.test("in another's transaction it changes nothing"):
        assert snapshot(databases, globex.organization_id) == before
    for function in _of_postgres():
        with subtests.test("where no policy binds it, it answers the same", function=function.name):
            values = arguments(function, acme.organization_id, acme.rows, choices)
            seen = _without_policies(databases, neighbours, function, values)
            assert neighbours.canaries.foreign_in(seen, acme.organization_id) == set()
            assert _in_transaction_of(databases, acme.organization_id, function, values) in {seen, None}
    report.sections["store functions' statements"] = [function.name for function in _of_postgres()]


def test_a_reader_keeps_to_the_organization_by_its_filter_alone_and_by_the_statement_alone(
    databases: Databases, neighbours: Neighbours, subtests: pytest.Subtests
) -> None:
    functions = [function for function in FUNCTIONS if starts_with(function, TenantReader)]
    assert functions
    for own in neighbours.organizations:
        reader = TenantReader(databases.clickhouse, own.organization_id)
        careless = Unfiltered(databases.clickhouse, own.organization_id)
        for function in functions:
            with subtests.test("the statement alone", function=function.name):
                positional, keywords = arguments(function, own.organization_id, own.rows, {})
                seen = _shown(function.call(reader, *positional, **keywords))
                assert _shown(function.call(careless, *positional, **keywords)) == seen
                assert neighbours.canaries.foreign_in(seen, own.organization_id) == set()
        for table in discover_clickhouse_tables(databases):
            with subtests.test("the filter alone", table=table.name):
                for forgetful in FORGETFUL:
                    rows = reader.query(forgetful.format(table=table.name))
                    assert {row[0] for row in rows} == {own.organization_id}, forgetful
            with subtests.test("a reader only reads", table=table.name), pytest.raises(ClickHouseError):
                reader.query(f"INSERT INTO {table.name} (organization_id) SELECT {{organization_id:UUID}}")


def test_a_function_of_counters_touches_the_keys_of_its_organization_alone(
    databases: Databases, counters: Redis, neighbours: Neighbours, subtests: pytest.Subtests
) -> None:
    functions = [function for function in FUNCTIONS if starts_with(function, Redis)]
    assert functions
    own = neighbours.organizations[0]
    before = redis_keys(databases)
    for function in functions:
        with subtests.test("of its own", function=function.name):
            positional, keywords = arguments(function, own.organization_id, own.rows, {})
            function.call(counters, *positional, **keywords)
    touched = {key for key, held in redis_keys(databases).items() if before.get(key) != held}
    assert touched
    assert {key.partition("}")[0] for key in touched} == {f"{{{own.organization_id}"}


def _of_postgres() -> Iterator[StoreFunction]:
    return (function for function in FUNCTIONS if starts_with(function, psycopg.Connection))


def _in_transaction_of(
    databases: Databases, organization_id: UUID, function: StoreFunction, values: Values
) -> str | None:
    """Return what *function* answers the functions' role; None where that role may not, or the rows do not fit."""
    try:
        with databases.functions.tenant_transaction(organization_id) as conn:
            return _shown(function.call(conn, *values[0], **values[1]))
    except (psycopg.Error, Refusal):
        return None


def _without_policies(databases: Databases, neighbours: Neighbours, function: StoreFunction, values: Values) -> str:
    """Return what *function* answers the superuser about the first organization, whose rows alone it may change."""
    others = [each.organization_id for each in neighbours.organizations[1:]]
    with superuser(databases) as conn, conn.transaction(force_rollback=True):
        before = [_rows(conn, other) for other in others]
        seen = _shown(function.call(conn, *values[0], **values[1]))
        assert [_rows(conn, other) for other in others] == before
    return seen


def _rows(conn: psycopg.Connection[Any], organization_id: UUID) -> dict[str, frozenset[str]]:
    return {
        table.name: frozenset(
            digest
            for (digest,) in conn.execute(
                f"SELECT md5(t::text) FROM {table.name} AS t WHERE {table.tenant_column} = %s", (organization_id,)
            )
        )
        for table in discover_tables(conn)
    }


def _shown(result: object) -> str:
    return repr(list(result) if isinstance(result, Iterator) else result)
