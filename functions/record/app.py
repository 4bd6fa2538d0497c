"""Audit queue -> PostgreSQL; answers SQS which messages are none of ours."""

from typing import Any

from aws_lambda_powertools import Logger

from tenancy.settings import Settings
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.secrets import PLATFORM_DATABASE, Secrets
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.audit.record_audit import record_messages

logger = Logger()
settings = Settings.from_env()
secrets = Secrets(AwsClient("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
platform_db = Database(lambda: secrets.get_secret(PLATFORM_DATABASE))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Write the records of a batch of messages (ReportBatchItemFailures)."""
    unwritable = record_messages(platform_db, {record["messageId"]: record["body"] for record in event["Records"]})
    logger.info("recorded", messages=len(event["Records"]), unwritable=len(unwritable))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in unwritable]}
