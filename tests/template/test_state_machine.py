"""The state machine that deletes organizations: every task is retried, failure is alarmed, and it waits long enough."""

import json
from datetime import timedelta
from typing import Any

from tenancy.rules.deletion import EXPIRES_WITHIN
from tests.given import ROOT
from tests.template.test_template import FUNCTIONS, RESOURCES, TEMPLATE

FILE = ROOT / "functions" / "delete" / "delete_organization.asl.json"
MACHINE = json.loads(FILE.read_text())
IDS_AND_TIMES = {"task", "execution.$", "organization_id.$", "generation.$", "store.$", "closed_at.$"}
# They hold a lease while they write, migrate runs on deploys, and erase itself writes nothing of an organization.
WAITED_FOR_OTHERWISE = {"privacy_jobs", "roll_up", "migrate", "erase"}


def states(machine: dict[str, Any] = MACHINE) -> dict[str, dict[str, Any]]:
    found = dict(machine["States"])
    for state in machine["States"].values():
        found |= states(state["ItemProcessor"]) if "ItemProcessor" in state else {}
    return found


def tasks() -> dict[str, dict[str, Any]]:
    return {name: state for name, state in states().items() if state["Type"] == "Task"}


def default_of(parameter: str) -> timedelta:
    return timedelta(seconds=TEMPLATE["Parameters"][parameter]["Default"])


def test_every_state_leads_somewhere_that_there_is() -> None:
    named = {state[key] for state in states().values() for key in ("Next",) if key in state}
    named |= {catch["Next"] for state in states().values() for catch in state.get("Catch", [])}
    assert named | {MACHINE["StartAt"]} <= set(states())


def test_every_task_is_retried_with_backoff_but_not_when_it_is_overtaken() -> None:
    for name, task in tasks().items():
        *_, last = task["Retry"]
        assert last["ErrorEquals"] == ["States.ALL"], name
        assert (last["MaxAttempts"], last["BackoffRate"]) == (20, 2), name
        assert {"ErrorEquals": ["OvertakenError"], "MaxAttempts": 0} in task["Retry"], name
        assert task["Resource"] == "${EraseArn}", name
        assert task["TimeoutSeconds"] > FUNCTIONS["erase"]["Timeout"], name


def test_what_fails_for_good_is_caught_by_nobody_so_that_it_can_be_redriven() -> None:
    caught = {
        error for state in states().values() for catch in state.get("Catch", []) for error in catch["ErrorEquals"]
    }
    assert caught == {"OvertakenError", "EarlyError"}
    alarms = [each["Properties"] for each in RESOURCES.values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    assert [each["MetricName"] for each in alarms if each["Namespace"] == "AWS/States"] == ["ExecutionsFailed"]


def test_a_task_is_told_ids_and_names_and_nothing_else() -> None:
    for name, task in tasks().items():
        assert set(task["Parameters"]) <= IDS_AND_TIMES, name


def test_an_erasure_waits_longer_than_any_function_may_write() -> None:
    writer_wait = default_of("ErasureQuietSeconds")
    everywhere = TEMPLATE["Globals"]["Function"]["Timeout"]
    longest = {name: each.get("Timeout", everywhere) for name, each in FUNCTIONS.items()}
    late = {name for name, seconds in longest.items() if timedelta(seconds=2 * seconds) > writer_wait}
    assert late == WAITED_FOR_OTHERWISE


def test_the_certificate_says_how_long_queues_and_logs_keep_what_they_have() -> None:
    kept = {
        each["Type"]: timedelta(seconds=each["Properties"]["MessageRetentionPeriod"])
        for each in RESOURCES.values()
        if each["Type"] == "AWS::SQS::Queue"
    }
    assert EXPIRES_WITHIN["messages in queues and among dead letters, which are dropped instead of loaded"] == max(
        kept.values()
    )
    [days] = [
        each["Properties"]["RetentionInDays"] for each in RESOURCES.values() if each["Type"] == "AWS::Logs::LogGroup"
    ]
    assert EXPIRES_WITHIN["log lines and traces, by ids"] >= timedelta(days=days) + default_of("RecountAfterSeconds")


def test_a_deletion_can_be_undone_for_thirty_days_and_is_counted_again_after_one() -> None:
    assert default_of("DeletionGraceSeconds") == timedelta(days=30)
    assert default_of("RecountAfterSeconds") == timedelta(days=1)
