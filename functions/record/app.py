"""Audit queue -> PostgreSQL; answers SQS which messages are none of ours."""

from typing import Any

from aws_lambda_powertools import Logger

from tenancy.settings import Settings
from tenancy.use_cases.audit.record_audit import record_messages
from tenancy.wiring import Wiring

logger = Logger()
platform_db = Wiring(Settings.from_env()).platform_database


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Write the records of a batch of messages (ReportBatchItemFailures)."""
    unwritable = record_messages(platform_db, {record["messageId"]: record["body"] for record in event["Records"]})
    logger.info("recorded", messages=len(event["Records"]), unwritable=len(unwritable))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in unwritable]}
