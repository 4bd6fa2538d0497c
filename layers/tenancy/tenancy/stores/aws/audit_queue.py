"""The queue of audit records: reads and refusals go in, the record function writes them to the log."""

from uuid import UUID

import msgspec

from tenancy.errors import UnavailableError
from tenancy.rules.audit_record import AddressedRecord, AuditRecord
from tenancy.stores.aws.client import AwsCallError, AwsClient


class AuditQueue:
    """Where records wait for the log."""

    def __init__(self, aws: AwsClient, queue_url: str) -> None:
        """Send to *queue_url*."""
        self._aws = aws
        self._queue_url = queue_url

    def send_record(self, organization_id: UUID, record: AuditRecord) -> None:
        """Return when the queue has *record* for the log of *organization_id*.

        Raises:
            UnavailableError: it may not have it.
        """
        body = msgspec.json.encode(AddressedRecord(organization_id=organization_id, record=record)).decode()
        attribute = {"DataType": "String", "StringValue": str(organization_id)}
        document = {
            "QueueUrl": self._queue_url,
            "MessageBody": body,
            "MessageAttributes": {"organization_id": attribute},
        }
        try:
            self._aws.call("AmazonSQS.SendMessage", document)
        except AwsCallError as error:
            raise UnavailableError("The audit queue refuses messages.") from error
