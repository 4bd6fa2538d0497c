"""Metrics: lines in CloudWatch's embedded metric format, for all stacks together and for each stack."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest

from tenancy.gateway.metrics import count, count_failures


class ExpectedError(Exception):
    pass


def line_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    [line] = capsys.readouterr().out.splitlines()
    printed: dict[str, Any] = json.loads(line)
    return printed


def test_metric_has_the_dimensions_service_and_stack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK_NAME", "tenancy-staging")

    count("EventsNotLoaded", amount=3)

    line = line_of(capsys)
    [definition] = line["_aws"]["CloudWatchMetrics"]
    assert definition == {
        "Namespace": "Tenancy",
        "Dimensions": [["service"], ["service", "stack"]],
        "Metrics": [{"Name": "EventsNotLoaded", "Unit": "Count"}],
    }
    assert (line["service"], line["stack"], line["EventsNotLoaded"]) == ("tenancy", "tenancy-staging", [3.0])


def test_metadata_is_no_dimension(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACK_NAME", "tenancy-staging")

    count("TenantMismatch", {"organization_id": "acme"})

    line = line_of(capsys)
    assert line["organization_id"] == "acme"
    assert "organization_id" not in json.dumps(line["_aws"])


def test_metadata_replaces_no_dimension_and_no_metric(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK_NAME", "tenancy-staging")

    count("TenantMismatch", {"service": "other", "stack": "other", "TenantMismatch": "other", "_aws": "other"})

    line = line_of(capsys)
    assert (line["service"], line["stack"], line["TenantMismatch"]) == ("tenancy", "tenancy-staging", [1.0])
    assert line["_aws"]["CloudWatchMetrics"]


def test_metric_outside_of_a_stack_has_the_service_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STACK_NAME", raising=False)

    count("TenantMismatch")

    line = line_of(capsys)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert "stack" not in line


@pytest.mark.parametrize(("error", "metric"), [(OSError("down"), "Fault"), (ExpectedError("no"), "Refused")])
def test_error_is_counted_by_its_kind_and_raised(
    error: Exception, metric: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        pytest.raises(type(error), match=str(error)),
        count_failures(fault="Fault", refusal="Refused", refused=ExpectedError),
    ):
        raise error

    line = line_of(capsys)
    assert line[metric] == [1.0]
    assert {"Fault", "Refused"} & line.keys() == {metric}


def test_block_without_an_error_counts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with count_failures(fault="Fault", refusal="Refused", refused=ExpectedError):
        pass

    assert capsys.readouterr().out == ""


def test_error_counts_at_the_begin_of_its_block(capsys: pytest.CaptureFixture[str]) -> None:
    """Lambda counts it then: in another period the two would not cancel."""
    began: list[float] = []

    with suppress(ExpectedError), count_failures(fault="Fault", refusal="Refused", refused=ExpectedError):
        began.append(time.time())
        time.sleep(0.01)  # until the clock shows another millisecond
        raise ExpectedError

    assert line_of(capsys)["_aws"]["Timestamp"] <= began[0] * 1000
