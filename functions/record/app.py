"""Write queued audit records to PostgreSQL, and tell SQS which messages are unwritable."""

from typing import Any

from aws_lambda_powertools import Logger

from tenancy.gateway.metrics import RECORDS_NOT_WRITTEN, count
from tenancy.settings import Settings
from tenancy.use_cases.audit.record_audit import record_messages
from tenancy.wiring import Wiring

logger = Logger()
platform_db = Wiring(Settings.from_env()).platform_database


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Write the records of a batch of messages (ReportBatchItemFailures)."""
    unwritable = record_messages(platform_db, {record["messageId"]: record["body"] for record in event["Records"]})
    logger.info("recorded", messages=len(event["Records"]), unwritable=len(unwritable))
    if unwritable:
        count(RECORDS_NOT_WRITTEN, amount=len(unwritable))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in unwritable]}
