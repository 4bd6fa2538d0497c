"""A small server of AWS's JSON protocol, for the processes that stand in for AWS."""

import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, override

import msgspec

type Answer = Callable[[str, dict[str, Any]], dict[str, Any]]


class JsonHandler(BaseHTTPRequestHandler):
    """The calls of one client, over one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    answer_to: Answer

    def do_POST(self) -> None:
        """Answer a call of the JSON protocol."""
        document = msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"])))
        body = msgspec.json.encode(type(self).answer_to(self.headers["X-Amz-Target"], document))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def serve_calls(answer: Answer) -> None:
    """Print a free port and answer calls there, until the input ends."""
    JsonHandler.answer_to = answer
    server = ThreadingHTTPServer(("127.0.0.1", 0), JsonHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
