"""Reads from a real streaming replica: lag, own writes, and never a write."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tenancy.rules.durations import REPLICA_LAG_LIMIT
from tenancy.rules.replica_reads import ReplicaFault, WriteMark
from tenancy.stores.postgres import replica as replica_module
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.replica import Replica, ReplicaError, find_position
from tenancy.use_cases.organizations.provision import Provisioned
from tests.fast_servers import fast_folder
from tests.given import Databases
from tests.stores.nearest import NO_MARKS, Clock, fault_of, near, open_replica, read_when_replayed, reading, rename_app
from tests.streaming_replica import HOST, StreamingReplica, streaming_replica

__all__ = ["near", "open_replica"]  # fixtures

STAND_IN = """
    CREATE FUNCTION aurora_db_instance_identifier() RETURNS text LANGUAGE sql AS $$ SELECT 'instance-2' $$;
    CREATE FUNCTION aurora_replica_status(OUT server_id text, OUT session_id text, OUT replica_lag_in_msec float8)
        RETURNS SETOF record LANGUAGE sql
        AS $$ VALUES ('instance-1', 'another', 1.0::float8), ('instance-2', '{}', {}::float8) $$;
"""
REFUSED_WRITES = psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege


def stand_in_for_aurora(databases: Databases, session: str, lag_ms: float | None) -> None:
    """Make functions with the documented names and columns of those of Aurora, which no test runs on."""
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as admin:
        admin.execute(STAND_IN.format(session, "NULL" if lag_ms is None else lag_ms).encode())


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

    first = read_when_replayed(near, reading(acme.organization.id))
    found = [first, *(near.read(reading(acme.organization.id), NO_MARKS) for _ in range(2))]

    assert found == [reading(acme.organization.id)(databases.functions)] * 3
    assert len(asked) == 1  # once in REPLICA_LAG_LIMIT


def test_sample_of_the_primary_ends_while_a_clock_stands_still(
    near: Replica, replica: StreamingReplica, databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda may suspend the process after it has asked the primary for its position."""
    monkeypatch.setattr("tenancy.rules.replica_reads.REPLICA_LAG_LIMIT", timedelta(0))
    clock = Clock()
    monkeypatch.setattr(replica_module, "time", clock)
    read = reading(acme.organization.id)
    read_when_replayed(near, read)
    with replica.paused():
        rename_app(databases, acme, "Renamed")
        with psycopg.connect(databases.servers.superuser_url, autocommit=True) as admin:
            admin.execute("SELECT pg_switch_wal()")  # writes the end of the log, which may wait for its writer
        stale = near.read(read, NO_MARKS)
        clock.wall += REPLICA_LAG_LIMIT.total_seconds() + 1

        fault = fault_of(near, read)

    assert stale != ["Renamed"]
    assert fault == ReplicaFault.LAG


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
