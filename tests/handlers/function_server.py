"""A function behind HTTP on loopback, so that real SDKs can call it."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from tests.handlers.functions import Function

STAGE = "/v1"


def _event(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Return the request as API Gateway hands it to the function."""
    path = target.partition("?")[0]
    return {
        "resource": path.removeprefix(STAGE).rstrip("/"),
        "path": path.removeprefix(STAGE),
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": {"requestId": "r-1", "path": path, "identity": {"sourceIp": "127.0.0.1"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


@contextmanager
def serving(function: Function) -> Iterator[str]:
    """Serve *function*, one request at a time, and yield the URL without the stage."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = function(_event("POST", self.path, dict(self.headers.items()), body))
            content = answer["body"].encode()
            self.send_response(answer["statusCode"])
            for name, value in {**answer["headers"], "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
