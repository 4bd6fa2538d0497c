"""Dead letters of a test: messages as drain gets them, and the rows and objects that it has stored."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import boto3

from tenancy.rules.dead_letters import DeadLetter, DeadLetterKind
from tenancy.rules.events.frames import encode_frames, encode_lines
from tenancy.rules.events.row import EventRow
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.use_cases.dead_letters.drain import DeadMessage, Drained, drain_messages
from tests.given import DEAD_LETTERS_BUCKET, REGION, Databases

OBJECTS = DeadLetterObjects(REGION, DEAD_LETTERS_BUCKET, path_style=True)
CAUSE = "ClickHouse error 27 CANNOT_PARSE_INPUT_ASSERTION_FAILED"
NOW = datetime.now(UTC).replace(microsecond=0)  # the database's own clock decides what has expired
RECEIVED = NOW - timedelta(hours=1)
LIST_LETTERS = """
    SELECT id, letter_kind, cause, stored_at IS NOT NULL, redriven_at IS NOT NULL, failed_again_at IS NOT NULL,
           deleted_at IS NOT NULL
    FROM dead_letters WHERE organization_id = %s ORDER BY first_received_at, id
"""
numbers = count()


def row(organization_id: UUID, device: str, *, user: str = "user-1", at: datetime = RECEIVED) -> EventRow:
    """Return the row of one event of *device*, received and happened *at*."""
    text = at.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
    return EventRow(
        organization_id=str(organization_id),
        event_id=f"event-{next(numbers)}",
        event_type="purchase",
        event_name="Order",
        device_id=device,
        session_id="",
        platform="ios",
        event_timestamp=text,
        properties="{}",
        user_properties="{}",
        revenue="1.00",
        currency="EUR",
        received_at=text,
        device_names=(device,),
        user_names=(user,),
    )


def frame(*rows: EventRow) -> str:
    [encoded] = encode_frames(rows)
    return encoded.text


def call(content: str) -> str:
    return encode_lines([content.encode()])


def message(
    organization_id: UUID,
    body: str,
    *,
    kind: DeadLetterKind = DeadLetterKind.EVENTS,
    cause: str = CAUSE,
    received_at: datetime = RECEIVED,
    redriven: UUID | None = None,
) -> DeadMessage:
    """Return a message of a dead-letter queue.

    *redriven* is the id of a letter that was sent back before.
    """
    letter = DeadLetter(
        id=redriven or uuid4(),
        organization_id=organization_id,
        kind=kind,
        cause=cause,
        events=1,
        call_index=None,
        size_bytes=len(body),
        first_received_at=received_at,
    )
    return DeadMessage(message_id=str(letter.id), letter=letter, body=body, was_redriven=redriven is not None)


def drain(databases: Databases, *messages: DeadMessage, now: datetime = NOW) -> Drained:
    return drain_messages(databases.platform, OBJECTS, messages, now=now)


def letters(databases: Databases, organization_id: UUID) -> list[tuple[Any, ...]]:
    """Return id, kind, cause and marks of each row: stored, redriven, failed again, deleted."""
    with databases.platform.tenant_transaction(organization_id) as conn:
        return conn.execute(LIST_LETTERS, (organization_id,)).fetchall()


def marks(databases: Databases, organization_id: UUID) -> list[tuple[bool, ...]]:
    """Return the marks of each row: stored, redriven, failed again, deleted."""
    return [found[3:] for found in letters(databases, organization_id)]


def bodies() -> dict[str, str]:
    """Return the content of each object by key."""
    s3: Any = boto3.client("s3", region_name=REGION)
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=DEAD_LETTERS_BUCKET).get("Contents", [])]
    return {key: s3.get_object(Bucket=DEAD_LETTERS_BUCKET, Key=key)["Body"].read().decode() for key in keys}


def keys_of(messages: Sequence[DeadMessage]) -> set[str]:
    return {f"{each.letter.organization_id}/{each.letter.id}" for each in messages}
