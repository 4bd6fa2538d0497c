"""The queue of audit records.

Requests send records of reads and refusals to it. The record function writes them to the audit log.
"""

from uuid import UUID

import msgspec

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.audit_record import AddressedRecord, AuditRecord
from tenancy.stores.aws.client import AwsClient


class AuditQueue:
    """The SQS queue that the record function reads."""

    def __init__(self, aws: AwsClient, queue_url: str) -> None:
        """Send to *queue_url*."""
        self._aws = aws
        self._queue_url = queue_url

    def send_record(self, organization_id: UUID, record: AuditRecord) -> None:
        """Send *record* to the audit log of *organization_id*, and return when SQS has stored it.

        Raises:
            UnavailableError: SQS rejected the message or is unreachable. SQS may have stored the message.
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
            raise UnavailableError("SQS rejected the audit record.") from error
