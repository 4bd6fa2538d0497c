"""Reads from a real streaming replica: lag, own writes, faults, and never a write."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from scripts.stack import postgres
from tenancy.errors import UnavailableError
from tenancy.rules.durations import REPLICA_LAG_LIMIT
from tenancy.rules.replica_reads import ReplicaFault, WriteMark
from tenancy.stores.postgres import replica as replica_module
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.replica import Replica, ReplicaError, find_position
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.replicas.read_nearest import NearestRead, read_nearest
from tests.fast_servers import fast_folder
from tests.free_ports import free_port
from tests.given import Databases
from tests.streaming_replica import HOST, StreamingReplica, streaming_replica

RENAME = "UPDATE apps SET name = %s WHERE organization_id = %s"
STAND_IN = """
    CREATE FUNCTION aurora_db_instance_identifier() RETURNS text LANGUAGE sql AS $$ SELECT 'instance-2' $$;
    CREATE FUNCTION aurora_replica_status(OUT server_id text, OUT session_id text, OUT replica_lag_in_msec float8)
        RETURNS SETOF record LANGUAGE sql
        AS $$ VALUES ('instance-1', 'another', 1.0::float8), ('instance-2', '{}', {}::float8) $$;
"""
REQUEST_SECONDS = 29.0
REFUSED_WRITES = psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege
NO_MARKS: Sequence[WriteMark | None] = ()


@pytest.fixture
def open_replica(databases: Databases) -> Iterator[Callable[[tuple[str, int]], Replica]]:
    url = databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)
    opened: list[Replica] = []

    def enter(address: tuple[str, int]) -> Replica:
        opened.append(Replica(lambda: url, address, databases.functions))
        return opened[-1]

    yield enter
    for each in opened:
        each.close()


@pytest.fixture
def near(replica: StreamingReplica, acme: Provisioned, open_replica: Callable[[tuple[str, int]], Replica]) -> Replica:
    """A client of the replica, which has acme."""
    assert acme.organization.subdomain == "acme"
    replica.catch_up()
    return open_replica(replica.address)


@pytest.fixture
def frozen_later() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def reading(organization_id: UUID) -> Callable[[Homes], list[str]]:
    def read(db: Homes) -> list[str]:
        with db.tenant_transaction(organization_id) as conn:
            return [name for (name,) in conn.execute("SELECT name FROM apps").fetchall()]

    return read


def rename_app(databases: Databases, acme: Provisioned, name: str) -> WriteMark:
    """Change a row and return the mark of the write."""
    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        conn.execute(RENAME, (name, acme.organization.id))
    return WriteMark(written_at=datetime.now(UTC), position=find_position(databases.functions))


def read_in_time[Found](
    near: Replica, databases: Databases, acme: Provisioned, use: Callable[[Homes], Found]
) -> NearestRead[Found]:
    """Read from the replica or else from the primary, as a request does, within the time of a request."""
    pool = ThreadPoolExecutor(1)
    read = pool.submit(read_nearest, databases.functions, near, acme.organization.id, use, NO_MARKS)
    pool.shutdown(wait=False)
    return read.result(timeout=REQUEST_SECONDS)


def stand_in_for_aurora(databases: Databases, session: str, lag_ms: float | None) -> None:
    """Make functions with the documented names and columns of those of Aurora, which no test runs on."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as admin:
        admin.execute(STAND_IN.format(session, "NULL" if lag_ms is None else lag_ms).encode())


def fault_of(near: Replica, use: Callable[[Database], object], marks: Sequence[WriteMark | None] = NO_MARKS) -> str:
    with pytest.raises(ReplicaError) as raised:
        near.read(use, marks)
    return raised.value.fault


def test_replica_answers_a_read(
    near: Replica, replica: StreamingReplica, databases: Databases, acme: Provisioned
) -> None:
    def find_port(db: Database) -> object:
        with db.tenant_transaction(acme.organization.id) as conn:
            return conn.info.port, conn.execute("SELECT pg_is_in_recovery(), current_user").fetchone()

    assert near.read(find_port, NO_MARKS) == (replica.port, (True, "tenancy_functions"))
    assert near.read(reading(acme.organization.id), NO_MARKS) == reading(acme.organization.id)(databases.functions)


def test_own_write_is_awaited_only_with_its_mark(
    near: Replica, replica: StreamingReplica, databases: Databases, acme: Provisioned
) -> None:
    read = reading(acme.organization.id)
    before = near.read(read, NO_MARKS)
    with replica.paused():
        mark = rename_app(databases, acme, "Renamed")

        stale, fault = near.read(read, NO_MARKS), fault_of(near, read, [mark])

    assert stale == before
    assert fault == ReplicaFault.AWAITED
    assert near.read(read, [mark]) == ["Renamed"]


