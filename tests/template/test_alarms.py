"""Alarms: each watches a metric that exists, and tells the reader the limit and what to do."""

from datetime import timedelta
from typing import Any

import pytest

from tenancy.gateway.metrics import NAMESPACE, SERVICE
from tests.given import ROOT
from tests.template.app_source import texts
from tests.template.template import properties_of

ALARMS = properties_of("AWS::CloudWatch::Alarm")
OWN = {name: alarm for name, alarm in ALARMS.items() if alarm["Namespace"] == NAMESPACE}
UNITS = (("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))
SECONDS = {"ApproximateAgeOfOldestMessage", "OldestEffectSeconds"}  # metrics that are a time


def spoken(seconds: int) -> str:
    """Return a time as a description says it: `1 hour`, `15 minutes`."""
    time = timedelta(seconds=seconds)
    name, unit = next((name, unit) for name, unit in UNITS if not time % unit)
    return f"{time // unit} {name}{'' if time == unit else 's'}"


def limit(alarm: dict[str, Any]) -> str:
    """Return the limit of an alarm as its description says it: `at least 1`, `more than 15 minutes`."""
    threshold = alarm["Threshold"]
    if not threshold:
        return "at least 1"
    return f"more than {spoken(threshold) if alarm['MetricName'] in SECONDS else threshold}"


def test_there_are_alarms_on_metrics_of_our_own() -> None:
    assert len(OWN) >= 6


@pytest.mark.parametrize("name", OWN)
def test_alarm_of_our_own_watches_a_counted_metric(name: str) -> None:
    assert OWN[name]["MetricName"] in texts()
    assert OWN[name]["Dimensions"] == [{"Name": "service", "Value": SERVICE}]


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_fires_above_its_threshold(name: str) -> None:
    """Descriptions say "more than" or "at least 1"."""
    assert ALARMS[name]["ComparisonOperator"] == "GreaterThanThreshold"


@pytest.mark.parametrize("name", ALARMS)
def test_description_of_an_alarm_names_its_limit(name: str) -> None:
    alarm = ALARMS[name]

    assert limit(alarm) in alarm["AlarmDescription"].lower()


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if alarm["Statistic"] == "Sum"])
def test_description_of_a_sum_names_its_period(name: str) -> None:
    alarm = ALARMS[name]

    assert f"in {spoken(alarm['Period'])}" in alarm["AlarmDescription"]


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if alarm["EvaluationPeriods"] > 1])
def test_description_of_a_lasting_state_names_its_time(name: str) -> None:
    alarm = ALARMS[name]

    assert f"for {spoken(alarm['Period'] * alarm['EvaluationPeriods'])}" in alarm["AlarmDescription"]


@pytest.mark.parametrize("name", ALARMS)
def test_description_of_an_alarm_leads_to_its_row(name: str) -> None:
    """docs/operations.md has a section Alarms with one row for each."""
    sections = (ROOT / "docs/operations.md").read_text().split("\n## ")

    [alarms] = [section for section in sections if section.startswith("Alarms\n")]

    assert ALARMS[name]["AlarmDescription"].endswith("See docs/operations.md, section Alarms.")
    assert alarms.count(f"\n| `{name}` |") == 1
