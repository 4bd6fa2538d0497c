"""Organizations move between three databases in random order, under traffic, and some runs are killed.

In the end their homes have each stored row once, and usage and statistics have each event once.
"""

import os
import random

import pytest

from scripts.move.errors import MoveError
from scripts.move.organization import move_organization
from scripts.move.steps import MoveStep
from tenancy.stores.aws.signer import Signer
from tenancy.stores.redis.client import Redis
from tests.given import Databases
from tests.moves.counted import counted_events
from tests.moves.leftovers import directory_of, homes_of, list_leftovers
from tests.moves.runs import run_killed
from tests.moves.servers import MAIN, SECOND, THIRD, Deployment
from tests.moves.traffic import Organization, Traffic, put_home, require_model

pytestmark = pytest.mark.exhaustive

MOVES = "TEST_MOVES"  # how many moves: more take longer
SEED = "TEST_MOVES_SEED"
FENCE_SECONDS = 30
KILLED_SHARE = 0.3


def test_random_moves_agree_with_a_model(
    deployment: Deployment, signer: Signer, databases: Databases, counters: Redis
) -> None:
    seed = os.environ.get(SEED) or str(random.randrange(1_000_000))
    print(f"{SEED}={seed}")  # noqa: T201 - pytest shows it if the test fails
    chance = random.Random(seed)
    organizations = [Organization.provision(deployment[name]) for name in (MAIN, MAIN, SECOND, THIRD)]
    for each in organizations:
        put_home(deployment, each)
    homes = {each.id: each.home for each in organizations}
    moves = int(os.environ.get(MOVES, "8"))
    counted = counted_events(deployment, databases, counters, organizations, steps=moves)
    traffic = Traffic(deployment=deployment, organizations=organizations)

    with traffic.running():
        for _ in range(moves):
            counted.work(chance)
            each = chance.choice(organizations)
            target = chance.choice(sorted({MAIN, SECOND, THIRD} - {homes[each.id]}))
            if chance.random() < KILLED_SHARE:
                run_killed(deployment, f"step:{chance.choice(list(MoveStep)).value[0]}", each.id, target)
                each, target = chance.choice([(each, target), (chance.choice(organizations), target)])
            move(deployment, each, target)
            homes = {every.id: home_of(deployment, every) for every in organizations}
            assert homes[each.id] == target

    assert traffic.failures == []
    assert all(each.usage for each in organizations)
    assert list_leftovers(deployment) == []
    for each in organizations:
        assert directory_of(deployment, each.id) == homes[each.id]
        require_model(deployment, each, homes[each.id], signer)
    counted.require_model(homes)


def move(deployment: Deployment, organization: Organization, target: str) -> None:
    """Move the organization, unless the run finds that an earlier one has moved it there."""
    with deployment.connections() as connections:
        try:
            move_organization(connections, organization.id, target, print, fence_seconds=FENCE_SECONDS)
        except MoveError as error:
            print(error)  # noqa: T201 - pytest shows it if the test fails


def home_of(deployment: Deployment, organization: Organization) -> str:
    [home] = homes_of(deployment, organization.id)
    return home
