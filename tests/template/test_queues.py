"""Queues: a message waits longer than its function runs, comes again after a failure, and outlives the stack."""

from typing import Any

import pytest

from tests.given import ROOT
from tests.template.template import FOLDERS, FUNCTIONS, RESOURCES, TEMPLATE, events, properties_of

SOURCES = [(function, event) for function in FOLDERS for event in events(function, "SQS")]
CONSUMED = [(function, event["Queue"]["Fn::GetAtt"]) for function, event in SOURCES]
DEAD_LETTER_TARGETS = {
    queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"]
    for queue in properties_of("AWS::SQS::Queue").values()
    if "RedrivePolicy" in queue
}


def queue_of(arn: str) -> dict[str, Any]:
    properties: dict[str, Any] = RESOURCES[arn.removesuffix(".Arn")]["Properties"]
    return properties


@pytest.mark.parametrize(("function", "event"), SOURCES)
def test_message_is_hidden_for_six_time_outs_and_the_window(function: str, event: dict[str, Any]) -> None:
    """AWS recommends this, because Lambda may retry a throttled batch within one visibility time-out."""
    queue = queue_of(event["Queue"]["Fn::GetAtt"])

    shortest = 6 * FUNCTIONS[function]["Timeout"] + event["MaximumBatchingWindowInSeconds"]

    assert queue["VisibilityTimeout"] >= shortest


@pytest.mark.parametrize(("function", "queue"), CONSUMED)
def test_message_is_delivered_at_least_five_times(function: str, queue: str) -> None:  # noqa: ARG001 - its name
    """A queue without a redrive policy delivers a message until its retention ends."""
    policy = queue_of(queue).get("RedrivePolicy")

    assert policy is None or policy["maxReceiveCount"] >= 5


@pytest.mark.parametrize("function", sorted({function for function, _ in CONSUMED}))
def test_only_failed_messages_of_a_batch_come_again(function: str) -> None:
    types = [event["FunctionResponseTypes"] for event in events(function, "SQS")]

    assert types == [["ReportBatchItemFailures"]] * len(types)


def test_every_queue_has_one_consumer() -> None:
    """A dead-letter queue without a consumer would lose its messages after their retention."""
    consumed = sorted(queue.removesuffix(".Arn") for _, queue in CONSUMED)

    assert consumed == sorted(properties_of("AWS::SQS::Queue"))


def test_every_dead_letter_queue_is_drained() -> None:
    drained = {event["Queue"]["Fn::GetAtt"] for event in events("drain", "SQS")}

    assert drained >= DEAD_LETTER_TARGETS


def test_drain_ends_before_an_erasure_stops_waiting_for_it() -> None:
    """Drain holds no lease or claim, so an erasure waits a fixed time for it."""
    assert FUNCTIONS["drain"]["Timeout"] < TEMPLATE["Parameters"]["ErasureQuietSeconds"]["Default"]


def test_no_document_moves_messages_by_hand() -> None:
    """A move would start the retention of a message again. Erasures rely on that retention."""
    documents = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}

    assert [name for name, text in documents.items() if "start-message-move-task" in text] == []
