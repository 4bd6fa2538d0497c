"""Requests as API Gateway hands them to a handler, and the answers that a figure expects."""

import base64
import http.client
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from scripts.bench.functions import sample
from tenancy.gateway.context import to_context
from tenancy.rules.tenant import Tenant

MILLISECONDS: Final = 1_000

type Handler = Callable[[dict[str, Any], Any], Mapping[str, Any]]


def events_request(body: bytes) -> dict[str, Any]:
    """Return a POST /v1/events of now, with *body* in base64."""
    envelope = sample("ingest/events")
    moment = {"requestTimeEpoch": int(datetime.now(UTC).timestamp() * MILLISECONDS)}
    context = envelope["requestContext"] | moment
    return envelope | {"requestContext": context, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def get_request(path: str, tenant: Tenant) -> dict[str, Any]:
    """Return a GET of *path* by *tenant*, which names its organization in a header."""
    envelope = sample("audit/list")
    headers = {**envelope["headers"], "X-Organization-ID": str(tenant.organization_id)}
    return envelope | {
        "resource": path,
        "path": path,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": envelope["requestContext"] | {"authorizer": to_context(tenant)},
    }


def answer_body(handler: Handler, request: dict[str, Any]) -> str:
    """Return the body of the answer to *request*, and stop at a refusal."""
    answer = handler(request, None)
    if answer["statusCode"] != http.client.OK:
        sys.exit(f"the handler refused a request: {answer['body']}")
    return str(answer["body"])
