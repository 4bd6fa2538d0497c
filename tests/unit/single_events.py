"""An event of POST /v1/events with changes for a test."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tenancy.rules.events.event import parse_event
from tenancy.rules.events.row import BatchContext, EventRow, InvalidEventError

NOW = datetime(2026, 11, 24, 12, 0, 0, 456_789, tzinfo=UTC)
ACME = UUID("0a000000-0000-4000-8000-00000000000a")
GLOBEX = UUID("0b000000-0000-4000-8000-00000000000b")
RECEPTION = BatchContext(organization_id=ACME, received_at=NOW)
EVENT: dict[str, Any] = {
    "event_type": "purchase",
    "event_name": "Order Completed",
    "device_id": "device-1",
    "platform": "ios",
    "event_timestamp": "2026-11-20T10:00:00.123Z",
    "event_id": "order-1001",
    "session_id": "session-7",
    "properties": {"order_id": "1001"},
    "user_properties": {"plan": "pro"},
    "revenue": "49.90",
    "currency": "EUR",
}


def raw(**changes: Any) -> bytes:  # noqa: ANN401 - also invalid values
    return json.dumps({**EVENT, **changes}, ensure_ascii=False).encode()


def without(*fields: str) -> bytes:
    return json.dumps({name: value for name, value in EVENT.items() if name not in fields}).encode()


def parse(**changes: Any) -> EventRow:  # noqa: ANN401
    return parse_event(raw(**changes), RECEPTION)


def refusal(text: bytes) -> InvalidEventError:
    with pytest.raises(InvalidEventError) as error:
        parse_event(text, RECEPTION)
    assert all(each.message for each in error.value.errors)
    return error.value


def fault(text: bytes) -> tuple[str, str]:
    [error] = refusal(text).errors
    return error.location, error.code
