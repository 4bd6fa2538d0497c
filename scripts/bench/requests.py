"""Requests as API Gateway sends them to a function."""

import base64
from datetime import UTC, datetime
from typing import Any

from scripts.bench.functions import sample


def events_request(body: bytes) -> dict[str, Any]:
    """Return a request of POST /v1/events with *body*, received now."""
    moment = {"requestTimeEpoch": int(datetime.now(UTC).timestamp() * 1000)}
    envelope = sample("ingest/events")
    context = envelope["requestContext"] | moment
    return envelope | {"requestContext": context, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
