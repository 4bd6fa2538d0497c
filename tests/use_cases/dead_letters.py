"""Dead letters of a test: messages as drain gets them, and the rows and objects that it has stored."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tenancy.rules.dead_letters import DeadLetter, DeadLetterKind
from tenancy.rules.events.frames import encode_frames, encode_lines
from tenancy.rules.events.row import EventRow
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.use_cases.dead_letters.drain import DeadMessage, Drained, drain_messages
from tests.given import DEAD_LETTERS_BUCKET, REGION, Databases
from tests.use_cases.privacy_jobs import HasTime, unlimited_time

OBJECTS = DeadLetterObjects(REGION, DEAD_LETTERS_BUCKET, path_style=True)
CAUSE = "ClickHouse error 27 CANNOT_PARSE_INPUT_ASSERTION_FAILED"
NOW = datetime.now(UTC).replace(microsecond=0)  # the database's own clock decides what has expired
RECEIVED = NOW - timedelta(hours=1)
LIST_LETTERS = """
    SELECT id, letter_kind, cause, stored_at IS NOT NULL, redriven_at IS NOT NULL, failed_again_at IS NOT NULL,
           deleted_at IS NOT NULL
    FROM dead_letters WHERE organization_id = %s ORDER BY first_received_at, id
"""
SEND = "_make_api_call"  # of botocore: every call of every client
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


def drain(
    databases: Databases, *messages: DeadMessage, now: datetime = NOW, has_time: HasTime = unlimited_time
) -> Drained:
    return drain_messages(databases.platform, OBJECTS, messages, has_time=has_time, now=now)


def refuse_keys(monkeypatch: pytest.MonkeyPatch, operation: str, keys: Collection[str]) -> None:
    """Let S3 refuse one operation on some objects, as it does for an object with a hold."""
    send = getattr(BaseClient, SEND)

    def refusing(client: Any, name: str, values: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's
        error: Any = {"Code": "AccessDenied", "Message": "Access Denied"}
        if name == operation and values.get("Key") in keys:
            raise ClientError({"Error": error}, name)
        if name == operation == "DeleteObjects":
            objects = values["Delete"]["Objects"]
            kept = [each for each in objects if each["Key"] not in keys]
            errors = [{**error, "Key": each["Key"]} for each in objects if each["Key"] in keys]
            answer = send(client, name, {**values, "Delete": {"Objects": kept, "Quiet": True}}) if kept else {}
            return {**answer, "Errors": errors}
        return send(client, name, values)

    monkeypatch.setattr(BaseClient, SEND, refusing)


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
