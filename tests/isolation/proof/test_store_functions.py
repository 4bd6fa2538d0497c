"""Policies alone and statements alone confine every store function to one organization."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tenancy.errors import Refusal
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.redis.client import Redis
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.isolation.proof.discovery.store_functions import (
    Arguments,
    StoreFunction,
    arguments_for,
    count_platform_functions,
    discover_store_functions,
    takes_first,
    uses_connection,
)
from tests.isolation.proof.discovery.tables import allowed_values_of, discover_tables, discover_tenant_columns
from tests.isolation.proof.leaks.snapshots import redis_keys, snapshot
from tests.isolation.proof.normalization import normalize
from tests.isolation.proof.proof_data import ProofData, ProofOrganization, unknown_organization
from tests.isolation.proof.report import ProofReport

FUNCTIONS = discover_store_functions()
POSTGRES_FUNCTIONS = [function for function in FUNCTIONS if takes_first(function, psycopg.Connection)]
CLICKHOUSE_FUNCTIONS = [function for function in FUNCTIONS if takes_first(function, TenantReader)]
REDIS_FUNCTIONS = [function for function in FUNCTIONS if takes_first(function, Redis)]

type NewArguments = Callable[[StoreFunction, ProofOrganization], Arguments]
type CallWithoutPolicies = Callable[[StoreFunction, Arguments], str]


class UnfilteredReader(TenantReader):
    """A tenant reader without its filter."""

    def _filters(self) -> str:
        return "{}"


@pytest.fixture
def new_arguments(databases: Databases) -> NewArguments:
    with superuser(databases) as conn:
        allowed_values = allowed_values_of(discover_tables(conn))

    def new(function: StoreFunction, own: ProofOrganization) -> Arguments:
        domain = own.custom_host if ".custom_domains." in function.name else own.domain
        return arguments_for(function, own.organization_id, own.row_ids, allowed_values, domain)

    return new


@pytest.fixture
def call_without_policies(databases: Databases, data: ProofData) -> Iterator[CallWithoutPolicies]:
    """Return how to call a function for the superuser, in a transaction that is rolled back.

    The call checks that rows of other organizations stay, and returns the result. All calls share a connection.
    """
    others = [own.organization_id for own in data.organizations[1:]]
    with superuser(databases) as conn:
        columns = discover_tenant_columns(conn)
        before = _row_digests(conn, columns, others)

        def call(function: StoreFunction, arguments: Arguments) -> str:
            positional, keywords = arguments
            with conn.transaction(force_rollback=True):
                result = _text_of(function.call(conn, *positional, **keywords))
                assert _row_digests(conn, columns, others) == before
            return result

        yield call


def test_store_functions_take_the_organization_id(report: ProofReport) -> None:
    functions = [function for function in FUNCTIONS if uses_connection(function)]

    report.sections["store functions"] = {
        "outside stores/*/platform": sorted(function.name for function in FUNCTIONS),
        "with a connection": len(functions) + len(CLICKHOUSE_FUNCTIONS),
        "in stores/*/platform": count_platform_functions(),
    }
    assert functions
    assert [function.name for function in functions if not function.takes_organization_id] == []


def test_policies_alone_confine_store_functions(
    databases: Databases, data: ProofData, new_arguments: NewArguments, subtests: pytest.Subtests
) -> None:
    acme, globex, _ = data.organizations
    before = snapshot(databases, globex.organization_id)

    for function in POSTGRES_FUNCTIONS:
        with subtests.test("arguments of globex find nothing in a transaction of acme", function=function.name):
            result = _call_in_transaction(databases, acme, function, new_arguments(function, globex))
            assert data.canaries.foreign_fields_in(result or "", acme.organization_id) == set()

    with subtests.test("the calls changed nothing of globex"):
        assert snapshot(databases, globex.organization_id) == before


def test_statements_alone_confine_store_functions(
    databases: Databases,
    data: ProofData,
    new_arguments: NewArguments,
    call_without_policies: CallWithoutPolicies,
    report: ProofReport,
    subtests: pytest.Subtests,
) -> None:
    acme = data.organizations[0]

    for function in POSTGRES_FUNCTIONS:
        with subtests.test("the result is the same without policies", function=function.name):
            arguments = new_arguments(function, acme)
            result = call_without_policies(function, arguments)
            assert data.canaries.foreign_fields_in(result, acme.organization_id) == set()
            assert _call_in_transaction(databases, acme, function, arguments) in {result, None}

    report.sections["store functions called without policies"] = [function.name for function in POSTGRES_FUNCTIONS]


def test_statements_alone_find_no_row_of_another(
    data: ProofData,
    new_arguments: NewArguments,
    call_without_policies: CallWithoutPolicies,
    subtests: pytest.Subtests,
) -> None:
    """A row of another organization is answered as one that does not exist, and stays as it is."""
    acme, globex, _ = data.organizations
    unknown = replace(unknown_organization(acme), organization_id=acme.organization_id)
    foreign = replace(globex, organization_id=acme.organization_id)

    for function in POSTGRES_FUNCTIONS:
        with subtests.test("ids of globex with the organization acme", function=function.name):
            found, missing = (
                _try(call_without_policies, function, new_arguments(function, own)) for own in (foreign, unknown)
            )
            assert found == missing


def test_clickhouse_statements_alone_confine_store_functions(
    databases: Databases, data: ProofData, subtests: pytest.Subtests
) -> None:
    assert CLICKHOUSE_FUNCTIONS
    for own in data.organizations:
        reader = TenantReader(databases.clickhouse, own.organization_id)
        unfiltered = UnfilteredReader(databases.clickhouse, own.organization_id)
        for function in CLICKHOUSE_FUNCTIONS:
            with subtests.test(function=function.name):
                positional, keywords = arguments_for(function, own.organization_id, own.row_ids, {})
                result = _text_of(function.call(reader, *positional, **keywords))
                assert _text_of(function.call(unfiltered, *positional, **keywords)) == result
                assert data.canaries.foreign_fields_in(result, own.organization_id) == set()


def test_counter_functions_touch_only_their_own_keys(
    databases: Databases, counters: Redis, data: ProofData, subtests: pytest.Subtests
) -> None:
    assert REDIS_FUNCTIONS
    own = data.organizations[0]
    before = redis_keys(databases)

    for function in REDIS_FUNCTIONS:
        with subtests.test(function=function.name):
            positional, keywords = arguments_for(function, own.organization_id, own.row_ids, {})
            function.call(counters, *positional, **keywords)

    touched = {key for key, value in redis_keys(databases).items() if before.get(key) != value}
    assert {key.partition("}")[0] for key in touched} == {f"{{{own.organization_id}"}


def _call_in_transaction(
    databases: Databases, tenant: ProofOrganization, function: StoreFunction, arguments: Arguments
) -> str | None:
    """Return the result for the functions' role, None if a right is missing or rows do not fit."""
    positional, keywords = arguments
    try:
        with databases.functions.tenant_transaction(tenant.organization_id) as conn:
            return _text_of(function.call(conn, *positional, **keywords))
    except (psycopg.Error, Refusal):
        return None


def _try(call: CallWithoutPolicies, function: StoreFunction, arguments: Arguments) -> str | None:
    """Return the result without ids and times, None if rows do not fit."""
    try:
        return normalize(call(function, arguments))
    except (psycopg.Error, Refusal):
        return None


def _row_digests(
    conn: psycopg.Connection[Any], columns: Mapping[str, str], organizations: list[UUID]
) -> dict[str, str]:
    """Return a digest of the rows of *organizations* in each table, in one statement: it runs for each function."""
    return dict(conn.execute(_digest_statement(tuple(columns.items())), {"owners": organizations}))


@cache
def _digest_statement(columns: tuple[tuple[str, str], ...]) -> bytes:
    digests = (
        f"SELECT '{table}', md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} AS t"
        f" WHERE {column} = ANY (%(owners)s)"
        for table, column in columns
    )
    return " UNION ALL ".join(digests).encode()


def _text_of(result: object) -> str:
    return repr(list(result) if isinstance(result, Iterator) else result)
