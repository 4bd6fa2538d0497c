"""Queues: a message waits longer than its function runs, comes again after a failure, and outlives the stack."""

import pytest

from tests.template.template import FOLDERS, FUNCTIONS, RESOURCES, events

CONSUMERS = [function for function in FOLDERS if events(function, "SQS")]


@pytest.mark.parametrize("function", CONSUMERS)
def test_message_is_hidden_for_six_time_outs(function: str) -> None:
    """AWS recommends six, because Lambda may retry a throttled batch within one visibility time-out."""
    [event] = events(function, "SQS")
    queue = RESOURCES[event["Queue"]["Fn::GetAtt"].removesuffix(".Arn")]["Properties"]

    assert queue["VisibilityTimeout"] >= 6 * FUNCTIONS[function]["Timeout"]


@pytest.mark.parametrize("function", CONSUMERS)
def test_message_is_delivered_at_least_five_times(function: str) -> None:
    [event] = events(function, "SQS")
    queue = RESOURCES[event["Queue"]["Fn::GetAtt"].removesuffix(".Arn")]["Properties"]

    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5


@pytest.mark.parametrize("function", CONSUMERS)
def test_only_failed_messages_of_a_batch_come_again(function: str) -> None:
    [event] = events(function, "SQS")

    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_queues_and_keys_outlive_the_stack() -> None:
    kept = [resource for resource in RESOURCES.values() if resource["Type"] in {"AWS::SQS::Queue", "AWS::KMS::Key"}]

    assert {resource["DeletionPolicy"] for resource in kept} == {"Retain"}
