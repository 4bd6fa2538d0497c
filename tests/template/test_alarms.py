"""Alarms: each watches a metric that exists, and tells the reader the limit and what to do."""

import ast
import re
from datetime import timedelta
from typing import Any

import pytest

from tenancy.gateway.metrics import NAMESPACE
from tests.given import ROOT
from tests.members import for_each
from tests.template.alarm_rules import metrics_of
from tests.template.app_source import nodes, texts
from tests.template.template import ALARMS, properties_of

OWN = {name: alarm for name, alarm in ALARMS.items() if alarm.get("Namespace") == NAMESPACE}
WATCHED = {
    each["Metric"]["MetricName"]
    for alarm in ALARMS.values()
    for each in metrics_of(alarm)
    if each["Metric"]["Namespace"] == NAMESPACE
}
FILTERED = {
    each["MetricName"]
    for found in properties_of("AWS::Logs::MetricFilter").values()
    for each in found["MetricTransformations"]
}
ABOVE = {name: alarm for name, alarm in ALARMS.items() if alarm["ComparisonOperator"] == "GreaterThanThreshold"}
# Metrics without an alarm, with the reason.
NOT_WATCHED = {
    "CounterDrift": "The roll-up has corrected the counter.",
    "CountersNotSettled": "Redis is unreachable, which AdmissionDegraded shows. The next roll-up settles.",
    "EventsAccepted": "The usual number differs by platform and by hour.",
    "EventsHeld": "Quotas and clocks of organizations hold events. The answer says so to the sender.",
    "EventsRejected": "The sender has to be fixed, and the answer says so.",
    "EventsStored": "EventsAgeAlarm and EventsBacklogAlarm show that events are not stored.",
    "GatesClosedAgain": "The roll-up has placed the tombstones again.",
    "LogInsRefused": "Wrong passwords are normal, and the lock stops an attack. The usual number differs by platform.",
    "ReplicaReadsCancelled": "The read is slow, or is in the way of the replay. The primary answers it.",
    "RequestsNotKept": "Redis is unreachable, which AdmissionDegraded shows. The next sweep persists the counts.",
    "RequestsRefused": "Limits and permissions do their work. TenantMismatchAlarm watches possible attacks.",
    "SegmentCallsRejected": "The sender has to be fixed. Samples are among its dead letters.",
    "StatisticsDrift": "Bills and quotas go by the rows. The log names the organization whose statistics differ.",
    "StorageLag": "EventsAgeAlarm watches the age of the oldest message.",
}
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
# The alarms of each entry, and its text.
ENTRIES = [
    (tuple(re.findall(r"`(\w+Alarm)`", section.split("**Means.**")[0])), section[section.index("**Means.**") :])
    for section in re.split(r"^##+ ", RUNBOOK, flags=re.MULTILINE)
    if "**Means.**" in section
]
HEADINGS = set(re.findall(r"^#+ (.+)$", (ROOT / "docs/operations.md").read_text() + RUNBOOK, re.MULTILINE))
UNITS = (("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)), ("second", timedelta(seconds=1)))
# Metrics that are a time, with their unit.
TIMES = {
    "ApproximateAgeOfOldestMessage": timedelta(seconds=1),
    "OldestEffectSeconds": timedelta(seconds=1),
    "Duration": timedelta(milliseconds=1),
}


def spoken(time: timedelta) -> str:
    """Return a time as a description says it: `1 hour`, `15 minutes`."""
    name, unit = next((name, unit) for name, unit in UNITS if not time % unit)
    return f"{time // unit} {name}{'' if time == unit else 's'}"


def period_of(alarm: dict[str, Any]) -> timedelta:
    """Return the period of an alarm, which all of its metrics have."""
    [period] = {each["Period"] for each in metrics_of(alarm)}
    return timedelta(seconds=period)


def statistics_of(alarm: dict[str, Any]) -> set[str]:
    return {each["Stat"] for each in metrics_of(alarm)}


def limit(alarm: dict[str, Any]) -> str:
    """Return the limit of an alarm as its description says it: `at least 1`, `more than 15 minutes`."""
    threshold = alarm["Threshold"]
    if not threshold:
        return "at least 1"
    unit = TIMES.get(alarm.get("MetricName", ""))
    return f"more than {spoken(threshold * unit) if unit else threshold}"


def test_there_are_alarms_on_metrics_of_our_own() -> None:
    assert len(OWN) >= 6


def test_alarms_of_our_own_watch_counted_metrics() -> None:
    assert WATCHED - texts() - FILTERED == set()


def test_each_metric_has_an_alarm_or_a_reason() -> None:
    operations = (ROOT / "docs/operations.md").read_text().split("\n## Metrics\n")[1].split("\n## ")[0]

    described = re.findall(r"^\| `(\w+)` \|", operations, re.MULTILINE)

    assert sorted(described) == sorted(WATCHED | NOT_WATCHED.keys())


def test_names_of_metrics_are_constants() -> None:
    """A misspelled name would be a metric that no alarm watches."""
    literals = [
        f"{path.parent.name}: {ast.unparse(node)}"
        for path in [*ROOT.glob("functions/*/app.py"), *(ROOT / "layers/tenancy/tenancy").rglob("*.py")]
        for node in nodes(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"count", "count_faults"} and node.args
        if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    ]

    assert literals == []


@for_each("name", ALARMS)
def test_alarm_fires_above_its_threshold_or_without_a_run(name: str) -> None:
    """Descriptions say "more than" or "at least 1", or "has not run"."""
    alarm = ALARMS[name]

    if name not in ABOVE:
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
        assert "has not run for" in alarm["AlarmDescription"]


@for_each("name", ABOVE)
def test_description_of_an_alarm_names_its_limit(name: str) -> None:
    alarm = ALARMS[name]

    assert limit(alarm) in alarm["AlarmDescription"].lower()


@for_each("name", [name for name, alarm in ABOVE.items() if "Sum" in statistics_of(alarm)])
def test_description_of_a_sum_names_its_period(name: str) -> None:
    alarm = ALARMS[name]

    assert f"in {spoken(period_of(alarm))}" in alarm["AlarmDescription"]


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if alarm["EvaluationPeriods"] > 1])
def test_description_of_a_lasting_state_names_its_time(name: str) -> None:
    alarm = ALARMS[name]

    assert f"for {spoken(period_of(alarm) * alarm['EvaluationPeriods'])}" in alarm["AlarmDescription"]


