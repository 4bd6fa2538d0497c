"""A run that is killed at any step is completed or undone by the next one, while clients write and read."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count, cycle
from uuid import UUID

import pytest

from scripts.move.steps import MoveStep
from tenancy.rules.homes import fence_key
from tenancy.stores.aws.signer import Signer
from tenancy.stores.postgres.platform.organization_rows import has_copy
from tests.moves.leftovers import directory_of, homes_of, list_leftovers
from tests.moves.runs import run, run_killed
from tests.moves.servers import MAIN, SECOND, Deployment
from tests.moves.traffic import Organization, Traffic, require_model

# Kill before every 40th call of PostgreSQL as well. With TEST_MOVES_STRIDE=1 it is each call, and takes an hour.
STRIDE = int(os.environ.get("TEST_MOVES_STRIDE", "40"))
# Calls that come again and again while the mover waits are all alike.
MAX_CALLS = 1000
FIND_INCOMING = "SELECT move_id FROM moved_organizations WHERE organization_id = %s AND state = 'incoming'"
INSERT_MOVED = """
    INSERT INTO moved_organizations (organization_id, state, other, move_id) VALUES (%s, 'moved', 'second', %s)
"""
COMMIT_SECONDS = 2.0


@pytest.mark.exhaustive
def test_kill_at_each_step_loses_and_doubles_nothing(deployment: Deployment, signer: Signer) -> None:
    acme = Organization.provision(deployment[MAIN])
    traffic = Traffic(deployment=deployment, organizations=[acme])
    target = MAIN

    with traffic.running():
        for step, target in zip(MoveStep, cycle((SECOND, MAIN)), strict=False):
            assert run_killed(deployment, f"step:{step.value[0]}", acme.id, target)
            done = run(deployment, acme.id, target)

            assert done.returncode == 0 or "already" in done.stderr, (step, done.stderr)
            assert list(homes_of(deployment, acme.id)) == [target], step
            assert directory_of(deployment, acme.id) == target, step
            assert list_leftovers(deployment) == [], step

    assert traffic.failures == []
    assert acme.usage
    require_model(deployment, acme, target, signer)


@pytest.mark.exhaustive
def test_kill_before_a_call_loses_and_doubles_nothing(deployment: Deployment, signer: Signer) -> None:
    acme = Organization.provision(deployment[MAIN])
    traffic = Traffic(deployment=deployment, organizations=[acme])
    target = MAIN

    with traffic.running():
        for call, target in zip(count(STRIDE, STRIDE), cycle((SECOND, MAIN)), strict=False):
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


def is_copy(deployment: Deployment, name: str, organization_id: UUID) -> bool:
    """Tell whether an erasure finds rows in the database, which is not the organization's home."""
    database = deployment[name].platform
    with database.tenant_transaction(organization_id, is_snapshot=True, ignores_moves=True) as conn:
        return has_copy(conn, organization_id)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("step", "copy"), [(MoveStep.CATCH_UP, SECOND), (MoveStep.DELETE, MAIN)])
def test_erasure_sees_the_copy_of_a_killed_run(deployment: Deployment, step: MoveStep, copy: str) -> None:
    acme = Organization.provision(deployment[MAIN])
    assert run_killed(deployment, f"step:{step.value[0]}", acme.id, SECOND)

    assert is_copy(deployment, copy, acme.id)

    done = run(deployment, acme.id, SECOND)

    assert done.returncode == 0, done.stderr
    assert not is_copy(deployment, MAIN, acme.id)


def test_commit_that_outlives_its_process_is_awaited(deployment: Deployment) -> None:
    acme = Organization.provision(deployment[MAIN])
    assert run_killed(deployment, f"step:{MoveStep.COMMIT.value[0]}", acme.id, SECOND)
    [(move_id,)] = deployment[SECOND].superuser.execute(FIND_INCOMING, (acme.id,)).fetchall()

    with ThreadPoolExecutor(1) as runs:
        with (
            source := deployment[MAIN].superuser
        ).transaction():  # as the server of the killed run, which commits late
            source.execute("SELECT pg_advisory_xact_lock(%s)", (fence_key(acme.id),))
            source.execute(INSERT_MOVED, (acme.id, move_id))
            next_run = runs.submit(run, deployment, acme.id, SECOND)
            time.sleep(COMMIT_SECONDS)
        done = next_run.result()

    assert done.returncode == 0, done.stderr
    assert list(homes_of(deployment, acme.id)) == [SECOND]
    assert list_leftovers(deployment) == []
