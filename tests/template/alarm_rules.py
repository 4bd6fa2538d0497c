"""CloudWatch's evaluation of an alarm, as its user guide documents it.

The sections are "Configuring how CloudWatch alarms treat missing data", "Evaluating an alarm" and "Using math
expressions with CloudWatch metrics".
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import add, ge, gt, le, lt, sub
from types import MappingProxyType
from typing import Any, Final

MINUTE: Final = 60
COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = MappingProxyType(
    {
        "GreaterThanThreshold": gt,
        "GreaterThanOrEqualToThreshold": ge,
        "LessThanThreshold": lt,
        "LessThanOrEqualToThreshold": le,
    }
)
STATISTICS: Final[Mapping[str, Callable[[Sequence[float]], float]]] = MappingProxyType(
    {"Sum": sum, "Maximum": max, "Minimum": min, "Average": lambda values: sum(values) / len(values)}
)

OPERATORS: Final[Mapping[type[ast.operator], Callable[[float, float], float]]] = MappingProxyType(
    {ast.Add: add, ast.Sub: sub}
)

type Points = list[float | None]  # one a period, the newest last; None is a missing one
type Dimensions = frozenset[tuple[str, str]]


class State(StrEnum):
    """The states of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class UndocumentedError(Exception):
    """The user guide does not say how CloudWatch decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric: a name with other dimensions is another metric."""

    namespace: str
    name: str
    dimensions: Dimensions


type Samples = Mapping[Metric, Mapping[int, Sequence[float]]]  # values by the minute before now in which they came


def evaluate(
    alarm: Mapping[str, Any], samples: Samples, resolve: Callable[[Any], str], *, extra: int, before: State = State.OK
) -> State:
    """Return the state of *alarm*, whose properties *resolve* turns into texts.

    *extra* is the number of periods that CloudWatch reads in addition to EvaluationPeriods. AWS documents no number for
    it; 2 in its example.
    """
    periods = int(alarm["EvaluationPeriods"])
    points = _points(alarm, samples, resolve, periods + extra)
    compare, threshold = COMPARISONS[alarm["ComparisonOperator"]], float(alarm["Threshold"])
    breaching = [None if point is None else compare(point, threshold) for point in points]
    treatment = alarm.get("TreatMissingData", "missing")
    return decide(breaching, periods, int(alarm.get("DatapointsToAlarm", periods)), treatment, before=before)


def decide(points: Sequence[bool | None], periods: int, to_alarm: int, treatment: str, *, before: State) -> State:
    """Return the state for data *points*: breaching, not breaching, or missing, the newest last."""
    real = [point for point in points if point is not None]
    if len(real) >= periods:
        return State.ALARM if sum(real[-periods:]) >= to_alarm else State.OK
    missing = periods - len(real)
    if treatment in {"breaching", "notBreaching"}:
        filled = sum(real) + (missing if treatment == "breaching" else 0)
        return State.ALARM if filled >= to_alarm else State.OK
    if not real:
        return before if treatment == "ignore" else State.INSUFFICIENT_DATA
    if sum(real) >= to_alarm:
        return State.ALARM
    if not all(real):
        return State.OK
    return _of_breaching_points(points, to_alarm, treatment, before)


def _of_breaching_points(points: Sequence[bool | None], to_alarm: int, treatment: str, before: State) -> State:
    """Return the state if all points that are not missing are breaching ("premature transitions to alarm state")."""
    if treatment == "ignore":
        return before
    oldest = next(age for age, point in zip(range(len(points), 0, -1), points, strict=True) if point)
    if oldest >= to_alarm:
        return State.ALARM
    raise UndocumentedError("The alarm does not go into ALARM yet. The guide does not name its state.")


def metrics_of(alarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the MetricStat of each metric that *alarm* watches, also of one without math."""
    if "Metrics" in alarm:
        return [each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each]
    metric = {"Namespace": alarm["Namespace"], "MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"]}
    return [{"Metric": metric, "Stat": alarm["Statistic"], "Period": alarm["Period"]}]


def metric_of(metric_stat: Mapping[str, Any], resolve: Callable[[Any], str]) -> Metric:
    """Return the metric that *metric_stat* names."""
    metric = metric_stat["Metric"]
    dimensions = frozenset((each["Name"], resolve(each["Value"])) for each in metric["Dimensions"])
    return Metric(namespace=metric["Namespace"], name=metric["MetricName"], dimensions=dimensions)


def _points(alarm: Mapping[str, Any], samples: Samples, resolve: Callable[[Any], str], count: int) -> Points:
    if "Metrics" not in alarm:
        [only] = metrics_of(alarm)
        return _series(only, samples, resolve, count)
    [returned] = [each for each in alarm["Metrics"] if each.get("ReturnData", True)]
    given = {
        each["Id"]: _series(each["MetricStat"], samples, resolve, count)
        for each in alarm["Metrics"]
        if "MetricStat" in each
    }
    return _calculate(ast.parse(returned["Expression"], mode="eval").body, given, count)


def _series(metric_stat: Mapping[str, Any], samples: Samples, resolve: Callable[[Any], str], count: int) -> Points:
    """Return the statistic of each of the *count* newest periods."""
    minutes, statistic = int(metric_stat["Period"]) // MINUTE, STATISTICS[metric_stat["Stat"]]
    by_minute = samples.get(metric_of(metric_stat, resolve), {})
    points: Points = []
    for period in range(count - 1, -1, -1):
        values = [
            value for minute in range(period * minutes, (period + 1) * minutes) for value in by_minute.get(minute, ())
        ]
        points.append(statistic(values) if values else None)
    return points


def _calculate(node: ast.expr, given: Mapping[str, Points], count: int) -> Points:
    """Return the points of a math expression.

    Where an operand is missing, the result is missing.
    """
    match node:
        case ast.Name(id=name):
            return given[name]
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            pairs = zip(_calculate(left, given, count), _calculate(right, given, count), strict=True)
            return [None if a is None or b is None else OPERATORS[type(operator)](a, b) for a, b in pairs]
        case ast.Call(func=ast.Name(id="FILL"), args=[series, ast.Constant(value=int(value))]):
            return _fill(_calculate(series, given, count), float(value))
    raise UndocumentedError(f"Add {ast.unparse(node)} to these rules, with the section that documents it.")


def _fill(points: Points, value: float) -> Points:
    """Replace missing points, but not those of a metric without any: there is no time series to fill."""
    if all(point is None for point in points):
        return points
    return [value if point is None else point for point in points]
