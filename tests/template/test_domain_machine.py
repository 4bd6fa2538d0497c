"""The state machine of custom domains: its states, its retries, and its data."""

import json
from datetime import timedelta

import pytest

from tenancy.rules.durations import DOMAIN_EXECUTION_LOST_AFTER, DOMAIN_LEASE_TIME
from tests.given import ROOT
from tests.template.template import FUNCTIONS

MACHINE = json.loads((ROOT / "functions" / "domains" / "serve_domain.asl.json").read_text())
STATES = MACHINE["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
IDS = {"task", "execution.$", "organization_id.$", "claim_id.$", "attempt.$"}


def test_each_transition_leads_to_a_state() -> None:
    nexts = {state["Next"] for state in STATES.values() if "Next" in state}
    caught = {catch["Next"] for state in TASKS.values() for catch in state["Catch"]}
    chosen = {choice["Next"] for state in STATES.values() for choice in state.get("Choices", [])}
    defaults = {state["Default"] for state in STATES.values() if "Default" in state}

    assert nexts | caught | chosen | defaults | {MACHINE["StartAt"]} == set(STATES)


@pytest.mark.parametrize("name", TASKS)
def test_task_gets_only_ids(name: str) -> None:
    """Step Functions keeps the input of each task for 90 days. A domain would name the organization."""
    assert set(TASKS[name]["Parameters"]) == IDS


@pytest.mark.parametrize("name", TASKS)
def test_outdated_task_ends_its_execution(name: str) -> None:
    assert {"ErrorEquals": ["OutdatedAttemptError"], "MaxAttempts": 0} in TASKS[name]["Retry"]
    assert [catch["Next"] for catch in TASKS[name]["Catch"]] == ["Outdated"]


@pytest.mark.parametrize("name", TASKS)
def test_retries_end_before_the_sweep_takes_over(name: str) -> None:
    *_, last = TASKS[name]["Retry"]
    pauses = [min(last["IntervalSeconds"] * 2**each, last["MaxDelaySeconds"]) for each in range(last["MaxAttempts"])]
    longest = sum(pauses) + (len(pauses) + 1) * TASKS[name]["TimeoutSeconds"]

    assert last["ErrorEquals"] == ["States.ALL"]
    assert timedelta(seconds=longest) < DOMAIN_EXECUTION_LOST_AFTER


@pytest.mark.parametrize("name", TASKS)
def test_lease_is_longer_than_a_task(name: str) -> None:
    time_out = FUNCTIONS["domain_steps"]["Timeout"]

    assert TASKS[name]["TimeoutSeconds"] > time_out
    assert timedelta(seconds=time_out) < DOMAIN_LEASE_TIME
