"""A move takes all rows of an organization to another database, and leaves nothing behind."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from scripts.move.access import movers_access
from scripts.move.organization import move_bucket, move_organization
from scripts.move.steps import MoveStep
from scripts.move.tables import STAYING, Table, list_tables
from scripts.move.unique_values import enter_values
from tenancy.rules.homes import bucket_of
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.platform.usage import find_last_roll_up
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import Databases, provision
from tests.handlers.functions import superuser
from tests.isolation import role_rules
from tests.isolation.proof.canaries import Canaries, plant_canaries
from tests.moves.leftovers import directory_of, homes_of, list_leftovers
from tests.moves.servers import MAIN, SECOND, THIRD, Conn, Deployment
from tests.moves.traffic import Client, Organization, Traffic, put_home, read_rows, require_model

NO_CHANCE = random.Random(0)
FENCE_SECONDS = 30  # a slow machine must not look like a slow comparison
LIST_COLUMNS = """
    SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
INSERT_ROWS = """
    INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
    SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %s)
"""
INSERT_REQUEST = """
    INSERT INTO provisioning_requests
        (credential_id, key_digest, organization_id, request_hash, claimed_until, answer, created_at)
    VALUES ('0c000000-0000-4000-8000-0000000000c2', %s, %s, 'hash', now(), %s, now())
"""
INSERT_ROLL_UP = """
    INSERT INTO roll_ups (started_at, finished_at, counters_settled_at)
    VALUES (%(started_at)s, %(finished_at)s, %(finished_at)s)
"""
# Inside the fence a look-up waits for the commit.
OUTSIDE_THE_FENCE = {step.line for step in MoveStep if not MoveStep.FENCE.value <= step.value <= MoveStep.COMMIT.value}
NEW_TABLE = """
    CREATE TABLE later_table (
        organization_id uuid NOT NULL REFERENCES organizations (id), id bigint GENERATED ALWAYS AS IDENTITY,
        note text, PRIMARY KEY (organization_id, id)
    );
    ALTER TABLE later_table OWNER TO tenancy_owner
"""


def move(deployment: Deployment, organization: Organization, target: str) -> list[str]:
    lines: list[str] = []
    with deployment.connections() as connections:
        move_organization(connections, organization.id, target, lines.append, fence_seconds=FENCE_SECONDS)
    return lines


def rows_of(conn: Conn, table: Table, organization_id: UUID) -> list[dict[str, object]]:
    statement = sql.SQL("SELECT to_jsonb(t) FROM {table} AS t WHERE {column} = %s")
    found = conn.execute(table.format(statement), (organization_id,)).fetchall()
    return sorted((row for (row,) in found), key=str)


def insert_rows(conn: Conn, rows: Mapping[str, list[dict[str, object]]]) -> None:
    """Insert rows of another database as they are. Triggers do not run."""
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        for name, each in rows.items():
            [(columns,)] = conn.execute(LIST_COLUMNS, (name,)).fetchall()
            statement = sql.SQL(INSERT_ROWS).format(table=sql.Identifier(name), columns=sql.SQL(columns))
            conn.execute(statement, (Jsonb(each),))


@pytest.mark.parametrize("target", [SECOND, THIRD])
def test_all_rows_move_and_nothing_is_left(deployment: Deployment, signer: Signer, target: str) -> None:
    acme, globex = Organization.provision(deployment[MAIN]), Organization.provision(deployment[MAIN])
    before = homes_of(deployment, acme.id)[MAIN]

    move(deployment, acme, target)

    assert homes_of(deployment, acme.id) == {target: before}
    assert directory_of(deployment, acme.id) == target
    assert list(homes_of(deployment, globex.id)) == [MAIN]
    assert list_leftovers(deployment) == []
    assert [role_rules.mover_powers(each.superuser) for each in deployment] == [[], [], []]
    require_model(deployment, acme, target, signer)


def test_rows_of_each_table_move(deployment: Deployment, databases: Databases, targets: OutboxTargets) -> None:
    acme, globex = (provision(databases, targets, name, Tier.GROWTH).organization.id for name in ("acme", "globex"))
    plant_canaries(databases, Canaries(), [acme, globex])
    with superuser(databases) as planted:
        rows = {table.name: rows_of(planted, table, acme) for table in list_tables(planted)}
    insert_rows(deployment[MAIN].superuser, rows)

    with deployment.connections() as connections:
        move_organization(connections, acme, SECOND, print, fence_seconds=FENCE_SECONDS)

    tables = list_tables(deployment[SECOND].superuser)
    assert [table.name for table in tables if not rows[table.name]] == []
    assert {table.name: rows_of(deployment[SECOND].superuser, table, acme) for table in tables} == rows
    assert list(homes_of(deployment, acme)) == [SECOND]


@pytest.mark.exhaustive
def test_clients_notice_no_move(deployment: Deployment, signer: Signer) -> None:
    acme, globex = Organization.provision(deployment[MAIN]), Organization.provision(deployment[MAIN])
    traffic = Traffic(deployment=deployment, organizations=[acme, globex])

    with traffic.running():
        for target in (SECOND, THIRD, MAIN, SECOND):
            move(deployment, acme, target)

    assert traffic.failures == []
    assert acme.usage
    require_model(deployment, acme, SECOND, signer)
    require_model(deployment, globex, MAIN, signer)


