"""Requests of a CloudFormation custom resource, and the server that receives its reports."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@contextmanager
def report_server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve a presigned URL and yield it with the list of reports that were put there."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            assert self.headers["Content-Type"] == ""
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/report", received
        server.shutdown()


def stack_request(request_type: str, url: str) -> dict[str, Any]:
    """Return CloudFormation's request of the type Create, Update or Delete."""
    return {
        "RequestType": request_type,
        "ResponseURL": url,
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/tenancy/1",
        "RequestId": "request-1",
        "LogicalResourceId": "Schemas",
        "ResourceType": "Custom::Schemas",
        "ResourceProperties": {"ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:migrate"},
    }
