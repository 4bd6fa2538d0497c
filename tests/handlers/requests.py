"""Sample events of events/, changed for a test, and answers as a client reads them."""

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tenancy.gateway.context import parse_context, to_context
from tenancy.rules.keys.api_keys import ApiKey
from tenancy.rules.tenant import Caller, Operator, Tenant
from tests.given import ROOT, event
from tests.handlers.functions import Function

OPERATOR = Operator(credential_id=UUID("0193f6a2-8e42-4a90-b1d7-5c3e9f0a6b28"))  # of the sample events
LONGEST_HEADERS_BYTES = 10_240  # "Amazon API Gateway quotas": all headers of an answer
SVG = "image/svg+xml"  # a text, unlike other images
type Event = dict[str, Any]


def sample(function: str, case: str) -> Event:
    document: Event = json.loads((ROOT / "events" / function / f"{case}.json").read_text())
    return document


def called_by(request: Event, caller: Caller) -> Event:
    """Add the authorizer's context for *caller*."""
    added = {"principalId": str(caller.credential_id), "integrationLatency": 38}
    context = {**request["requestContext"], "authorizer": {**to_context(caller), **added}}
    return {**request, "requestContext": context}


def with_headers(request: Event, **headers: str | None) -> Event:
    """Add or replace headers, or omit them (None). `_` stands for `-`."""
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    kept = {name: value for name, value in request["headers"].items() if name.lower() not in named}
    merged = {**kept, **{name: value for name, value in named.items() if value is not None}}
    return {**request, "headers": merged, "multiValueHeaders": {name: [value] for name, value in merged.items()}}


def with_header_values(request: Event, name: str, *values: str) -> Event:
    """Repeat the header *name*. The single value is the last one, as API Gateway sends it."""
    kept = {other: value for other, value in request["headers"].items() if other.lower() != name.lower()}
    many = {other: [value] for other, value in kept.items()} | {name: list(values)}
    return {**request, "headers": {**kept, name: values[-1]}, "multiValueHeaders": many}


def with_basic_auth(request: Event, key: ApiKey) -> Event:
    return with_headers(request, authorization=f"Basic {base64.b64encode(f'{key.text}:'.encode()).decode()}")


def with_body(request: Event, body: object) -> Event:
    """Send *body* as base64, as the deployed API does: bytes unchanged, other values as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {**request, "body": base64.b64encode(raw).decode(), "isBase64Encoded": True}


def with_query(request: Event, **query: str) -> Event:
    named = {name.removesuffix("_"): value for name, value in query.items()}
    return {
        **request,
        "queryStringParameters": named or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in named.items()} or None,
    }


def with_path(request: Event, path: str, resource: str | None = None) -> Event:
    context = {**request["requestContext"], "path": f"/v1{path}", "resourcePath": resource or path}
    return {**request, "path": path, "resource": resource or path, "requestContext": context}


def recent_event(number: int, **changes: object) -> dict[str, object]:
    """Return a valid event that happened now."""
    return event(number, **{"event_timestamp": datetime.now(UTC).isoformat(), **changes})


def segment_call(number: int, **changes: object) -> dict[str, object]:
    """Return a valid call of a Segment SDK that happened now."""
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"message-{number}",
        "anonymousId": f"device-{number}",
        "timestamp": datetime.now(UTC).isoformat(),
        "properties": {"revenue": 1.25, "currency": "EUR"},
        **changes,
    }


def cloud_event(number: int, **changes: object) -> dict[str, object]:
    """Return a valid CloudEvent that happened now."""
    return {
        "specversion": "1.0",
        "id": f"cloud-{number}",
        "source": "https://shop.example/orders",
        "type": "com.example.order.completed",
        "subject": f"device-{number}",
        "time": datetime.now(UTC).isoformat(),
        "data": {"revenue": 1.25, "currency": "EUR"},
        **changes,
    }


def gzip_json(document: object) -> bytes:
    return gzip.compress(json.dumps(document).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as the client gets it. Header names are in lower case. The body of an image is Base64."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


def answer_of(response: Mapping[str, Any]) -> Answer:
    """Read a function's *response* as API Gateway does, and check its common headers."""
    headers = {name.lower(): value for name, value in response.get("headers", {}).items()}
    headers |= {name.lower(): values[-1] for name, values in response.get("multiValueHeaders", {}).items()}
    assert all(isinstance(value, str) for value in headers.values())
    assert isinstance(response["body"], str)
    media_type = headers.get("content-type", "")
    assert response["isBase64Encoded"] is (media_type.startswith("image/") and media_type != SVG)
    assert headers["access-control-allow-origin"] == "*"
    exposed = headers["access-control-expose-headers"].replace(" ", "").split(",")
    assert {"Retry-After", "X-Request-Id"}.issubset(exposed)
    assert sum(len(f"{name}: {value}\r\n".encode()) for name, value in headers.items()) <= LONGEST_HEADERS_BYTES
    return Answer(status=int(response["statusCode"]), headers=headers, body=response["body"])


def problem_of(response: Mapping[str, Any], request: Event, status: int, code: str) -> dict[str, Any]:
    """Check a refusal as far as a client relies on it, and return its problem document."""
    answer = answer_of(response)
    document: dict[str, Any] = answer.document
    assert (answer.status, document.get("code")) == (status, code), answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == document["request_id"] == request["requestContext"]["requestId"]
    assert document["status"] == status
    assert document["message"] == document["detail"] != ""
    assert {"type", "title", "instance"}.issubset(document)
    for error in document.get("errors", []):
        assert set(error) == {"location", "code", "message"}
    assert ("retry-after" in answer.headers) == (status in {429, 503})
    if status in {429, 503}:
        assert int(answer.headers["retry-after"]) == document["retry_after"] > 0
    return document


def to_authorizer(authorization: str | None) -> Event:
    return with_headers(sample("authorizer", "secret_key"), authorization=authorization)


def caller_in(answer: dict[str, Any]) -> Tenant | Operator:
    assert all(isinstance(value, str | int | bool) for value in answer["context"].values())
    return parse_context({name: str(value) for name, value in answer["context"].items()}, now=datetime.now(UTC))


def is_unauthorized(authorizer: Function, event: Event) -> bool:
    """Whether API Gateway would answer 401: the error's text is exactly `Unauthorized`."""
    try:
        authorizer(event)
    except Exception as error:  # noqa: BLE001 - API Gateway goes by the message alone
        return str(error) == "Unauthorized"
    pytest.fail("The credential was accepted.")
