"""Reused connections and warm processes keep no trace of the organization before."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from psycopg import sql

from tenancy.rules.audit_record import AddressedRecord, AuditOutcome
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.isolation.proof.attack.calls import Call, find_successful_call, request_for
from tests.isolation.proof.attack.gateway import LocalGateway
from tests.isolation.proof.discovery.tables import Table, discover_tables
from tests.isolation.proof.leaks.queues import organizations_in
from tests.isolation.proof.normalization import normalize
from tests.isolation.proof.proof_data import ProofData, ProofOrganization
from tests.isolation.proof.report import ProofReport
from tests.isolation.proof.sqs import Message, SqsServer

TRANSACTIONS = 1_000
KEY_KINDS = ("secret key", "write key")
CURRENT_TENANT = "SELECT current_setting('app.current_tenant', true)"

type RowCounts = Mapping[tuple[str, UUID], int]  # by table and organization
type Outcome = tuple[int, str, list[str]]  # status, text, and the organizations of the rows in the queues


class InterruptionError(Exception):
    """Raised in the middle of a transaction."""


EXPECTED_ERRORS: dict[str, tuple[type[Exception], ...]] = {
    "commit": (),
    "failed statement": (psycopg.errors.UndefinedTable,),
    "exception": (InterruptionError,),
}
ENDINGS = (*["commit"] * 3, "failed statement", "exception", "no tenant")


def test_pooled_connection_shows_only_the_tenants_rows(
    databases: Databases, data: ProofData, report: ProofReport
) -> None:
    tables, row_counts = _readable_tables(databases, data)
    organization_ids = [own.organization_id for own in data.organizations]
    endings = random.Random(20261124).choices(ENDINGS, k=TRANSACTIONS)
    backend_pids = set()

    for number, ending in enumerate(endings):
        organization_id, table = organization_ids[number % len(organization_ids)], tables[number % len(tables)]
        if ending == "no tenant":
            with databases.functions.transaction() as conn:
                backend_pids.add(conn.info.backend_pid)
                assert _count_rows(conn, table) == []
        else:
            expected = [(organization_id, row_counts[table.name, organization_id])]
            with (
                suppress(*EXPECTED_ERRORS[ending]),
                databases.functions.tenant_transaction(organization_id) as conn,
            ):
                assert _count_rows(conn, table) == expected
                _end(conn, ending)

    with databases.functions.transaction() as conn:
        backend_pids.add(conn.info.backend_pid)
        assert conn.execute(CURRENT_TENANT).fetchone() in {("",), (None,)}
    assert len(backend_pids) == 1
    section = {"transactions": TRANSACTIONS, **Counter(endings), "with wrong rows": 0}
    report.sections["transactions on one connection"] = section


def test_nested_transaction_is_refused(databases: Databases) -> None:
    """A savepoint would leave its tenant to the transaction around it."""
    with (
        databases.functions.tenant_transaction(uuid4()),
        pytest.raises(RuntimeError, match="nest"),
        databases.functions.tenant_transaction(uuid4()),
    ):
        pass


def test_warm_process_answers_like_a_fresh_one(
    data: ProofData,
    new_gateway: Callable[[], LocalGateway],
    sqs: SqsServer,
    report: ProofReport,
) -> None:
    fresh: dict[tuple[str, str], Outcome] = {}
    for own in data.organizations:
        gateway = new_gateway()  # has served no other organization
        calls = list(_successful_calls(gateway, data, own))
        fresh |= {(own.name, call.name): _outcome(gateway, data, sqs, call, kind, own) for call, kind in calls}
    warm_gateway = new_gateway()
    turns = [(call, kind, own) for call, kind in calls for own in data.organizations]

    wrong = [
        f"{own.name}'s {kind}, {call.name}"
        for call, kind, own in turns
        if _outcome(warm_gateway, data, sqs, call, kind, own) != fresh[own.name, call.name]
    ]

    report.sections["requests to warm processes"] = {"requests": len(turns), "calls": len(calls), "wrong": wrong}
    assert wrong == []


def _successful_calls(gateway: LocalGateway, data: ProofData, own: ProofOrganization) -> Iterator[tuple[Call, str]]:
    """Return one call of each route that a key of *own* may use, with the kind of key."""
    keys = [data.credential(kind, own.organization_id) for kind in KEY_KINDS]
    for route in gateway.routes:
        if route.method != "OPTIONS" and (found := find_successful_call(gateway, route, keys, own)):
            yield found[0], found[1].kind


def _outcome(
    gateway: LocalGateway, data: ProofData, sqs: SqsServer, call: Call, kind: str, own: ProofOrganization
) -> Outcome:
    """Make *call* from restored rows and empty queues, and return its outcome."""
    for url in sqs.queue_urls:
        sqs.take_all(url)
    gateway.state.restore_rows()
    response = gateway.send(request_for(call, data.credential(kind, own.organization_id), own))
    messages = [message for url in sqs.queue_urls for message in sqs.take_all(url)]
    others = [message for message in messages if not _is_own_read(message, own)]
    return response.status, normalize(response.text), organizations_in(others)


def _is_own_read(message: Message, own: ProofOrganization) -> bool:
    """Tell whether *message* records a read by *own*.

    A process sends the read of a key once a minute.
    """
    if not message["body"].startswith("{"):
        return False
    addressed = msgspec.json.decode(message["body"], type=AddressedRecord)
    return addressed.organization_id == own.organization_id and addressed.record.outcome is AuditOutcome.DONE


def _readable_tables(databases: Databases, data: ProofData) -> tuple[list[Table], RowCounts]:
    """Return the tables that the functions' role can read, and the row counts of organizations."""
    with superuser(databases) as conn:
        is_readable = "SELECT has_table_privilege('tenancy_functions', %s, 'SELECT')"
        tables = [
            each for each in discover_tables(conn) if conn.execute(is_readable, (each.name,)).fetchone() == (True,)
        ]
        counts = {(table.name, owner): count for table in tables for owner, count in _count_rows(conn, table)}
    assert tables
    assert len(counts) == len(tables) * len(data.organizations)
    return tables, counts


def _count_rows(conn: psycopg.Connection[Any], table: Table) -> list[tuple[Any, ...]]:
    """Return the visible organizations with their row counts, without a condition."""
    statement = sql.SQL("SELECT {column}, count(*) FROM {table} GROUP BY 1 ORDER BY 1")
    names = {"column": sql.Identifier(table.tenant_column), "table": sql.Identifier(table.name)}
    return conn.execute(statement.format(**names)).fetchall()


def _end(conn: psycopg.Connection[Any], ending: str) -> None:
    if ending == "failed statement":
        conn.execute("SELECT * FROM missing_table")
    if ending == "exception":
        raise InterruptionError
