"""The bridge's record of the calls of functions."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from scripts.stack.bridge.calls import record_calls
from scripts.stack.bridge.permissions import CALLS_PATH
from scripts.stack.bridge.public import App

GATEWAY_PORT = 4566
SCOPE = b"AWS4-HMAC-SHA256 Credential=Sweep-1X/20261124/eu-central-1/sqs/aws4_request, SignedHeaders=host, Signature=0"
SEND = [(b"authorization", SCOPE), (b"x-amz-target", b"AmazonSQS.SendMessage")]
BODY = b'{"QueueUrl":"http://127.0.0.1:4566/000000000000/audit"}'
RECORDED = [["Sweep-1X", "sqs:SendMessage", "sqs:audit"]]


async def read_all(_scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - as in ASGI
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})


type Headers = Sequence[tuple[bytes, bytes]]


def request(
    app: App, method: str, path: str, *, port: int = GATEWAY_PORT, headers: Headers = (), body: bytes = b""
) -> bytes:
    """Send a request with its body in two parts, and return the body of the answer."""
    parts = iter([(body[:9], True), (body[9:], False)])
    answers: list[bytes] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "server": ("127.0.0.1", port),
        "headers": headers,
    }

    async def receive() -> dict[str, Any]:
        part, is_more = next(parts)
        return {"type": "http.request", "body": part, "more_body": is_more}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message.get("body", b""))

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())
    return b"".join(answers)


def test_signed_request_is_recorded_until_the_record_is_deleted() -> None:
    app = record_calls(read_all, port=GATEWAY_PORT)
    request(app, "POST", "/", headers=SEND, body=BODY)

    recorded = [json.loads(request(app, method, CALLS_PATH)) for method in ("GET", "DELETE", "GET")]

    assert recorded == [RECORDED, RECORDED, []]


def test_requests_of_clients_are_not_recorded() -> None:
    app = record_calls(read_all, port=GATEWAY_PORT)
    request(app, "POST", "/v1/events", port=20173, headers=SEND, body=BODY)
    request(app, "POST", "/", headers=SEND[1:], body=BODY)

    assert json.loads(request(app, "GET", CALLS_PATH)) == []