def test_table_of_a_later_release_moves_by_itself(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])
    for each in deployment:
        each.superuser.execute(NEW_TABLE)
    try:
        deployment[MAIN].superuser.execute(
            "INSERT INTO later_table (organization_id, note) SELECT %s, 'n' FROM generate_series(1, 5)", (acme.id,)
        )

        move(deployment, acme, SECOND)

        assert "later_table" in homes_of(deployment, acme.id)[SECOND]
        [(number,)] = deployment[SECOND].superuser.execute(
            "INSERT INTO later_table (organization_id, note) VALUES (%s, 'new') RETURNING id", (acme.id,)
        )
        assert number == 6
    finally:
        for each in deployment:
            each.superuser.execute("DROP TABLE later_table")


def test_each_table_of_organizations_moves_or_has_a_reason(deployment: Deployment) -> None:
    statement = "SELECT table_name FROM information_schema.columns WHERE column_name = 'organization_id'"
    with_organization = {name for (name,) in deployment[MAIN].superuser.execute(statement)}

    moved = {table.name for table in list_tables(deployment[MAIN].superuser)}

    assert moved == with_organization - STAYING.keys() | {"organizations"}
    assert STAYING.keys() <= with_organization


def test_sequences_of_the_target_go_on_after_the_moved_rows(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])
    deployment[MAIN].superuser.execute("SELECT setval('outbox_id_seq', 1000000)")
    acme.write(deployment[MAIN].platform, with_key=False)

    move(deployment, acme, SECOND)
    acme.write(deployment[SECOND].platform, with_key=False)

    [(highest, rows)] = deployment[SECOND].superuser.execute(
        "SELECT max(id), count(DISTINCT id) FROM outbox WHERE organization_id = %s", (acme.id,)
    )
    assert highest > 1_000_001
    assert rows == acme.entries + 2


def test_stale_directory_leads_to_the_home(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])
    with Client.of(deployment).closing() as client:
        read_rows(acme, client, NO_CHANCE)

        for target in (SECOND, THIRD):
            move(deployment, acme, target)

        read_rows(acme, client, NO_CHANCE)


def test_bucket_moves_with_its_present_and_future_organizations(deployment: Deployment) -> None:
    acme, globex = Organization.provision(deployment[MAIN]), Organization.provision(deployment[SECOND])
    bucket = bucket_of(acme.id)

    with deployment.connections() as connections:
        move_bucket(connections, bucket, THIRD, print, fence_seconds=FENCE_SECONDS, grace_seconds=0)

    assert list(homes_of(deployment, acme.id)) == [THIRD]
    assert list(homes_of(deployment, globex.id)) == [SECOND]
    homes = deployment[MAIN].superuser.execute("SELECT database FROM bucket_homes WHERE bucket = %s", (bucket,))
    assert homes.fetchall() == [(THIRD,)]
    pins = deployment[MAIN].superuser.execute("SELECT FROM organization_homes WHERE organization_id = %s", (acme.id,))
    assert pins.fetchall() == []
    assert list_leftovers(deployment) == []


def test_keys_are_found_at_each_moment_of_a_move(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])
    missing: list[str] = []
    with Client.of(deployment).closing() as client:

        def find_all_keys(line: str) -> None:
            if line in OUTSIDE_THE_FENCE:
                missing.extend(line for key in acme.keys if not client.finds(key))

        with deployment.connections() as connections:
            move_organization(connections, acme.id, SECOND, find_all_keys, fence_seconds=FENCE_SECONDS)

    assert missing == []


def test_answer_of_an_idempotent_request_moves_to_the_catalogue(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[SECOND])
    put_home(deployment, acme)
    for name, answer in ((MAIN, None), (SECOND, b"answer")):
        deployment[name].superuser.execute(INSERT_REQUEST, (acme.id.bytes * 2, acme.id, answer))

    move(deployment, acme, THIRD)

    found = {
        each.name: each.superuser.execute(
            "SELECT answer FROM provisioning_requests WHERE organization_id = %s", (acme.id,)
        ).fetchall()
        for each in deployment
    }
    assert found == {MAIN: [(b"answer",)], SECOND: [], THIRD: []}


def test_answer_of_an_organization_without_values_is_entered(deployment: Deployment) -> None:
    organization_id = uuid4()
    for name, answer in ((MAIN, None), (SECOND, b"answer")):
        deployment[name].superuser.execute(INSERT_REQUEST, (organization_id.bytes * 2, organization_id, answer))

    with deployment.connections() as connections, movers_access(connections):
        enter_values(connections, SECOND, organization_id)

    statement = "SELECT answer FROM provisioning_requests WHERE organization_id = %s"
    assert deployment[MAIN].superuser.execute(statement, (organization_id,)).fetchall() == [(b"answer",)]


def test_next_roll_up_of_the_target_counts_uncounted_rows(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])
    now = datetime.now(UTC)
    for name, hours in ((MAIN, 5), (SECOND, 1)):
        deployment[name].superuser.execute("DELETE FROM roll_ups")
        deployment[name].superuser.execute(
            INSERT_ROLL_UP, dict.fromkeys(("started_at", "finished_at"), now - timedelta(hours=hours))
        )

    move(deployment, acme, SECOND)

    with deployment[SECOND].platform.transaction() as conn:
        last = find_last_roll_up(conn)
    assert last is not None
    assert (last.recent_from, last.is_settled) == (now - timedelta(hours=5), False)
