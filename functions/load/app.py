"""Load queued events into ClickHouse, and tell SQS which messages to deliver again."""

import time
from contextlib import suppress
from typing import Any
from uuid import UUID

from aws_lambda_powertools import Logger

from tenancy.gateway.metrics import EVENTS_NOT_LOADED, EVENTS_STORED, STORAGE_LAG, count, measure_seconds
from tenancy.settings import Settings
from tenancy.use_cases.ingest.load import QueuedFrame, load_frames
from tenancy.wiring import Wiring

CARRIED = ("dead_letter_id", "events")
MAX_DIGITS = 9  # a frame of 256 KB has fewer events
MILLISECONDS = 1_000  # of a second

logger = Logger()
wiring = Wiring(Settings.from_env("DEAD_LETTERS_URL"))
dead_letters = wiring.dead_letters
clickhouse = wiring.clickhouse_writer()


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Store the events of a batch of messages (ReportBatchItemFailures).

    Messages that are given back are counted: after its third receive a message no longer counts in SQS's age of the
    oldest message.
    """
    messages = [queued_frame(record) for record in event["Records"]]
    loaded = load_frames(clickhouse, dead_letters, messages)
    logger.info("loaded", messages=len(messages), failed=len(loaded.given_back))
    if loaded.given_back:
        count(EVENTS_NOT_LOADED, amount=len(loaded.given_back))
    if loaded.stored:
        count(EVENTS_STORED, amount=sum(number_of_events(message) for message in loaded.stored))
        measure_seconds(STORAGE_LAG, lags(event["Records"], {message.message_id for message in loaded.stored}))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in loaded.given_back]}


def number_of_events(message: QueuedFrame) -> int:
    """Return the number of events that the sender of *message* named."""
    text = message.carried.get("events", "")
    return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else 0


def lags(records: list[dict[str, Any]], stored: set[str]) -> list[float]:
    """Return the seconds that each *stored* message waited in the queue until now."""
    now = time.time()
    return [
        max(now - int(record["attributes"]["SentTimestamp"]) / MILLISECONDS, 0.0)
        for record in records
        if record["messageId"] in stored and "SentTimestamp" in record["attributes"]
    ]


def organization_text(text: str) -> str:
    """Return *text* as the UUID's canonical text, or an empty text if it is no UUID."""
    with suppress(ValueError):
        return str(UUID(text))
    return ""


def queued_frame(record: dict[str, Any]) -> QueuedFrame:
    """Return the frame in an SQS *record*.

    `load_frames` rejects a message that ingest did not send.
    """
    attributes = {name: attribute.get("stringValue", "") for name, attribute in record["messageAttributes"].items()}
    return QueuedFrame(
        message_id=record["messageId"],
        organization_id=organization_text(attributes.get("organization_id", "")),
        table="held_events" if attributes.get("table") == "held_events" else "events",
        text=record["body"],
        carried=carried_attributes(attributes, record["attributes"]),
    )


def carried_attributes(attributes: dict[str, str], of_queue: dict[str, str]) -> dict[str, str]:
    """Return the attributes that a dead letter keeps.

    They are its id after a redrive, its number of events, and the time of its first receipt.
    """
    first = attributes.get("first_received_at") or of_queue.get("SentTimestamp", "")
    values = {"first_received_at": first, **{name: attributes.get(name, "") for name in CARRIED}}
    return {name: value for name, value in values.items() if value}
