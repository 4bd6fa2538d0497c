"""Logical replication of tables with policies, on which scripts/move is built.

docs/decisions/0084-moves-between-databases.md names each of these traps.
"""

import time
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from scripts.move import replication
from scripts.move.access import movers_access
from scripts.move.databases import Connections
from scripts.move.errors import MoveError
from scripts.move.replication import (
    CREATE_SUBSCRIPTION,
    FIND_COPY,
    MAX_ERRORS,
    await_catch_up,
    await_copy,
    await_position,
    create_publication,
    create_slot,
    create_subscription,
    end_replication,
    find_position,
    name_of,
)
from scripts.move.tables import Table
from tests.moves.servers import MAIN, SECOND, Conn, Deployment

ORGANIZATION = uuid4()
TABLE = Table(name="facts", column="organization_id", definition="")
CREATE_TABLE = """
    CREATE TABLE facts (
        organization_id uuid, id bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (organization_id, id)
    );
    ALTER TABLE facts OWNER TO tenancy_owner;
    ALTER TABLE facts ENABLE ROW LEVEL SECURITY;
    ALTER TABLE facts FORCE ROW LEVEL SECURITY
"""
INSERT = "INSERT INTO facts (organization_id) VALUES (%s)"
COUNT = "SELECT count(*) FROM facts"


@pytest.fixture
def replicating(deployment: Deployment) -> Iterator[Connections]:
    """Let the role of moves log in, with a table that has policies and one row on the source."""
    for name in (MAIN, SECOND):
        deployment[name].superuser.execute(CREATE_TABLE)
    deployment[MAIN].superuser.execute(INSERT, (ORGANIZATION,))
    with deployment.connections() as connections, movers_access(connections):
        yield connections
        end_replication(connections, [MAIN, SECOND])
        deployment[MAIN].superuser.execute("DROP PUBLICATION IF EXISTS " + name_of(ORGANIZATION))
    for name in (MAIN, SECOND):
        deployment[name].superuser.execute("ALTER ROLE tenancy_mover BYPASSRLS")
        deployment[name].superuser.execute("DROP TABLE facts")


def begin(connections: Connections) -> str:
    name = name_of(ORGANIZATION)
    create_publication(connections.owner(MAIN), name, [TABLE], ORGANIZATION)
    create_slot(connections.mover(MAIN), name)
    create_subscription(connections.mover(SECOND), name, connections.publisher(MAIN))
    return name


def rows_of(conn: Conn) -> int:
    [(count,)] = conn.execute(COUNT).fetchall()
    return int(count)


def test_copy_and_changes_of_one_organization_arrive(deployment: Deployment, replicating: Connections) -> None:
    source, target = deployment[MAIN].superuser, deployment[SECOND].superuser
    source.execute(INSERT, (uuid4(),))
    name = begin(replicating)

    await_copy(replicating.mover(SECOND), name, print)

    assert target.execute("SELECT DISTINCT organization_id FROM facts").fetchall() == [(ORGANIZATION,)]


def test_copy_obeys_policies_and_is_silently_empty(deployment: Deployment, replicating: Connections) -> None:
    deployment[MAIN].superuser.execute("ALTER ROLE tenancy_mover NOBYPASSRLS")
    name = begin(replicating)

    await_copy(replicating.mover(SECOND), name, print)

    assert rows_of(deployment[MAIN].superuser) == 1
    assert rows_of(deployment[SECOND].superuser) == 0


def test_worker_refuses_a_table_whose_policies_bind_it(deployment: Deployment, replicating: Connections) -> None:
    deployment[SECOND].superuser.execute("ALTER ROLE tenancy_mover NOBYPASSRLS")
    name = begin(replicating)

    with pytest.raises(MoveError, match=r"The copy failed \d times"):
        await_copy(replicating.mover(SECOND), name, print)

    assert rows_of(deployment[SECOND].superuser) == 0


