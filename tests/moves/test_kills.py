"""A run that is killed at any step is completed or undone by the next one, while clients write and read."""

import os
from itertools import count, cycle

import pytest

from scripts.move.steps import Step
from tenancy.stores.aws.signer import Signer
from tests.moves.leftovers import directory_of, homes_of, list_leftovers
from tests.moves.runs import run, run_killed
from tests.moves.servers import MAIN, SECOND, Deployment
from tests.moves.traffic import Organization, Traffic, require_model

# Kill before each call of PostgreSQL as well. It takes minutes.
EACH_CALL = "TEST_MOVES_EACH_CALL"
# Calls that come again and again while the mover waits are all alike.
MAX_CALLS = 1000


def test_kill_at_each_step_loses_and_doubles_nothing(deployment: Deployment, signer: Signer) -> None:
    acme = Organization.provision(deployment[MAIN])
    traffic = Traffic(deployment=deployment, organizations=[acme])
    target = MAIN

    with traffic.running():
        for step, target in zip(Step, cycle((SECOND, MAIN)), strict=False):
            assert run_killed(deployment, f"step:{step.value[0]}", acme.id, target)
            done = run(deployment, acme.id, target)

            assert done.returncode == 0 or "already" in done.stderr, (step, done.stderr)
            assert list(homes_of(deployment, acme.id)) == [target], step
            assert directory_of(deployment, acme.id) == target, step
            assert list_leftovers(deployment) == [], step

    assert traffic.failures == []
    assert acme.usage
    require_model(deployment, acme, target, signer)


@pytest.mark.skipif(EACH_CALL not in os.environ, reason=f"takes minutes: set {EACH_CALL}")
def test_kill_before_each_call_loses_and_doubles_nothing(deployment: Deployment, signer: Signer) -> None:
    acme = Organization.provision(deployment[MAIN])
    traffic = Traffic(deployment=deployment, organizations=[acme])
    target = MAIN

    with traffic.running():
        for call, target in zip(count(), cycle((SECOND, MAIN)), strict=False):
            assert call < MAX_CALLS
            was_killed = run_killed(deployment, f"call:{call}", acme.id, target)
            done = run(deployment, acme.id, target)

            assert done.returncode == 0 or "already" in done.stderr, (call, done.stderr)
            assert list(homes_of(deployment, acme.id)) == [target], call
            assert list_leftovers(deployment) == [], call
            if not was_killed:
                break

    assert traffic.failures == []
    require_model(deployment, acme, target, signer)
