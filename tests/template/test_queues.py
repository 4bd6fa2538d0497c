"""Queues: a message waits longer than its function runs, comes again after a failure, and outlives the stack."""

import pytest

from tests.given import ROOT
from tests.template.template import FOLDERS, FUNCTIONS, RESOURCES, events

WITHIN_CHARACTERS = 200
CONSUMERS = [function for function in FOLDERS if events(function, "SQS")]


@pytest.mark.parametrize("function", CONSUMERS)
def test_message_is_hidden_for_six_time_outs_and_the_window(function: str) -> None:
    """AWS recommends this, because Lambda may retry a throttled batch within one visibility time-out."""
    [event] = events(function, "SQS")
    queue = RESOURCES[event["Queue"]["Fn::GetAtt"].removesuffix(".Arn")]["Properties"]

    shortest = 6 * FUNCTIONS[function]["Timeout"] + event["MaximumBatchingWindowInSeconds"]

    assert queue["VisibilityTimeout"] >= shortest


@pytest.mark.parametrize("function", CONSUMERS)
def test_message_is_delivered_at_least_five_times(function: str) -> None:
    [event] = events(function, "SQS")
    queue = RESOURCES[event["Queue"]["Fn::GetAtt"].removesuffix(".Arn")]["Properties"]

    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5


@pytest.mark.parametrize("function", CONSUMERS)
def test_only_failed_messages_of_a_batch_come_again(function: str) -> None:
    [event] = events(function, "SQS")

    assert event["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_no_redrive_in_the_documents_lacks_a_destination() -> None:
    """Messages that a function sent to a dead-letter queue itself have no source queue to return to."""
    documents = [path.read_text() for path in (ROOT / "docs").glob("*.md")]

    redrives = [command for text in documents for command in text.split("start-message-move-task")[1:]]

    assert redrives
    assert [redrive for redrive in redrives if "--destination-arn" not in redrive[:WITHIN_CHARACTERS]] == []
