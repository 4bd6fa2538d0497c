"""Queues: a message waits longer than its function runs, comes again after a failure, and outlives the stack."""

from typing import Any

import pytest

from tests.template.template import FOLDERS, FUNCTIONS, RESOURCES, TEMPLATE, events, properties_of

CONSUMED = [(function, event["Queue"]["Fn::GetAtt"]) for function in FOLDERS for event in events(function, "SQS")]
DEAD_LETTER_TARGETS = {
    queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"]
    for queue in properties_of("AWS::SQS::Queue").values()
    if "RedrivePolicy" in queue
}


def queue_of(arn: str) -> dict[str, Any]:
    properties: dict[str, Any] = RESOURCES[arn.removesuffix(".Arn")]["Properties"]
    return properties


@pytest.mark.parametrize(("function", "queue"), CONSUMED)
def test_message_is_hidden_for_six_time_outs(function: str, queue: str) -> None:
    """AWS recommends six, because Lambda may retry a throttled batch within one visibility time-out."""
    assert queue_of(queue)["VisibilityTimeout"] >= 6 * FUNCTIONS[function]["Timeout"]


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


def test_queues_and_keys_outlive_the_stack() -> None:
    kept = [resource for resource in RESOURCES.values() if resource["Type"] in {"AWS::SQS::Queue", "AWS::KMS::Key"}]

    assert {resource["DeletionPolicy"] for resource in kept} == {"Retain"}
