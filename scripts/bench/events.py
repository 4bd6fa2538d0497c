"""The input of the figures: events of an app's server, and the frames that ingest makes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from tenancy.rules.events.batch import parse_batch
from tenancy.rules.events.event import parse_event
from tenancy.rules.events.frames import Frame, encode_frames
from tenancy.rules.events.row import BatchContext, EventRow
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.events import EVENT_COLUMNS, INSERT_SETTINGS

ORGANIZATION_ID: Final = UUID("0193f6a2-5c1e-4b7a-9d44-3f8a1c2e7b10")  # acme's, in events/
EVENTS_PER_DEVICE: Final = 4


def make_body(count: int) -> bytes:
    """Return a POST /v1/events body of *count* new events of about 420 bytes each."""
    now = datetime.now(UTC)
    devices = [str(uuid4()) for _ in range(0, count, EVENTS_PER_DEVICE)]
    return msgspec.json.encode({"events": [_event(number, now, devices) for number in range(count)]})


def make_segment_body(count: int, write_key: str) -> bytes:
    """Return a POST /v1/batch body of *count* new calls of about 620 bytes each, as a mobile SDK sends them."""
    now = datetime.now(UTC)
    calls = [_call(number, now) for number in range(count)]
    return msgspec.json.encode({"batch": calls, "sentAt": now, "writeKey": write_key})


def make_rows(body: bytes) -> list[EventRow]:
    """Return the rows of *body*, parsed as ingest parses them."""
    reception = BatchContext(organization_id=ORGANIZATION_ID, received_at=datetime.now(UTC))
    return [parse_event(raw, reception) for raw in parse_batch(body).events]


def make_frames(count: int) -> list[Frame]:
    """Return *count* frames of 1,000 new rows, as they lie in the queue."""
    return [frame for _ in range(count) for frame in encode_frames(make_rows(make_body(1_000)))]


def insert_bare(client: Client, table: str, zstd: bytes) -> None:
    """Insert a zstd stream of rows with the driver alone, without any code of ours."""
    client.raw_insert(
        table,
        column_names=EVENT_COLUMNS,
        insert_block=zstd,
        fmt="JSONEachRow",
        compression="zstd",
        settings=dict(INSERT_SETTINGS),
    )


def _event(number: int, now: datetime, devices: Sequence[str]) -> dict[str, Any]:
    return {
        "event_type": "purchase" if number % 3 == 0 else "view",
        "event_name": "Order Completed" if number % 3 == 0 else "Product Viewed",
        "device_id": devices[number // EVENTS_PER_DEVICE],
        "session_id": f"session-{number // EVENTS_PER_DEVICE}",
        "platform": "ios" if number % 2 else "android",
        "event_timestamp": (now - timedelta(milliseconds=137 * number)).isoformat(timespec="milliseconds"),
        "event_id": str(uuid4()),
        "properties": {"sku": f"sku-{number % 97}", "quantity": number % 5, "coupon": None, "path": "/checkout/done"},
        "user_properties": {"plan": "pro", "locale": "de-DE"},
        "revenue": f"{number % 200}.99",
        "currency": "EUR",
    }


def _call(number: int, now: datetime) -> dict[str, Any]:
    device = number // EVENTS_PER_DEVICE
    return {
        "type": "track",
        "event": "Order Completed" if number % 3 == 0 else "Product Viewed",
        "messageId": str(uuid4()),
        "anonymousId": f"4f1c2a9e-0d3b-4c57-8a61-{device:012}",
        "userId": f"user-{device}",
        "timestamp": (now - timedelta(milliseconds=137 * number)).isoformat(timespec="milliseconds"),
        "context": {
            "app": {"name": "Shop", "version": "4.2.0", "build": "421"},
            "device": {"id": f"c0a8-{device:08}", "type": "ios", "model": "iPhone16,2"},
            "library": {"name": "analytics-swift", "version": "1.9.1"},
            "os": {"name": "iOS", "version": "19.1"},
            "locale": "de-DE",
            "timezone": "Europe/Berlin",
        },
        "integrations": {},
        "properties": {"sku": f"sku-{number % 97}", "revenue": number % 200 + 0.99, "currency": "EUR"},
    }
