"""The state machine that deletes organizations retries its tasks, alarms a failure, and waits long enough."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tenancy.rules.deletion import EXPIRES_WITHIN
from tests.given import ROOT
from tests.template.template import ALARMS, FUNCTIONS, TEMPLATE, properties_of

FILE = ROOT / "functions" / "delete" / "delete_organization.asl.json"
MACHINE = json.loads(FILE.read_text())
IDS_AND_TIMES = {"task", "execution.$", "organization_id.$", "generation.$", "store.$", "closed_at.$"}
# privacy_jobs and roll_up hold a claim or lease while they write. migrate and bootstrap run on deploys, and erase
# writes no rows of an organization.
WRITERS_WITH_ANOTHER_LIMIT = {"privacy_jobs", "roll_up", "migrate", "bootstrap", "erase"}


def states(machine: dict[str, Any] = MACHINE) -> dict[str, dict[str, Any]]:
    found = dict(machine["States"])
    for state in machine["States"].values():
        found |= states(state["ItemProcessor"]) if "ItemProcessor" in state else {}
    return found


TASKS = {name: state for name, state in states().items() if state["Type"] == "Task"}
CATCHES = [catch for state in states().values() for catch in state.get("Catch", [])]


def default_of(parameter: str) -> timedelta:
    return timedelta(seconds=TEMPLATE["Parameters"][parameter]["Default"])


def test_each_transition_leads_to_a_state() -> None:
    targets = {state["Next"] for state in states().values() if "Next" in state} | {catch["Next"] for catch in CATCHES}

    assert targets | {MACHINE["StartAt"]} <= set(states())


@pytest.mark.parametrize("name", TASKS)
def test_task_is_retried_with_backoff(name: str) -> None:
    *_, last = TASKS[name]["Retry"]

    assert (last["ErrorEquals"], last["MaxAttempts"], last["BackoffRate"]) == (["States.ALL"], 20, 2)


@pytest.mark.parametrize("name", TASKS)
def test_overtaken_task_is_not_retried(name: str) -> None:
    assert {"ErrorEquals": ["OvertakenError"], "MaxAttempts": 0} in TASKS[name]["Retry"]


@pytest.mark.parametrize("name", TASKS)
def test_task_waits_longer_than_erase_runs(name: str) -> None:
    task = TASKS[name]

    assert task["Resource"] == "${EraseArn}"
    assert task["TimeoutSeconds"] > FUNCTIONS["erase"]["Timeout"]


@pytest.mark.parametrize("name", TASKS)
def test_task_gets_only_ids_and_times(name: str) -> None:
    """Step Functions keeps the input of each task in the execution's history."""
    assert set(TASKS[name]["Parameters"]) <= IDS_AND_TIMES


def test_permanent_errors_fail_the_execution() -> None:
    """A failed execution can be redriven; a caught error cannot."""
    caught = {error for catch in CATCHES for error in catch["ErrorEquals"]}

    assert caught == {"OvertakenError", "EarlyError"}


def test_failed_executions_are_alarmed() -> None:
    watched = [alarm["MetricName"] for alarm in ALARMS.values() if alarm.get("Namespace") == "AWS/States"]

    assert watched == ["ExecutionsFailed", "ExecutionsFailed"]


def test_erasure_waits_twice_as_long_as_functions_write() -> None:
    writer_wait, usual = default_of("ErasureQuietSeconds"), TEMPLATE["Globals"]["Function"]["Timeout"]

    time_outs = {name: timedelta(seconds=each.get("Timeout", usual)) for name, each in FUNCTIONS.items()}

    assert {name for name, time_out in time_outs.items() if 2 * time_out > writer_wait} == WRITERS_WITH_ANOTHER_LIMIT


def test_certificate_states_the_retention_of_queues() -> None:
    queues = properties_of("AWS::SQS::Queue").values()

    longest = max(timedelta(seconds=queue["MessageRetentionPeriod"]) for queue in queues)

    assert EXPIRES_WITHIN["messages in queues and dead-letter queues, which are discarded instead of loaded"] == longest


def test_certificate_states_the_retention_of_logs() -> None:
    kept = max(logs["RetentionInDays"] for logs in properties_of("AWS::Logs::LogGroup").values())

    longest = timedelta(days=kept) + default_of("RecountAfterSeconds")

    assert EXPIRES_WITHIN["log lines and traces, which contain ids only"] >= longest


def test_deletion_can_be_undone_for_thirty_days() -> None:
    assert default_of("DeletionGraceSeconds") == timedelta(days=30)


def test_rows_are_counted_again_after_one_day() -> None:
    assert default_of("RecountAfterSeconds") == timedelta(days=1)
