"""The primary answers if a real streaming replica is stopped, frozen or slow, or fails."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from scripts.stack import postgres
from tenancy.errors import UnavailableError
from tenancy.rules.replica_reads import ReplicaFault
from tenancy.stores.postgres import replica as replica_module
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.replica import Replica
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.replicas.read_nearest import NearestRead, read_nearest
from tests.free_ports import free_port
from tests.given import Databases
from tests.stores.nearest import NO_MARKS, Clock, fault_of, near, open_replica, reading, rename_app
from tests.streaming_replica import HOST, StreamingReplica

__all__ = ["near", "open_replica"]  # fixtures

REQUEST_SECONDS = 29.0


@pytest.fixture
def frozen_later() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def read_in_time[Found](
    near: Replica, databases: Databases, acme: Provisioned, use: Callable[[Homes], Found]
) -> NearestRead[Found]:
    """Read as a request does, from the replica or else the primary, within its time."""
    pool = ThreadPoolExecutor(1)
    read = pool.submit(read_nearest, databases.functions, near, acme.organization.id, use, NO_MARKS)
    pool.shutdown(wait=False)
    return read.result(timeout=REQUEST_SECONDS)


def test_stopped_replica_is_not_asked_for_a_while(
    near: Replica, replica: StreamingReplica, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = reading(acme.organization.id)
    near.read(read, NO_MARKS)
    replica.stop()
    try:
        first = fault_of(near, read)
        monkeypatch.setattr(replica_module, "make_conninfo", None)  # a connection would need it

        second = fault_of(near, read)
    finally:
        replica.start()
    monkeypatch.undo()
    near._paused_until = 0.0

    assert (first, second) == (ReplicaFault.UNREACHABLE, ReplicaFault.UNREACHABLE)
    assert near.read(read, NO_MARKS) != []


def test_replica_that_ends_during_a_read_is_unreachable(
    near: Replica, replica: StreamingReplica, acme: Provisioned
) -> None:
    def read_from_ended(db: Database) -> None:
        with db.tenant_transaction(acme.organization.id) as conn:
            replica.stop()
            conn.execute("SELECT name FROM apps")

    try:
        assert fault_of(near, read_from_ended) == ReplicaFault.UNREACHABLE
    finally:
        replica.start()


def test_frozen_replica_is_given_up_in_seconds(near: Replica, replica: StreamingReplica, acme: Provisioned) -> None:
    read = reading(acme.organization.id)
    near.read(read, NO_MARKS)
    with replica.frozen():
        began_at = time.monotonic()

        fault = fault_of(near, read)

        took = time.monotonic() - began_at
    assert fault == ReplicaFault.UNREACHABLE
    assert took < 20  # a request has 29 s. The state takes 2 s at most, and the next connection 2 s.


def test_primary_answers_if_the_replica_freezes_in_a_read(
    near: Replica,
    replica: StreamingReplica,
    databases: Databases,
    acme: Provisioned,
    frozen_later: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replica_module, "REPLICA_TRANSACTION_SECONDS", 1.0)

    def use(homes: Homes) -> object:
        with homes.tenant_transaction(acme.organization.id) as conn:
            if conn.info.port == replica.port:
                frozen_later.enter_context(replica.frozen())
            return conn.info.port, conn.execute("SELECT count(*) FROM apps").fetchone()

    done = read_in_time(near, databases, acme, use)

    assert done.fault == ReplicaFault.UNREACHABLE
    assert done.found == (databases.servers.postgres_port, (1,))


def test_primary_answers_if_the_replica_freezes_after_a_log_in(
    near: Replica,
    replica: StreamingReplica,
    databases: Databases,
    acme: Provisioned,
    frozen_later: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first statement of a connection asks for the rights of its role."""
    connect = psycopg.connect

    def connect_and_freeze(url: str, **settings: Any) -> Connection:  # noqa: ANN401 - those of psycopg
        conn = connect(url, **settings)
        if conn.info.port == replica.port:
            frozen_later.enter_context(replica.frozen())
        return conn

    monkeypatch.setattr(psycopg, "connect", connect_and_freeze)

    done = read_in_time(near, databases, acme, reading(acme.organization.id))

    assert done.fault == ReplicaFault.UNREACHABLE
    assert done.found == reading(acme.organization.id)(databases.functions)


def test_connection_cut_between_transactions_is_replaced(near: Replica, acme: Provisioned) -> None:
    """Another store may take long between two transactions of a read."""
    read = reading(acme.organization.id)

    def read_twice(db: Database) -> tuple[list[str], list[str]]:
        first = read(db)
        assert near._limit._socket is not None
        replica_module._cut(near._limit._socket)
        return first, read(db)

    first, second = near.read(read_twice, NO_MARKS)

    assert first == second != []


