"""Queue -> ClickHouse; answers SQS which messages must be delivered again."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger

from tenancy.settings import Settings
from tenancy.use_cases.ingest.load import QueuedFrame, load_frames
from tenancy.wiring import Wiring

logger = Logger()
wiring = Wiring(Settings.from_env("DEAD_LETTERS_URL"))
dead_letters = wiring.dead_letters
clickhouse = wiring.clickhouse_writer()


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