def test_errors_before_the_last_copied_table_end_no_move(deployment: Deployment, replicating: Connections) -> None:
    """Workers that copy beside each other may fail at first, and each table is copied in the end."""
    target = deployment[SECOND].superuser
    target.execute("ALTER ROLE tenancy_mover NOBYPASSRLS")
    name = begin(replicating)
    while target.execute(FIND_COPY, (name,)).fetchall()[0][2] < MAX_ERRORS:
        time.sleep(0.05)
    target.execute("ALTER ROLE tenancy_mover BYPASSRLS")

    await_copy(replicating.mover(SECOND), name, print)
    await_catch_up(replicating.mover(MAIN), replicating.mover(SECOND), name)

    assert rows_of(target) == 1


def test_worker_that_fails_after_the_copy_is_noticed(
    deployment: Deployment, replicating: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replication, "CHECK_SECONDS", 0.1)
    name = begin(replicating)
    await_copy(replicating.mover(SECOND), name, print)
    deployment[SECOND].superuser.execute("ALTER ROLE tenancy_mover NOBYPASSRLS")
    deployment[MAIN].superuser.execute(INSERT, (ORGANIZATION,))

    with pytest.raises(MoveError, match=r"The copy failed \d times"):
        await_catch_up(replicating.mover(MAIN), replicating.mover(SECOND), name)


def test_subscription_without_a_worker_is_noticed(replicating: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "WORKERLESS_SECONDS", 0.1)
    monkeypatch.setattr(
        replication, "CREATE_SUBSCRIPTION", CREATE_SUBSCRIPTION.replace("WITH (", "WITH (enabled = false,")
    )
    name = begin(replicating)

    with pytest.raises(MoveError, match="starts no worker"):
        await_copy(replicating.mover(SECOND), name, print)


def test_lost_slot_is_noticed(replicating: Connections) -> None:
    source = replicating.mover(MAIN)

    with pytest.raises(MoveError, match="slot is lost"):
        await_position(source, name_of(uuid4()), find_position(source), seconds=1)


def test_worker_as_the_owner_of_the_table_copies_nothing(deployment: Deployment, replicating: Connections) -> None:
    name, mover = name_of(ORGANIZATION), replicating.mover(SECOND)
    create_publication(replicating.owner(MAIN), name, [TABLE], ORGANIZATION)
    create_slot(replicating.mover(MAIN), name)
    statement = CREATE_SUBSCRIPTION.replace("run_as_owner = true", "run_as_owner = false")
    identifiers = {"name": psycopg.sql.Identifier(name), "publisher": psycopg.sql.Literal(replicating.publisher(MAIN))}
    mover.execute(psycopg.sql.SQL(statement).format(**identifiers))

    with pytest.raises(MoveError, match=r"The copy failed \d times"):
        await_copy(mover, name, print)

    assert rows_of(deployment[SECOND].superuser) == 0


def test_values_of_identity_columns_are_not_replicated(deployment: Deployment, replicating: Connections) -> None:
    name = begin(replicating)
    await_copy(replicating.mover(SECOND), name, print)

    [(highest,)] = deployment[SECOND].superuser.execute("SELECT max(id) FROM facts").fetchall()
    [(is_called,)] = deployment[SECOND].superuser.execute("SELECT is_called FROM facts_id_seq").fetchall()

    assert (highest, is_called) == (1, False)


def test_filter_outside_the_replica_identity_stops_all_updates(deployment: Deployment) -> None:
    source = deployment[MAIN].superuser
    source.execute("CREATE TABLE keyed_by_id (id integer PRIMARY KEY, organization_id uuid)")
    source.execute("INSERT INTO keyed_by_id VALUES (1, %s)", (uuid4(),))
    source.execute(f"CREATE PUBLICATION narrow FOR TABLE keyed_by_id WHERE (organization_id = '{ORGANIZATION}')")
    try:
        with pytest.raises(psycopg.errors.InvalidColumnReference, match="cannot update table"):
            source.execute("UPDATE keyed_by_id SET id = 2")
    finally:
        source.execute("DROP PUBLICATION narrow")
        source.execute("DROP TABLE keyed_by_id")
