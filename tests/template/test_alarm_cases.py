"""Each alarm fires on data that fits its description, and on no other data.

The rules are CloudWatch's (alarm_rules.py). The data is in alarm_cases.py: an alarm without data there fails here.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tenancy.gateway.metrics import EVENTS_NOT_LOADED, NAMESPACE, RECORDS_NOT_WRITTEN, count
from tests.members import for_each
from tests.template.alarm_cases import CASES, Data
from tests.template.alarm_rules import Metric, Samples, State, evaluate, metric_of, metrics_of
from tests.template.template import ALARMS, FOLDERS, FUNCTIONS, RESOURCES, events, properties_of, routes

ACME, GLOBEX = "acme-production", "globex-production"  # two stacks in one account
# The dimensions with which each service publishes the metrics that alarms watch ("Metrics in …" of its documentation).
PUBLISHED = {
    "AWS/ApiGateway": {"ApiName"},
    "AWS/Lambda": {"FunctionName"},
    "AWS/RDS": {"ProxyName"},
    "AWS/SQS": {"QueueName"},
    "AWS/States": {"StateMachineArn"},
    NAMESPACE: {"service", "stack"},
}
# The guide does not say how many periods CloudWatch reads beyond EvaluationPeriods. In its example it is 2.
EXTRA_PERIODS = (0, 2, 5)
LOGICAL_IDS = {
    properties["CodeUri"].removeprefix("functions/"): name
    for name, properties in properties_of("AWS::Serverless::Function").items()
}


def resolver(stack: str) -> Callable[[Any], str]:
    """Return a function that turns a value of the template into the text that it has in *stack*."""

    def resolve(value: Any) -> str:  # noqa: ANN401 - any value of the template
        match value:
            case str(text):
                return text
            case {"Ref": "AWS::StackName" | "Stack"}:  # the latter in the nested stack, which gets the name
                return stack
            case {"Ref": str(name)}:
                return f"{stack}-{name}"
            case {"Fn::GetAtt": str(name)}:
                return f"{stack}-{name}"
            case {"Fn::If": [_, _, otherwise]}:
                return resolve(otherwise)
        raise AssertionError(f"{value} is no name of a resource or stack")

    return resolve


def samples_of(name: str, data: Data, stack: str) -> Samples:
    """Return *data* as the metrics of *stack* that the alarm watches."""
    watched = [metric_of(each, resolver(stack)) for each in metrics_of(ALARMS[name])]
    assert set(data) <= {metric.name for metric in watched}
    return {metric: data[metric.name] for metric in watched if metric.name in data}


def cases(kind: str) -> list[tuple[str, Data]]:
    return [(name, data) for name, case in CASES.items() for data in getattr(case, kind)]


def state_of(name: str, samples: Samples, extra: int) -> State:
    return evaluate(ALARMS[name], samples, resolver(ACME), extra=extra)


def test_each_alarm_has_its_cases() -> None:
    assert sorted(CASES) == sorted(ALARMS)


@for_each("extra", EXTRA_PERIODS)
@for_each(("name", "data"), cases("fires"))
def test_alarm_fires_on_its_claim(name: str, data: Data, extra: int) -> None:
    assert state_of(name, samples_of(name, data, ACME), extra) is State.ALARM


@for_each("extra", EXTRA_PERIODS)
@for_each(("name", "data"), cases("quiet"))
def test_alarm_is_quiet_on_normal_data(name: str, data: Data, extra: int) -> None:
    assert state_of(name, samples_of(name, data, ACME), extra) is State.OK


@for_each(("name", "data"), cases("fires"))
def test_alarm_is_quiet_on_the_data_of_another_stack(name: str, data: Data) -> None:
    own = samples_of(name, CASES[name].quiet[0], ACME)

    state = state_of(name, {**samples_of(name, data, GLOBEX), **own}, 0)

    assert state is State.OK


@for_each(("name", "data"), cases("quiet"))
def test_other_stack_does_not_hide_an_alarm(name: str, data: Data) -> None:
    own = samples_of(name, CASES[name].fires[0], ACME)

    state = state_of(name, {**samples_of(name, data, GLOBEX), **own}, 0)

    assert state is State.ALARM


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if "Metrics" in alarm])
def test_alarm_with_math_is_left_out_of_the_emulator(name: str) -> None:
    """It refuses a stack with such an alarm."""
    assert RESOURCES[name]["Condition"] == "OnAws"


@for_each("name", ALARMS)
def test_watched_metric_has_the_dimensions_that_are_published(name: str) -> None:
    watched = [metric_of(each, resolver(ACME)) for each in metrics_of(ALARMS[name])]

    assert [metric for metric in watched if {key for key, _ in metric.dimensions} != PUBLISHED[metric.namespace]] == []


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if alarm.get("Namespace") == NAMESPACE])
def test_counted_metric_reaches_its_alarm(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK_NAME", ACME)
    alarm = ALARMS[name]

    count(alarm["MetricName"], amount=int(alarm["Threshold"]) + 1)

    printed = printed_metrics(capsys.readouterr().out)
    minutes = alarm["EvaluationPeriods"] * alarm["Period"] // 60
    samples = {metric: {minute: [value] for minute in range(minutes)} for metric, value in printed.items()}
    assert state_of(name, samples, 0) is State.ALARM


def printed_metrics(line: str) -> dict[Metric, float]:
    """Return the metrics that CloudWatch reads from a line in the embedded metric format."""
    printed = json.loads(line)
    return {
        Metric(
            namespace=directive["Namespace"],
            name=metric["Name"],
            dimensions=frozenset((name, printed[name]) for name in dimensions),
        ): printed[metric["Name"]][0]
        for directive in printed["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
        for dimensions in directive["Dimensions"]
    }


def alarms_of(metric: str, resource: str) -> list[str]:
    """Return the alarms on *metric* of a resource of the template."""
    return [
        name
        for name, alarm in ALARMS.items()
        for each in metrics_of(alarm)
        if each["Metric"]["MetricName"] == metric and resource in json.dumps(each["Metric"]["Dimensions"]).split('"')
    ]


@pytest.mark.parametrize("function", [function for function in FOLDERS if routes(function)])
def test_function_with_routes_has_alarms_on_errors_and_throttles(function: str) -> None:
    assert alarms_of("Errors", LOGICAL_IDS[function])
    assert alarms_of("Throttles", LOGICAL_IDS[function])


@pytest.mark.parametrize("function", [function for function in FOLDERS if events(function, "ScheduleV2")])
def test_scheduled_function_has_alarms_on_errors_and_silence(function: str) -> None:
    [silence] = alarms_of("Invocations", LOGICAL_IDS[function])

    assert alarms_of("Errors", LOGICAL_IDS[function])
    assert ALARMS[silence]["TreatMissingData"] == "breaching"


CONSUMED = [
    (function, event["Queue"]["Fn::GetAtt"].removesuffix(".Arn"))
    for function in FOLDERS
    for event in events(function, "SQS")
]


DEAD_LETTER_TARGETS = {
    queue: RESOURCES[queue]["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"].removesuffix(".Arn")
    for _, queue in CONSUMED
    if "RedrivePolicy" in RESOURCES[queue]["Properties"]
}
# The metric in which a function counts the messages that it gives back to its queue.
GIVEN_BACK = {"drain": "DeadLettersNotDrained", "load": EVENTS_NOT_LOADED, "record": RECORDS_NOT_WRITTEN}


@pytest.mark.parametrize(("function", "queue"), CONSUMED)
def test_queue_has_alarms_on_its_age_and_its_function(function: str, queue: str) -> None:
    assert alarms_of("ApproximateAgeOfOldestMessage", f"{queue}.QueueName")
    assert alarms_of("Errors", LOGICAL_IDS[function])


@pytest.mark.parametrize(("function", "queue"), CONSUMED)
def test_messages_given_back_show_in_each_period(function: str, queue: str) -> None:
    """A message that is received more than three times does not count in the age."""
    [alarm] = [alarm for alarm in ALARMS.values() if alarm.get("MetricName") == GIVEN_BACK[function]]

    assert alarm["Period"] > RESOURCES[queue]["Properties"]["VisibilityTimeout"]
    assert alarm["EvaluationPeriods"] > 1


@pytest.mark.parametrize("queue", DEAD_LETTER_TARGETS)
def test_backlog_alarm_counts_visible_and_in_flight(queue: str) -> None:
    [backlog] = alarms_of("ApproximateNumberOfMessagesNotVisible", f"{queue}.QueueName")

    assert alarms_of("ApproximateNumberOfMessagesVisible", f"{queue}.QueueName") == [backlog]


@pytest.mark.parametrize("queue", DEAD_LETTER_TARGETS.values())
def test_drained_dead_letters_have_an_alarm(queue: str) -> None:
    """Drain counts them in a metric that is named after their queue, which is empty."""
    watched = [alarm["MetricName"] for alarm in ALARMS.values() if alarm.get("Namespace") == NAMESPACE]

    assert watched.count(queue) == 1


@pytest.mark.parametrize(("function", "queue"), CONSUMED)
def test_age_alarm_fires_before_messages_leave_the_metric(function: str, queue: str) -> None:
    """After its third receive a message no longer counts.

    It is received when it becomes visible again.
    """
    [age] = alarms_of("ApproximateAgeOfOldestMessage", f"{queue}.QueueName")
    minute = 60

    third_receive = 2 * RESOURCES[queue]["Properties"]["VisibilityTimeout"]

    assert FUNCTIONS[function]["Timeout"] < ALARMS[age]["Threshold"] <= third_receive - minute
