"""Metric filters count the requests that API Gateway itself throttles, with the dimensions of our own metrics."""

import json
import re

import pytest

from tenancy.gateway.metrics import NAMESPACE, SERVICE, SERVICE_DIMENSION, STACK_DIMENSION
from tests.template.template import RESOURCES, properties_of

API = RESOURCES["Api"]["Properties"]
LINE = json.loads(API["AccessLogSetting"]["Fn::If"][1]["Format"]["Fn::Sub"])
FILTERS = properties_of("AWS::Logs::MetricFilter")
TOO_MANY_REQUESTS = 429


def test_throttled_requests_are_counted() -> None:
    """Each type of answer that has the status 429 is one."""
    types = {name for name, answer in API["GatewayResponses"].items() if answer.get("StatusCode") == TOO_MANY_REQUESTS}

    pattern = FILTERS["GatewayThrottled"]["FilterPattern"]

    assert set(re.findall(r'\$\.refusal = "(\w+)"', pattern)) == types
    assert LINE["refusal"] == "$context.error.responseType"


@pytest.mark.parametrize("name", FILTERS)
def test_filter_reads_the_access_log_if_there_is_one(name: str) -> None:
    assert FILTERS[name]["LogGroupName"] == {"Ref": "AccessLog"}
    assert RESOURCES[name]["Condition"] == RESOURCES["AccessLog"]["Condition"]


@pytest.mark.parametrize("name", FILTERS)
def test_filter_names_members_of_each_line(name: str) -> None:
    pattern = FILTERS[name]["FilterPattern"]

    assert set(re.findall(r"\$\.(\w+)", pattern)) <= set(LINE)


@pytest.mark.parametrize("name", FILTERS)
def test_metric_has_the_dimensions_of_our_own_metrics(name: str) -> None:
    """A dimension is a member of the line that the pattern names. A metric with one has no default value."""
    [metric] = FILTERS[name]["MetricTransformations"]

    assert (metric["MetricNamespace"], metric["MetricName"], metric["MetricValue"]) == (NAMESPACE, name, "1")
    assert {each["Key"]: LINE[each["Value"].removeprefix("$.")] for each in metric["Dimensions"]} == {
        SERVICE_DIMENSION: SERVICE,
        STACK_DIMENSION: "${AWS::StackName}",
    }
    assert all(f"({each['Value']} = " in FILTERS[name]["FilterPattern"] for each in metric["Dimensions"])
    assert "DefaultValue" not in metric
