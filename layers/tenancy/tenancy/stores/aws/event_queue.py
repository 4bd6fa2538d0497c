"""The events' queue: frames go in, at most 10 messages and a bounded number of bytes a call."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from tenancy.errors import UnavailableError
from tenancy.rules.events.frames import EventTable, Frame
from tenancy.stores.aws.client import AwsCallError, AwsClient

MAX_MESSAGES_PER_CALL: Final = 10
MAX_BYTES_PER_CALL: Final = 256 * 1024
ATTRIBUTE_BYTES: Final = 256  # more than a message's attributes take
ATTEMPTS: Final = 3


class EventQueue:
    """The queue that load reads."""

    def __init__(self, aws: AwsClient, queue_url: str) -> None:
        """Send to *queue_url*."""
        self._aws = aws
        self._queue_url = queue_url

    def send_frames(self, organization_id: UUID, table: EventTable, frames: Sequence[Frame]) -> None:
        """Return when every frame of the organization is in the queue, bound for *table*.

        Entries that the queue did not take are sent again.

        Raises:
            UnavailableError: some frame is not in the queue. Others may be: their events are the same when the
                client sends them again.
        """
        for batch in _batches(frames):
            self._send([_entry(number, organization_id, table, frame) for number, frame in enumerate(batch)])

    def _send(self, entries: list[dict[str, Any]]) -> None:
        for _ in range(ATTEMPTS):
            taken = self._send_once(entries)
            entries = [entry for entry in entries if entry["Id"] not in taken]
            if not entries:
                return
        raise UnavailableError("The events' queue refuses messages.")

    def _send_once(self, entries: list[dict[str, Any]]) -> set[str]:
        """Return the ids of the entries that the queue took: SQS answers 200 for a part of them."""
        try:
            answer = self._aws.call("AmazonSQS.SendMessageBatch", {"QueueUrl": self._queue_url, "Entries": entries})
        except AwsCallError as error:
            raise UnavailableError("The events' queue refuses messages.") from error
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
