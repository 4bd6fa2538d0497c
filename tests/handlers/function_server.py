"""A function behind HTTP on loopback, so that real SDKs and browsers can call it."""

import base64
import itertools
import re
from collections import Counter
from collections.abc import Container, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from tests.handlers.functions import Function

STAGE = "/v1"
SETTINGS_PATH = re.compile(r"/projects/([^/]+)/settings")
METHOD_ARN = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/v1/POST/x"


def _event(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Return the request as API Gateway hands it to the function."""
    path = target.partition("?")[0]
    route = path.removeprefix(STAGE).rstrip("/")
    settings = SETTINGS_PATH.fullmatch(route)
    return {
        "resource": "/projects/{writeKey}/settings" if settings else route,
        "pathParameters": {"writeKey": settings[1]} if settings else None,
        "path": path.removeprefix(STAGE),
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": {"requestId": "r-1", "path": path, "identity": {"sourceIp": "127.0.0.1"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def _authorized(event: dict[str, Any], authorizer: Function) -> dict[str, Any]:
    """Add the answer of *authorizer*, whose refusals no test of a server expects."""
    policy = authorizer({**event, "type": "REQUEST", "methodArn": METHOD_ARN})
    context = {name: str(value) for name, value in policy["context"].items()}
    added = {**context, "principalId": policy["principalId"]}
    return {**event, "requestContext": {**event["requestContext"], "authorizer": added}}


@contextmanager
def serving(
    function: Function,
    methods: Counter[str] | None = None,
    *,
    authorizer: Function | None = None,
    lost_answers: Container[int] = (),
) -> Iterator[str]:
    """Serve *function*, one request at a time, and yield the URL without the stage.

    *methods* counts the requests by their method. With an *authorizer* each request passes it first. *lost_answers* are
    numbers of POST requests, from 0, whose answers never reach the client: the connection is closed after the request
    was handled.
    """
    turn = Lock()  # a browser opens connections before it needs them, so each has a thread
    posts = itertools.count()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            event = _event(self.command, self.path, dict(self.headers.items()), body)
            with turn:
                if methods is not None:
                    methods[self.command] += 1
                answer = function(_authorized(event, authorizer) if authorizer else event)
            if self.command == "POST" and next(posts) in lost_answers:
                self.close_connection = True
                return
            content = (answer["body"] or "").encode()
            self.send_response(answer["statusCode"])
            for name, value in {**answer["headers"], "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_OPTIONS = do_POST = _answer  # noqa: N815 - the base's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
