"""The dead-letter queue of events: frames that ClickHouse will never take, each with its error."""

from tenancy.stores.aws.client import AwsClient


class DeadLetters:
    """Where load sets poison aside. Frames that were delivered too often get there through the queue itself."""

    def __init__(self, aws: AwsClient, queue_url: str) -> None:
        """Send to *queue_url*."""
        self._aws = aws
        self._queue_url = queue_url

    def send(self, organization_id: str, table: str, text: str, *, error: str) -> None:
        """Set one frame aside; *error* says what is wrong with it, without its content.

        Raises:
            UnavailableError, AwsCallError: it is not among the dead letters.
        """
        values = {"organization_id": organization_id, "table": table, "error": error}
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}
        document = {"QueueUrl": self._queue_url, "MessageBody": text, "MessageAttributes": attributes}
        self._aws.call("AmazonSQS.SendMessage", document)