def test_unreachable_replica_is_retried_after_longer_pauses(
    acme: Provisioned, open_replica: Callable[[tuple[str, int]], Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere, tried = open_replica((HOST, free_port())), list[float]()
    clock = Clock()
    connect = psycopg.connect

    def connect_and_count(url: str, **settings: Any) -> Connection:  # noqa: ANN401 - those of psycopg
        tried.append(clock.awake)
        assert settings["connect_timeout"] == 2
        return connect(url, **settings)

    monkeypatch.setattr(psycopg, "connect", connect_and_count)
    monkeypatch.setattr(replica_module, "time", clock)

    faults = []
    for clock.awake in range(0, 1300, 10):
        faults.append(fault_of(nowhere, reading(acme.organization.id)))

    assert set(faults) == {ReplicaFault.UNREACHABLE}
    assert tried == [0, 30, 90, 210, 450, 750, 1050]  # one connection each


def test_pauses_are_short_again_after_an_answer(near: Replica, replica: StreamingReplica, acme: Provisioned) -> None:
    read = reading(acme.organization.id)
    near._pause_seconds = 300.0
    near.read(read, NO_MARKS)
    replica.stop()
    began_at = time.monotonic()
    try:
        fault_of(near, read)
    finally:
        replica.start()

    assert 25 < near._paused_until - began_at < 60


def test_slow_statement_is_cancelled(near: Replica, acme: Provisioned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica_module, "PREPARE", sql.SQL("SET statement_timeout = 100; SELECT false"))

    def sleep(db: Database) -> None:
        with db.tenant_transaction(acme.organization.id) as conn:
            conn.execute("SELECT pg_sleep(10)")

    assert fault_of(near, sleep) == ReplicaFault.CANCELLED
    assert fault_of(near, reading(acme.organization.id)) == ReplicaFault.CANCELLED  # not asked for a while


def test_conflict_with_recovery_is_a_fault_of_one_read(
    near: Replica, replica: StreamingReplica, databases: Databases, acme: Provisioned
) -> None:
    """The replica must remove rows that a snapshot still sees, so it cancels the query."""
    read = reading(acme.organization.id)
    with replica.connect(databases) as conn:
        conn.execute("ALTER SYSTEM SET max_standby_streaming_delay = '50ms'")
        conn.execute("SELECT pg_reload_conf()")

    def read_while_rows_end(db: Database) -> None:
        with db.tenant_transaction(acme.organization.id, is_snapshot=True) as conn:
            conn.execute("SELECT name FROM apps").fetchall()
            rename_app(databases, acme, "Renamed")
            with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as admin:
                admin.execute("VACUUM apps")
            conn.execute("SELECT pg_sleep(4)")

    try:
        fault = fault_of(near, read_while_rows_end)
    finally:
        with replica.connect(databases) as conn:
            conn.execute("ALTER SYSTEM RESET max_standby_streaming_delay")
            conn.execute("SELECT pg_reload_conf()")

    assert fault == ReplicaFault.CANCELLED
    replica.catch_up()
    assert near.read(read, NO_MARKS) == ["Renamed"]


def test_primary_answers_if_the_replica_lacks_a_migration(
    near: Replica, replica: StreamingReplica, databases: Databases, acme: Provisioned
) -> None:
    """A migration was just applied, and the replica has not replayed it."""

    def use(homes: Homes) -> object:
        with homes.tenant_transaction(acme.organization.id) as conn:
            return conn.execute("SELECT new_function()").fetchone()

    with replica.paused():
        with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as admin:
            admin.execute("CREATE FUNCTION new_function() RETURNS int LANGUAGE sql AS 'SELECT 7'")

        done = read_in_time(near, databases, acme, use)

    assert (done.found, done.fault) == ((7,), ReplicaFault.UNREACHABLE)


@pytest.mark.parametrize(
    ("statement", "fault", "is_paused"),
    [
        ("SELECT 'acme'::int", ReplicaFault.AWAITED, False),
        ("SELECT 1 / 0", ReplicaFault.AWAITED, False),
        ("SELECT nothing FROM nowhere", ReplicaFault.UNREACHABLE, True),
    ],
)
def test_primary_answers_after_any_error_of_the_replica(
    statement: str,
    fault: ReplicaFault,
    near: Replica,
    databases: Databases,
    acme: Provisioned,
    replica: StreamingReplica,
    *,
    is_paused: bool,
) -> None:
    """A replica with another schema, or with restored rows, has errors of its own."""

    def use(homes: Homes) -> object:
        with homes.tenant_transaction(acme.organization.id) as conn:
            return conn.execute((statement if conn.info.port == replica.port else "SELECT 7").encode()).fetchone()

    done = read_in_time(near, databases, acme, use)

    assert (done.found, done.fault) == ((7,), fault)
    assert (near._paused_until > time.monotonic()) == is_paused


def test_unreachable_primary_is_asked_once(
    replica: StreamingReplica, databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing is committed, the primary has to tell that the replica is not behind."""
    replica.catch_up()
    url = databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)
    nowhere = Database(lambda: make_conninfo(url, port=free_port()))
    monkeypatch.setattr("tenancy.rules.replica_reads.REPLICA_LAG_LIMIT", timedelta(0))
    near = Replica(lambda: url, replica.address, nowhere)

    with closing(near), pytest.raises(UnavailableError) as raised:
        near.read(reading(acme.organization.id), NO_MARKS)

    assert raised.value.__cause__ is None


def test_address_of_the_primary_in_the_url_is_ignored(
    replica: StreamingReplica, databases: Databases, acme: Provisioned
) -> None:
    url = databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)
    with_address = make_conninfo(url, hostaddr="127.0.0.2", target_session_attrs="read-write")
    replica.catch_up()

    with closing(Replica(lambda: with_address, replica.address, databases.functions)) as near:
        found = near.read(reading(acme.organization.id), NO_MARKS)

    assert found == reading(acme.organization.id)(databases.functions)


def test_failure_of_another_store_is_no_fault_of_the_replica(near: Replica) -> None:
    def fail(_db: Database) -> None:
        raise UnavailableError("ClickHouse is unreachable.")

    with pytest.raises(UnavailableError, match="ClickHouse"):
        near.read(fail, NO_MARKS)
