"""The dead-letter queue of events: frames that ClickHouse rejects, each with its error."""

from collections.abc import Mapping
from types import MappingProxyType

from tenancy.stores.aws.client import AwsClient


class DeadLetters:
    """The queue to which load sends rejected frames.

    SQS itself moves a message to this queue after too many deliveries.
    """

    def __init__(self, aws: AwsClient, queue_url: str) -> None:
        """Send to *queue_url*."""
        self._aws = aws
        self._queue_url = queue_url

    def send(
        self,
        organization_id: str,
        table: str,
        text: str,
        *,
        error: str,
        carried: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Send one frame to the queue. *error* describes the fault without the content of the frame.

        *carried* has attributes of the message that held the frame, such as the time of its first receipt.

        Raises:
            UnavailableError, AwsCallError: the frame is not in the dead-letter queue.
        """
        values = {**carried, "organization_id": organization_id, "table": table, "error": error}
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}
        document = {"QueueUrl": self._queue_url, "MessageBody": text, "MessageAttributes": attributes}
        self._aws.call("AmazonSQS.SendMessage", document)
