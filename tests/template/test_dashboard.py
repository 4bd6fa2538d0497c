"""The dashboard shows metrics that exist, of this stack alone."""

import json
import re
from typing import Any

import pytest

from tenancy.gateway.metrics import NAMESPACE
from tests.template.app_source import texts
from tests.template.template import RESOURCES

BODY = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
METRICS: list[list[Any]] = [metric for widget in BODY["widgets"] for metric in widget["properties"]["metrics"]]
SEARCHED = [
    re.search(r'MetricName="(\w+)" stack="([^"]+)"', metric[0]["expression"]) for metric in METRICS if len(metric) == 1
]
OWN = [metric for metric in METRICS if metric[0] == NAMESPACE]
# The metrics that an operator reads first.
EXPECTED = {
    "EventsAccepted", "EventsHeld", "EventsRejected", "RequestsRefused", "EventsStored", "StorageLag", "DeadLetters",
    "CounterDrift", "StatisticsDrift", "AdmissionDegraded", "TenantMismatch", "LogInsRefused",
}  # fmt: skip


def test_dashboard_shows_the_main_metrics_of_operators() -> None:
    shown = {metric[1] for metric in OWN} | {found[1] for found in SEARCHED if found}

    assert shown >= EXPECTED


def test_own_metrics_are_counted() -> None:
    shown = {metric[1] for metric in OWN} | {found[1] for found in SEARCHED if found}

    assert shown - texts() == set()


def test_own_metrics_are_those_of_this_stack() -> None:
    assert {tuple(metric[2:6]) for metric in OWN} == {("service", "tenancy", "stack", "${AWS::StackName}")}
    assert {found[2] for found in SEARCHED if found} == {"${AWS::StackName}"}


def test_lag_is_shown_as_percentiles() -> None:
    assert [metric[6]["stat"] for metric in OWN if metric[1] == "StorageLag"] == ["p50", "p99"]


@pytest.mark.parametrize("metric", [metric for metric in METRICS if str(metric[0]).startswith("AWS/")], ids=str)
def test_metrics_of_aws_name_resources_of_the_template(metric: list[Any]) -> None:
    named = re.fullmatch(r"\$\{([\w:]+)(\.\w+)?\}", metric[3])

    assert named
    assert named[1] in {*RESOURCES, "AWS::StackName"}


def test_widgets_do_not_overlap() -> None:
    places = {(widget["x"], widget["y"]) for widget in BODY["widgets"]}

    assert len(places) == len(BODY["widgets"])
    assert {x % widget["width"] for widget in BODY["widgets"] for x in [widget["x"]]} == {0}
