"""A queue to which dead letters are sent back."""

from datetime import datetime, timedelta
from typing import Final

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.dead_letters import FRAMES, DeadLetter
from tenancy.stores.aws.client import AwsClient

EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class RedriveQueue:
    """The SQS queue of events or of audit records."""

    def __init__(self, aws: AwsClient, queue_url: str) -> None:
        """Send to *queue_url*."""
        self._aws = aws
        self._queue_url = queue_url

    def send_back(self, letter: DeadLetter, body: str) -> None:
        """Send the dead letter to the queue, and return when SQS has stored it.

        The message names its dead letter and its first receipt, so that a second failure is recognized.

        Raises:
            UnavailableError: SQS rejected the message or is unreachable. SQS may have stored the message.
        """
        values = {
            "organization_id": str(letter.organization_id),
            "dead_letter_id": str(letter.id),
            "first_received_at": str((letter.first_received_at - EPOCH) // timedelta(milliseconds=1)),
        }
        if letter.kind in FRAMES:
            values["table"] = letter.kind.value
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
        if letter.events is not None:
            attributes["events"] = {"DataType": "Number", "StringValue": str(letter.events)}
        document = {"QueueUrl": self._queue_url, "MessageBody": body, "MessageAttributes": attributes}
        try:
            self._aws.call("AmazonSQS.SendMessage", document)
        except AwsCallError as error:
            raise UnavailableError("SQS rejected the dead letter.") from error
