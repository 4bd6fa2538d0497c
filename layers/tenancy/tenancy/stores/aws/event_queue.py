"""The queue of events: frames in calls of at most 10 messages and 256 KiB."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.events.frames import EventTable, Frame
from tenancy.stores.aws.client import AwsClient

MAX_MESSAGES_PER_CALL: Final = 10
MAX_BYTES_PER_CALL: Final = 256 * 1024
ATTRIBUTE_BYTES: Final = 256  # an upper bound for the attributes of one message
ATTEMPTS: Final = 3


class EventQueue:
    """The SQS queue that load reads."""

    def __init__(self, aws: AwsClient, queue_url: str) -> None:
        """Send to *queue_url*."""
        self._aws = aws
        self._queue_url = queue_url

    def send_frames(self, organization_id: UUID, table: EventTable, frames: Sequence[Frame]) -> None:
        """Send all *frames* of the organization for *table*, and return when SQS has stored them.

        Entries that SQS rejects are sent again, at most twice.

        Raises:
            UnavailableError: at least one frame is not in the queue. Others may be. The client can safely retry,
                because a repeated event has the same identity.
        """
        for batch in _batches(frames):
            self._send([_entry(number, organization_id, table, frame) for number, frame in enumerate(batch)])

    def _send(self, entries: list[dict[str, Any]]) -> None:
        for _ in range(ATTEMPTS):
            stored = self._send_once(entries)
            entries = [entry for entry in entries if entry["Id"] not in stored]
            if not entries:
                return
        raise UnavailableError("SQS rejected the events.")

    def _send_once(self, entries: list[dict[str, Any]]) -> set[str]:
        """Return the ids of the entries that SQS stored.

        SQS answers 200 even if it stored only some of them.
        """
        try:
            answer = self._aws.call("AmazonSQS.SendMessageBatch", {"QueueUrl": self._queue_url, "Entries": entries})
        except AwsCallError as error:
            raise UnavailableError("SQS rejected the events.") from error
        return {entry["Id"] for entry in answer.get("Successful", [])}


def _entry(number: int, organization_id: UUID, table: EventTable, frame: Frame) -> dict[str, Any]:
    return {
        "Id": str(number),
        "MessageBody": frame.text,
        "MessageAttributes": {
            "organization_id": {"DataType": "String", "StringValue": str(organization_id)},
            "table": {"DataType": "String", "StringValue": table},
            "events": {"DataType": "Number", "StringValue": str(frame.events)},
        },
    }


def _batches(frames: Sequence[Frame]) -> list[list[Frame]]:
    batches: list[list[Frame]] = []
    free = 0
    for frame in frames:
        size = len(frame.text) + ATTRIBUTE_BYTES
        if not batches or len(batches[-1]) == MAX_MESSAGES_PER_CALL or size > free:
            batches.append([])
            free = MAX_BYTES_PER_CALL
        batches[-1].append(frame)
        free -= size
    return batches
