"""The rules by which the tests evaluate alarms agree with the tables that AWS publishes."""

from typing import Any

import pytest

from tests.members import for_each
from tests.template.alarm_rules import Metric, Samples, State, UndocumentedError, decide, evaluate

RETAIN = "retain"
OK, ALARM, NO_DATA = State.OK, State.ALARM, State.INSUFFICIENT_DATA
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
SYMBOLS = {"0": False, "X": True, "-": None}
# "Configuring how CloudWatch alarms treat missing data" in the user guide of CloudWatch, both tables. Of 3 evaluation
# periods, 3 and then 2 data points lead to an alarm; the evaluation range is 5.
THREE_OF_THREE = {
    "0 - X - X": (OK, OK, OK, OK),
    "0 - - - -": (OK, OK, OK, OK),
    "- - - - -": (NO_DATA, RETAIN, ALARM, OK),
    "0 X X - X": (ALARM, ALARM, ALARM, ALARM),
    "- - X - -": (ALARM, RETAIN, ALARM, OK),
}
TWO_OF_THREE = {
    "0 - X - X": (ALARM, ALARM, ALARM, ALARM),
    "0 0 X 0 X": (ALARM, ALARM, ALARM, ALARM),
    "0 - X - -": (OK, OK, ALARM, OK),
    "- - - - 0": (OK, OK, ALARM, OK),
    "- - - X -": (ALARM, RETAIN, ALARM, OK),
}
ROWS = [
    (to_alarm, row, treatment, state)
    for to_alarm, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for row, states in table.items()
    for treatment, state in zip(TREATMENTS, states, strict=True)
]
LOAD = Metric(namespace="AWS/Lambda", name="Errors", dimensions=frozenset({("FunctionName", "load")}))
RULE = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "TreatMissingData": "notBreaching"}


def points(row: str) -> list[bool | None]:
    return [SYMBOLS[symbol] for symbol in row.split()]


@for_each("before", State)
@for_each(("to_alarm", "row", "treatment", "state"), ROWS)
def test_state_is_that_of_the_published_table(
    to_alarm: int, row: str, treatment: str, state: str, before: State
) -> None:
    decided = decide(points(row), 3, to_alarm, treatment, before=before)

    assert decided == (before if state == RETAIN else state)


@pytest.mark.parametrize("row", ["- - - - X", "- - - X -"])
def test_first_breaching_point_does_not_alarm_yet(row: str) -> None:
    with pytest.raises(UndocumentedError):
        decide(points(row), 3, 3, "missing", before=OK)


def state_of(samples: Samples, *, extra: int = 0, **changes: Any) -> State:  # noqa: ANN401 - an alarm's properties
    metric = {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "Period": 300, "Threshold": 5}
    dimensions = {"Dimensions": [{"Name": "FunctionName", "Value": "load"}]}
    return evaluate(RULE | metric | dimensions | changes, samples, str, extra=extra)


def test_values_of_one_period_are_aggregated() -> None:
    samples = {LOAD: {0: [3], 4: [3]}}

    assert (state_of(samples), state_of(samples, Statistic="Maximum")) == (ALARM, OK)


def test_values_of_another_period_do_not_count() -> None:
    assert state_of({LOAD: {0: [3], 5: [3]}}) == OK


def test_value_at_the_threshold_is_not_above_it() -> None:
    assert state_of({LOAD: {0: [5]}}) == OK


def test_metric_with_other_dimensions_is_another_metric() -> None:
    other = Metric(namespace="AWS/Lambda", name="Errors", dimensions=frozenset({("FunctionName", "other")}))

    assert state_of({other: {0: [99]}}) == OK


def watching(expression: str) -> dict[str, Any]:
    """Return the metrics of a math expression over the errors of load and of another function."""
    stats = [
        {
            "Id": name,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": "Errors",
                    "Dimensions": [{"Name": "FunctionName", "Value": name}],
                },
                "Stat": "Sum",
                "Period": 300,
            },
        }
        for name in ("load", "other")
    ]
    return {"Metrics": [{"Id": "result", "Expression": expression}, *stats]}


def test_sum_is_missing_where_one_operand_is_missing() -> None:
    assert state_of({LOAD: {0: [99]}}, **watching("load + other"), TreatMissingData="missing") == NO_DATA


@pytest.mark.parametrize(("expression", "state"), [("load + other", ALARM), ("load - other", OK), ("other - load", OK)])
def test_math_of_two_metrics(expression: str, state: State) -> None:
    other = Metric(namespace="AWS/Lambda", name="Errors", dimensions=frozenset({("FunctionName", "other")}))

    assert state_of({LOAD: {0: [5]}, other: {0: [4]}}, **watching(expression)) == state


@pytest.mark.parametrize("expression", ["load - other", "other - load"])
def test_difference_is_missing_where_one_operand_is_missing(expression: str) -> None:
    assert state_of({LOAD: {0: [99]}}, **watching(expression), TreatMissingData="missing") == NO_DATA


def test_fill_replaces_missing_points() -> None:
    silent_now = {LOAD: {5: [1]}}

    filled = state_of(silent_now, extra=1, **watching("FILL(load, 9)"))

    assert filled == ALARM


def test_fill_of_a_metric_without_points_stays_missing() -> None:
    assert state_of({}, extra=1, **watching("FILL(load, 9)"), TreatMissingData="missing") == NO_DATA


def test_expression_without_a_rule_is_an_error() -> None:
    with pytest.raises(UndocumentedError):
        state_of({}, **watching("ANOMALY_DETECTION_BAND(load)"))