def test_snapshot_waits_for_an_own_write_too(
    near: Replica, replica: StreamingReplica, databases: Databases, acme: Provisioned
) -> None:
    def read(db: Database) -> object:
        with db.tenant_transaction(acme.organization.id, is_snapshot=True) as conn:
            return conn.execute("SELECT name FROM apps").fetchone()

    with replica.paused():
        mark = rename_app(databases, acme, "Renamed")
        fault = fault_of(near, read, [mark])

    assert fault == ReplicaFault.AWAITED
    assert near.read(read, [mark]) == ("Renamed",)


def test_mark_of_a_time_is_awaited_until_the_limit(near: Replica, acme: Provisioned) -> None:
    read, now = reading(acme.organization.id), datetime.now(UTC)
    recent, old = (WriteMark(written_at=now - REPLICA_LAG_LIMIT + timedelta(seconds=each)) for each in (1, -2))

    assert fault_of(near, read, [old, recent]) == ReplicaFault.AWAITED
    assert near.read(read, [old]) != []


def test_unreadable_mark_costs_the_replica(near: Replica, acme: Provisioned) -> None:
    assert fault_of(near, reading(acme.organization.id), [None]) == ReplicaFault.AWAITED


def test_replica_beyond_the_limit_answers_nothing(
    near: Replica, replica: StreamingReplica, databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = timedelta(seconds=0.5)
    monkeypatch.setattr("tenancy.rules.replica_reads.REPLICA_LAG_LIMIT", limit)
    monkeypatch.setattr(replica_module, "REPLICA_LAG_LIMIT", limit)
    read = reading(acme.organization.id)
    with replica.paused():
        rename_app(databases, acme, "Renamed")
        time.sleep(1.5 * limit.total_seconds())

        fault = fault_of(near, read)

    assert fault == ReplicaFault.LAG
    assert near.read(read, NO_MARKS) == ["Renamed"]


def test_replica_of_an_idle_primary_answers(
    near: Replica, databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    look_up = databases.functions.look_up
    monkeypatch.setattr("tenancy.rules.replica_reads.REPLICA_LAG_LIMIT", timedelta(0))

    def ask(read: Callable[[Connection], object]) -> object:
        asked.append(read)
        return look_up(read)

    monkeypatch.setattr(databases.functions, "look_up", ask)

    found = [near.read(reading(acme.organization.id), NO_MARKS) for _ in range(3)]

    assert found == [reading(acme.organization.id)(databases.functions)] * 3
    assert len(asked) == 1  # once in REPLICA_LAG_LIMIT


def test_delayed_replica_answers_nothing(
    near: Replica, replica: StreamingReplica, databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = timedelta(seconds=0.5)
    monkeypatch.setattr("tenancy.rules.replica_reads.REPLICA_LAG_LIMIT", limit)
    monkeypatch.setattr(replica_module, "REPLICA_LAG_LIMIT", limit)
    with replica.connect(databases) as conn:
        conn.execute("ALTER SYSTEM SET recovery_min_apply_delay = '1h'")
        conn.execute("SELECT pg_reload_conf()")
        try:
            rename_app(databases, acme, "Renamed")
            time.sleep(1.5 * limit.total_seconds())

            fault = fault_of(near, reading(acme.organization.id))
        finally:
            conn.execute("ALTER SYSTEM RESET recovery_min_apply_delay")
            conn.execute("SELECT pg_reload_conf()")

    assert fault == ReplicaFault.LAG


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
    assert took < 20  # of the 29 s of a request: 2 s for the state, and a connection of 3 s


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
    """The first statement of a connection is that which asks for the powers of its role."""
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


def test_replica_that_is_nowhere_costs_one_connection(
    acme: Provisioned, open_replica: Callable[[tuple[str, int]], Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere, tried = open_replica((HOST, free_port())), list[str]()
    connect = psycopg.connect

    def connect_and_count(url: str, **settings: Any) -> Connection:  # noqa: ANN401 - those of psycopg
        tried.append(url)
        return connect(url, **settings)

    monkeypatch.setattr(psycopg, "connect", connect_and_count)

    faults = [fault_of(nowhere, reading(acme.organization.id)) for _ in range(2)]

    assert faults == [ReplicaFault.UNREACHABLE] * 2
    assert len(tried) == 1


def test_slow_statement_is_cancelled(near: Replica, acme: Provisioned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica_module, "PREPARE", sql.SQL("SET statement_timeout = 100; SELECT false"))

    def sleep(db: Database) -> None:
        with db.tenant_transaction(acme.organization.id) as conn:
            conn.execute("SELECT pg_sleep(10)")

    assert fault_of(near, sleep) == ReplicaFault.CANCELLED
    assert fault_of(near, reading(acme.organization.id)) == ReplicaFault.UNREACHABLE  # not asked for a while


def test_conflict_with_recovery_is_a_fault_of_one_read(
    near: Replica, replica: StreamingReplica, databases: Databases, acme: Provisioned
) -> None:
    """The replica has to remove rows that a snapshot still sees. Then it cancels the query of the snapshot."""
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


def test_primary_answers_what_the_replica_does_not_have(
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


def test_failure_of_another_store_is_no_fault_of_the_replica(near: Replica) -> None:
    def fail(_db: Database) -> None:
        raise UnavailableError("ClickHouse is unreachable.")

    with pytest.raises(UnavailableError, match="ClickHouse"):
        near.read(fail, NO_MARKS)


@pytest.mark.parametrize("is_of_primary", [False, True])
def test_no_write_runs_where_reads_run(
    near: Replica,
    databases: Databases,
    acme: Provisioned,
    open_replica: Callable[[tuple[str, int]], Replica],
    *,
    is_of_primary: bool,
) -> None:
    """Also at an address of a primary: the endpoint of readers of Aurora leads there if the cluster has no reader."""
    chosen = near
    if is_of_primary:
        stand_in_for_aurora(databases, "MASTER_SESSION_ID", None)
        chosen = open_replica((HOST, databases.servers.postgres_port))

    def write(db: Database) -> None:
        with db.tenant_transaction(acme.organization.id) as conn:
            conn.execute("DELETE FROM usage_reservations")

    def count(db: Database) -> None:
        with db.tenant_transaction(acme.organization.id) as conn:
            conn.execute("INSERT INTO quota_notices SELECT * FROM quota_notices")

    for use in (write, count):
        chosen._paused_until = 0.0
        with pytest.raises(ReplicaError) as raised:
            chosen.read(use, NO_MARKS)
        assert isinstance(raised.value.__cause__, REFUSED_WRITES)


def test_promoted_replica_answers_nothing(
    replica: StreamingReplica,
    databases: Databases,
    acme: Provisioned,
    open_replica: Callable[[tuple[str, int]], Replica],
) -> None:
    """A promoted replica has the writes that it had replayed, and no later ones."""
    read = reading(acme.organization.id)
    replica.catch_up()  # so that the copy removes no log that it needs
    with streaming_replica(databases.servers, fast_folder()) as own:
        own.catch_up()
        near = open_replica(own.address)
        before = near.read(read, NO_MARKS)
        own.promote()
        mark = rename_app(databases, acme, "Renamed")

        faults = [fault_of(near, read, marks) for marks in ([], [mark])]

    assert before != ["Renamed"]
    assert faults == [ReplicaFault.LAG] * 2


def test_primary_answers_no_read_of_a_replica(
    databases: Databases, acme: Provisioned, open_replica: Callable[[tuple[str, int]], Replica]
) -> None:
    """It looks like a replica that was promoted."""
    primary = open_replica((HOST, databases.servers.postgres_port))

    assert fault_of(primary, reading(acme.organization.id)) == ReplicaFault.LAG


@pytest.mark.parametrize(("session", "lag_ms"), [("a-reader", 20.5), ("a-reader", 60_000), ("MASTER_SESSION_ID", None)])
def test_reader_of_aurora_is_asked_by_the_functions_of_aws(
    session: str,
    lag_ms: float | None,
    replica: StreamingReplica,
    databases: Databases,
    acme: Provisioned,
    near: Replica,
) -> None:
    stand_in_for_aurora(databases, session, lag_ms)
    replica.catch_up()
    read, now = reading(acme.organization.id), datetime.now(UTC)
    position = find_position(databases.functions)
    old, recent = (WriteMark(written_at=now - each) for each in (timedelta(seconds=30), timedelta(seconds=1)))

    faults: list[object] = []
    for marks in ([], [old], [recent]):
        try:
            near.read(read, marks)
            faults.append(None)
        except ReplicaError as error:
            faults.append(error.fault)

    assert position is None  # its readers replay no log
    assert (
        faults
        == {
            20.5: [None, None, ReplicaFault.AWAITED],
            60_000: [ReplicaFault.LAG] * 3,
            None: [None] * 3,  # the endpoint of readers leads to the primary of a cluster without readers
        }[lag_ms]
    )
