"""What organizations share for a while, a connection or a warm process, carries nothing from one to the next."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import cycle, islice
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from tests.given import Databases
from tests.handlers.functions import superuser
from tests.isolation.proof.attack.attack import normal
from tests.isolation.proof.attack.calls import Call, find_working, request_of
from tests.isolation.proof.attack.gateway import Gateway
from tests.isolation.proof.discovery.tables import Table, discover_tables
from tests.isolation.proof.leaks.queues import organizations_in
from tests.isolation.proof.proof_data import Named, Neighbours
from tests.isolation.proof.report import Report
from tests.isolation.proof.sqs import PostOffice

TRANSACTIONS = 1_000
REQUESTS = 300
KEYS = ("secret key", "write key")

type Rows = Mapping[tuple[str, UUID], int]


class InterruptionError(Exception):
    """Something that goes wrong in the middle of a transaction."""


EXPECTED: dict[str, tuple[type[Exception], ...]] = {
    "reads": (),
    "fails": (psycopg.errors.UndefinedTable,),
    "is interrupted": (InterruptionError,),
}


def test_a_thousand_transactions_over_one_connection_see_each_their_own_rows(
    databases: Databases, neighbours: Neighbours, report: Report
) -> None:
    readable, expected = _expected(databases, neighbours)
    ids = [each.organization_id for each in neighbours.organizations]
    chance, kinds, pids = random.Random(20261124), Counter[str](), set()
    for number in range(TRANSACTIONS):
        organization_id, table = ids[number % len(ids)], readable[number % len(readable)]
        kind = chance.choice(("reads", "reads", "reads", "fails", "is interrupted", "has no tenant"))
        kinds[kind] += 1
        if kind == "has no tenant":
            with databases.functions.transaction() as conn:
                assert _seen(conn, table) == []
                pids.add(conn.info.backend_pid)
            continue
        with suppress(*EXPECTED[kind]), databases.functions.tenant_transaction(organization_id) as conn:
            assert _seen(conn, table) == [(organization_id, expected[table.name, organization_id])]
            _go_wrong(conn, kind)
    with databases.functions.transaction() as conn:
        assert conn.execute("SELECT current_setting('app.current_tenant', true)").fetchone() in {("",), (None,)}
        pids.add(conn.info.backend_pid)
    assert len(pids) == 1
    report.sections["transactions over one connection"] = {"transactions": TRANSACTIONS, **kinds, "wrong": 0}


def test_a_transaction_within_a_transaction_is_refused(databases: Databases) -> None:
    """A savepoint would hand its tenant to the transaction around it."""
    with (
        databases.functions.tenant_transaction(uuid4()),
        pytest.raises(RuntimeError, match="nest"),
        databases.functions.tenant_transaction(uuid4()),
    ):
        pass


def test_a_warm_process_answers_like_a_fresh_one(
    neighbours: Neighbours,
    new_gateway: Callable[[], Gateway],
    office: PostOffice,
    report: Report,
) -> None:
    """Each organization's fresh process has never served another; the warm one serves all of them in turns."""
    expected: dict[tuple[str, str], tuple[object, ...]] = {}
    for own in neighbours.organizations:
        fresh = new_gateway()
        calls = list(_calls(fresh, neighbours, own))
        expected |= {(own.name, call.name): _once(fresh, neighbours, office, call, kind, own) for call, kind in calls}
    warm = new_gateway()
    turns = [(call, kind, own) for call, kind in calls for own in neighbours.organizations]
    wrong = []
    for call, kind, own in islice(cycle(turns), REQUESTS):
        if _once(warm, neighbours, office, call, kind, own) != expected[own.name, call.name]:
            wrong.append(f"{own.name}'s {kind}, {call.name}")
    report.sections["requests to warm processes"] = {"requests": REQUESTS, "calls": len(calls), "wrong": wrong}
    assert wrong == []


def _calls(gateway: Gateway, neighbours: Neighbours, own: Named) -> Iterator[tuple[Call, str]]:
    """Return a call of each route that a key of *own* may use, with the sort of key."""
    keys = [neighbours.find(kind, own.organization_id) for kind in KEYS]
    for route in gateway.routes:
        if route.method != "OPTIONS" and (found := find_working(gateway, route, keys, own)):
            yield found[0], found[1].kind


def _once(
    gateway: Gateway, neighbours: Neighbours, office: PostOffice, call: Call, kind: str, own: Named
) -> tuple[object, ...]:
    """Return what a call comes to: the answer, and whose rows it leaves in the queues."""
    for url in office.queues:
        office.take_all(url)
    gateway.restore()
    answer = gateway(request_of(call, neighbours.find(kind, own.organization_id), own))
    left = [message for url in office.queues for message in office.take_all(url)]
    return answer.status, normal(answer.text, {}), organizations_in(left)


def _expected(databases: Databases, neighbours: Neighbours) -> tuple[list[Table], Rows]:
    """Return the tables that the functions' role reads, and how many rows each organization has there."""
    with superuser(databases) as conn:
        may = "SELECT has_table_privilege('tenancy_functions', %s, 'SELECT')"
        readable = [table for table in discover_tables(conn) if conn.execute(may, (table.name,)).fetchone() == (True,)]
        counts = {
            (table.name, organization_id): count for table in readable for organization_id, count in _seen(conn, table)
        }
    assert readable
    assert len(counts) == len(readable) * len(neighbours.organizations)
    return readable, counts


def _seen(conn: psycopg.Connection[Any], table: Table) -> list[tuple[Any, ...]]:
    """Return whose rows a statement without any condition finds, and how many."""
    statement = sql.SQL("SELECT {column}, count(*) FROM {table} GROUP BY 1 ORDER BY 1")
    names = {"column": sql.Identifier(table.tenant_column), "table": sql.Identifier(table.name)}
    return conn.execute(statement.format(**names)).fetchall()


def _go_wrong(conn: psycopg.Connection[Any], kind: str) -> None:
    if kind == "fails":
        conn.execute("SELECT * FROM nothing")
    if kind == "is interrupted":
        raise InterruptionError
