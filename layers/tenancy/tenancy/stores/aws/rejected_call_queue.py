"""The queue of sampled calls of Segment SDKs that cannot be events."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.stores.aws.client import AwsClient


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedCall:
    """A rejected call: its first cause, its place in the batch, its size and its content.

    The content is the text of a frame.
    """

    cause: str
    index: int
    size_bytes: int
    text: str


class RejectedCallQueue:
    """The SQS queue that drain reads."""

    def __init__(self, aws: AwsClient, queue_url: str) -> None:
        """Send to *queue_url*."""
        self._aws = aws
        self._queue_url = queue_url

    def send_calls(self, organization_id: UUID, calls: Sequence[RejectedCall]) -> None:
        """Send at most 10 *calls* in one call. A call that SQS rejects is lost.

        Raises:
            UnavailableError: SQS rejected the messages or is unreachable.
        """
        entries = [
            {
                "Id": str(number),
                "MessageBody": call.text,
                "MessageAttributes": {
                    "organization_id": {"DataType": "String", "StringValue": str(organization_id)},
                    "error": {"DataType": "String", "StringValue": call.cause},
                    "call_index": {"DataType": "Number", "StringValue": str(call.index)},
                    "size_bytes": {"DataType": "Number", "StringValue": str(call.size_bytes)},
                },
            }
            for number, call in enumerate(calls)
        ]
        try:
            self._aws.call("AmazonSQS.SendMessageBatch", {"QueueUrl": self._queue_url, "Entries": entries})
        except AwsCallError as error:
            raise UnavailableError("SQS rejected the sampled calls.") from error
