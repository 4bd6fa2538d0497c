"""Drain the dead-letter queues, and tell SQS which messages to deliver again."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from aws_lambda_powertools import Logger

from tenancy.gateway.metrics import count
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.dead_letters import MAX_CAUSE_CHARACTERS, DeadLetter, DeadLetterKind
from tenancy.settings import Settings
from tenancy.use_cases.dead_letters.drain import DeadMessage, Drained, drain_messages
from tenancy.wiring import Wiring

MAX_DIGITS = 14  # of a time in milliseconds
MAX_NUMBER = 2**31 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The cause of a message that SQS moved by itself. Load and ingest name the cause in the attribute `error`.
DEFAULT_CAUSES = {
    DeadLetterKind.EVENTS: "Delivered too often: ClickHouse was unreachable.",
    DeadLetterKind.HELD_EVENTS: "Delivered too often: ClickHouse was unreachable.",
    DeadLetterKind.AUDIT: "Delivered too often: not written to the audit log.",
    DeadLetterKind.CALLS: "unknown",
}
METRICS = {
    DeadLetterKind.EVENTS: "DeadLetters",
    DeadLetterKind.HELD_EVENTS: "DeadLetters",
    DeadLetterKind.AUDIT: "AuditDeadLetters",
}

logger = Logger()
settings = Settings.from_env("AUDIT_DEAD_LETTERS_URL", "DEAD_LETTERS_BUCKET", "DEAD_LETTERS_URL", "REJECTED_CALLS_URL")
wiring = Wiring(settings)
platform_db, objects = wiring.platform_database, wiring.dead_letter_objects
kinds = {
    settings.dead_letters_url.rpartition("/")[2]: DeadLetterKind.EVENTS,
    settings.audit_dead_letters_url.rpartition("/")[2]: DeadLetterKind.AUDIT,
    settings.rejected_calls_url.rpartition("/")[2]: DeadLetterKind.CALLS,
}


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Store a batch of messages by organization (ReportBatchItemFailures)."""
    messages = [dead_message(record) for record in event["Records"]]
    drained = drain_messages(platform_db, objects, messages, now=datetime.now(UTC))
    report(drained)
    logger.info("drained", messages=len(messages), failed=len(drained.failed))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in drained.failed]}


def report(drained: Drained) -> None:
    """Log each cause, and count the metrics that alarms watch."""
    for cause, messages in drained.counts.items():
        fields = {"organization_id": str(cause.organization_id), "kind": cause.kind.value, "cause": cause.cause}
        logger.warning("dead letters", extra={**fields, "messages": messages})
        if cause.kind in METRICS:
            count(METRICS[cause.kind], fields, amount=messages)
    if drained.failed:
        count("DeadLettersNotDrained", amount=len(drained.failed))


def dead_message(record: dict[str, Any]) -> DeadMessage:
    """Return the message in an SQS *record*.

    A message without the id of an organization is the platform's.
    """
    attributes = {name: attribute.get("stringValue", "") for name, attribute in record["messageAttributes"].items()}
    organization_id = parse_id(attributes.get("organization_id", "")) or PLATFORM_LOG
    known_id = parse_id(attributes.get("dead_letter_id", ""))
    kind = kinds[record["eventSourceARN"].rpartition(":")[2]]
    if kind is DeadLetterKind.EVENTS and attributes.get("table") == DeadLetterKind.HELD_EVENTS:
        kind = DeadLetterKind.HELD_EVENTS
    body = record["body"]
    size_bytes = parse_number(attributes.get("size_bytes", ""))
    letter = DeadLetter(
        id=known_id or uuid5(organization_id, record["messageId"]),
        organization_id=organization_id,
        kind=kind,
        cause=storable(attributes.get("error") or DEFAULT_CAUSES[kind])[:MAX_CAUSE_CHARACTERS],
        events=parse_number(attributes.get("events", "")),
        call_index=parse_number(attributes.get("call_index", "")),
        size_bytes=len(body.encode(errors="replace")) if size_bytes is None else size_bytes,
        first_received_at=first_receipt(attributes, record["attributes"]),
    )
    return DeadMessage(message_id=record["messageId"], letter=letter, body=body, was_redriven=known_id is not None)


def first_receipt(attributes: dict[str, str], of_queue: dict[str, str]) -> datetime:
    """Return the time at which SQS first had the message.

    It is the earlier one of the message's attribute and the queue's own time.
    """
    texts = (attributes.get("first_received_at", ""), of_queue["SentTimestamp"])
    times = [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS]
    return EPOCH + timedelta(milliseconds=min(times))


def storable(text: str) -> str:
    """Replace the characters of *text* that PostgreSQL cannot store."""
    return text.encode(errors="replace").decode().replace("\0", " ")


def parse_id(text: str) -> UUID | None:
    """Return the UUID in *text*, or None without one."""
    with suppress(ValueError):
        return UUID(text)
    return None


def parse_number(text: str) -> int | None:
    """Return the whole number in *text*, or None if there is none that fits into a column."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None
    return number if number is not None and number <= MAX_NUMBER else None
