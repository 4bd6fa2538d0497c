"""A move waits for a roll-up of its target, and for a release of its held events."""

from uuid import uuid4

import pytest

from scripts.move import leases
from scripts.move.organization import move_organization
from scripts.move.steps import MoveStep
from tenancy.use_cases.held_events.release_held import release_lease
from tenancy.use_cases.schedule.roll_up import ROLL_UP_LEASE
from tests.moves.leftovers import homes_of
from tests.moves.servers import MAIN, SECOND, Deployment
from tests.moves.traffic import Organization

FENCE_SECONDS = 30
INSERT_LEASE = "INSERT INTO leases (name, holder, ends_at) VALUES (%s, gen_random_uuid(), now() + interval '1 hour')"


def test_leases_have_the_names_of_the_use_cases() -> None:
    organization_id = uuid4()

    assert leases.ROLL_UP == ROLL_UP_LEASE
    assert leases.RELEASE.format(organization_id) == release_lease(organization_id)


@pytest.mark.parametrize(("begin", "closed"), [(MoveStep.CATCH_UP, False), (MoveStep.COMMIT, True)])
def test_move_waits_for_a_roll_up_of_the_target(deployment: Deployment, begin: MoveStep, *, closed: bool) -> None:
    acme = Organization.provision(deployment[MAIN])
    lines: list[str] = []
    waits: list[tuple[bool, list[str]]] = []

    def roll_up(line: str) -> None:
        lines.append(line)
        if line == begin.line:
            deployment[SECOND].superuser.execute(INSERT_LEASE, (ROLL_UP_LEASE,))
        if "waiting for the roll-up" in line:
            waits.append((MoveStep.FENCE.line in lines, list(homes_of(deployment, acme.id))))
            deployment[SECOND].superuser.execute("DELETE FROM leases WHERE name = %s", (ROLL_UP_LEASE,))

    with deployment.connections() as connections:
        move_organization(connections, acme.id, SECOND, roll_up, fence_seconds=FENCE_SECONDS)

    assert waits == [(closed, [MAIN, SECOND])]
    assert list(homes_of(deployment, acme.id)) == [SECOND]


def test_move_waits_for_a_release_that_begins_before_the_fence(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])
    lines: list[str] = []

    def release(line: str) -> None:
        lines.append(line)
        if line == MoveStep.FENCE.line and lines.count(line) == 1:
            deployment[MAIN].superuser.execute(INSERT_LEASE, (release_lease(acme.id),))
        if "waiting for a release" in line:
            deployment[MAIN].superuser.execute("DELETE FROM leases WHERE name = %s", (release_lease(acme.id),))

    with deployment.connections() as connections:
        move_organization(connections, acme.id, SECOND, release, fence_seconds=FENCE_SECONDS)

    waiting = lines.index("   waiting for a release of held events")
    assert lines[waiting - 1 : waiting + 2] == [MoveStep.FENCE.line, lines[waiting], MoveStep.FENCE.line]
    assert list(homes_of(deployment, acme.id)) == [SECOND]
