"""A CloudEvent with changes for a test."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tenancy.rules.events.cloud_events import parse_cloud_event
from tenancy.rules.events.row import BatchContext, EventRow, InvalidEventError

NOW = datetime(2026, 11, 24, 12, 0, 0, 456_789, tzinfo=UTC)
ACME = UUID("0a000000-0000-4000-8000-00000000000a")
RECEPTION = BatchContext(organization_id=ACME, received_at=NOW)
CLOUD_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "order-1001",
    "source": "https://shop.example/orders",
    "type": "com.example.order.completed",
    "subject": "device-1",
    "time": "2026-11-20T10:00:00.123Z",
    "data": {"order_id": "1001", "revenue": "49.90", "currency": "eur"},
}


def raw(**changes: Any) -> bytes:  # noqa: ANN401 - also invalid values
    return json.dumps({**CLOUD_EVENT, **changes}, ensure_ascii=False).encode()


def without(*members: str) -> bytes:
    return json.dumps({name: value for name, value in CLOUD_EVENT.items() if name not in members}).encode()


def parse(text: bytes = b"", *, reception: BatchContext = RECEPTION, **changes: Any) -> EventRow:  # noqa: ANN401
    return parse_cloud_event(text or raw(**changes), reception)


def faults(text: bytes) -> list[tuple[str, str]]:
    with pytest.raises(InvalidEventError) as error:
        parse(text)
    assert all(each.message for each in error.value.errors)
    return [(each.location, each.code) for each in error.value.errors]