@for_each("name", ALARMS)
def test_description_of_an_alarm_leads_to_the_runbook(name: str) -> None:
    assert ALARMS[name]["AlarmDescription"].endswith("See docs/runbook.md.")


@for_each("name", ALARMS)
def test_each_alarm_has_one_entry_of_the_runbook(name: str) -> None:
    assert [name in names for names, _ in ENTRIES].count(True) == 1


def test_runbook_has_no_entry_of_a_missing_alarm() -> None:
    assert {name for names, _ in ENTRIES for name in names} == set(ALARMS)


@pytest.mark.parametrize("text", [text for _, text in ENTRIES], ids=[names[0] for names, _ in ENTRIES])
def test_entry_tells_meaning_affected_and_three_steps(text: str) -> None:
    assert re.match(r"\*\*Means\.\*\* .+?\n\n\*\*Affected\.\*\* ", text, re.DOTALL)
    assert re.findall(r"^(\d)\. ", text, re.MULTILINE) == ["1", "2", "3"]


@pytest.mark.parametrize("text", [text for _, text in ENTRIES], ids=[names[0] for names, _ in ENTRIES])
def test_sections_that_an_entry_names_exist(text: str) -> None:
    assert set(re.findall(r'"([A-Z][^"]+)"', text)) <= HEADINGS
