"""The load of a drill: an organization that continuously sends events and reports usage."""

import secrets
import threading
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from scripts.demo.client import DemoOrganization, Stack, call

BATCH: Final = 20
PAUSE_SECONDS: Final = 0.5


def batch_of(number: int, *, devices: int = 5) -> list[dict[str, Any]]:
    """Return new events of a few devices."""
    now = datetime.now(UTC).isoformat()
    return [
        {
            "event_type": "purchase",
            "event_name": "Order Completed",
            "device_id": f"device-{index % devices}",
            "platform": "web",
            "event_timestamp": now,
            "event_id": secrets.token_hex(8),
            "revenue": "1.25",
            "currency": "EUR",
        }
        for index in range(number)
    ]


@contextmanager
def under_load(stack: Stack, organization: DemoOrganization) -> Iterator[None]:
    """Write to both databases until the block ends. Refusals, such as a reached quota, are ignored."""
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(PAUSE_SECONDS):
            try:
                call(f"{stack.api_url}/events", organization.write_key, body={"events": batch_of(BATCH)})
                call(f"{stack.api_url}/usage/ml_predictions", organization.secret_key, body={"amount": 1})
            except urllib.error.HTTPError as error:
                error.close()

    writer = threading.Thread(target=write, name="load", daemon=True)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()
