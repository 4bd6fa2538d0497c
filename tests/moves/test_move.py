"""A move takes all rows of an organization to another database, and leaves nothing behind."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from scripts.move.organization import move_bucket, move_organization
from scripts.move.tables import STAYING, list_tables
from tenancy.rules.homes import bucket_of
from tenancy.stores.aws.signer import Signer
from tests.moves.leftovers import directory_of, homes_of, list_leftovers
from tests.moves.servers import MAIN, SECOND, THIRD, Deployment
from tests.moves.traffic import Organization, Traffic, require_model

FENCE_SECONDS = 30  # a slow machine must not look like a slow comparison
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


@pytest.mark.parametrize("target", [SECOND, THIRD])
def test_all_rows_move_and_nothing_is_left(deployment: Deployment, signer: Signer, target: str) -> None:
    acme, globex = Organization.provision(deployment[MAIN]), Organization.provision(deployment[MAIN])
    before = homes_of(deployment, acme.id)[MAIN]

    move(deployment, acme, target)

    assert homes_of(deployment, acme.id) == {target: before}
    assert directory_of(deployment, acme.id) == target
    assert list(homes_of(deployment, globex.id)) == [MAIN]
    assert list_leftovers(deployment) == []
    require_model(deployment, acme, target, signer)


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


def test_stale_directory_leads_to_the_home_in_one_step(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])

    for target in (SECOND, THIRD):
        move(deployment, acme, target)

    for stale in (MAIN, SECOND, THIRD):
        acme.home = stale
        with acme.routed(deployment, "functions").tenant_transaction(acme.id) as conn:
            assert conn.execute("SELECT count(*) FROM users").fetchone() == (1,)


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
