"""Queue -> ClickHouse; answers SQS which messages must be delivered again."""

from contextlib import suppress
from functools import cache
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger

from tenancy.settings import Settings
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.dead_letters import DeadLetters
from tenancy.stores.aws.secrets import CLICKHOUSE, Secrets
from tenancy.stores.clickhouse.client import Client, connect
from tenancy.use_cases.ingest.load import QueuedFrame, load_frames

logger = Logger()
settings = Settings.from_env()
secrets = Secrets(AwsClient("secretsmanager", settings.region, settings.aws_endpoint_url), settings.secrets_prefix)
dead_letters = DeadLetters(AwsClient("sqs", settings.region, settings.aws_endpoint_url), settings.dead_letters_url)


@cache
def clickhouse() -> Client:
    """Return the client; made at the first batch, kept for the life of the process."""
    return connect(secrets.get_secret(CLICKHOUSE))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Store the events of a batch of messages (ReportBatchItemFailures)."""
    messages = [queued_frame(record) for record in event["Records"]]
    again = load_frames(clickhouse, dead_letters, messages)
    logger.info("loaded", messages=len(messages), again=len(again))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}


def organization_text(text: str) -> str:
    """Return the UUID that *text* is, as the rows spell it; empty for none."""
    with suppress(ValueError):
        return str(UUID(text))
    return ""


def queued_frame(record: dict[str, Any]) -> QueuedFrame:
    """Return the frame in an SQS *record*; one that ingest did not send is found out by its text."""
    attributes = {name: attribute.get("stringValue", "") for name, attribute in record["messageAttributes"].items()}
    return QueuedFrame(
        message_id=record["messageId"],
        organization_id=organization_text(attributes.get("organization_id", "")),
        table="held_events" if attributes.get("table") == "held_events" else "events",
        text=record["body"],
    )
