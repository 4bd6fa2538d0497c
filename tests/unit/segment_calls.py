"""A call of a Segment SDK with changes for a test."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tenancy.rules.events.row import BatchContext, EventRow, InvalidEventError
from tenancy.rules.events.segment import parse_segment_message

NOW = datetime(2026, 11, 24, 12, 0, 0, 456_789, tzinfo=UTC)
ACME = UUID("0a000000-0000-4000-8000-00000000000a")
GLOBEX = UUID("0b000000-0000-4000-8000-00000000000b")
RECEPTION = BatchContext(organization_id=ACME, received_at=NOW)
CALL: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "ajs-1001",
    "anonymousId": "anonymous-1",
    "userId": "user-42",
    "timestamp": "2026-11-20T10:00:00.123Z",
    "sentAt": "2026-11-24T11:59:59.000Z",
    "context": {"userAgent": "Mozilla/5.0", "sessionId": 1764},
    "integrations": {},
    "properties": {"revenue": 49.9, "currency": "EUR", "order_id": "1001"},
}
type Anything = Any


def raw(**changes: Anything) -> bytes:
    return json.dumps({**CALL, **changes}, ensure_ascii=False).encode()


def without(*members: str) -> bytes:
    return json.dumps({name: value for name, value in CALL.items() if name not in members}).encode()


def parse(
    text: bytes = b"", *, event_type: str | None = None, reception: BatchContext = RECEPTION, **changes: Anything
) -> EventRow:
    return parse_segment_message(text or raw(**changes), reception, event_type=event_type)


def fault(text: bytes, *, event_type: str | None = None) -> tuple[str, str]:
    with pytest.raises(InvalidEventError) as error:
        parse(text, event_type=event_type)
    [fault] = error.value.errors
    assert fault.message
    return fault.location, fault.code
