"""A stand-in for AWS in a process of its own: it accepts every message and has one secret.

With it a handler is measured without the cost of an emulator. It prints its port, and ends when its stdin ends.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, override

from scripts.bench import ROOT


@contextmanager
def stand_in(secret: str = "") -> Iterator[str]:
    """Yield the URL of a stand-in, which serves while the block runs and returns *secret*."""
    command = [sys.executable, "-m", "scripts.bench.stand_in", secret]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        port = server.stdout.readline() if server.stdout else ""
        yield f"http://127.0.0.1:{int(port)}"


def answer_to(target: str, document: dict[str, Any], secret: str) -> dict[str, Any]:
    """Return the service's answer to *target* when it succeeds."""
    if target == "AmazonSQS.SendMessageBatch":
        return {"Successful": [{"Id": entry["Id"], "MessageId": entry["Id"]} for entry in document["Entries"]]}
    return {"SecretString": secret}


class StandInHandler(BaseHTTPRequestHandler):
    """The calls of one client, over one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer a call of the JSON protocol."""
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(answer_to(self.headers["X-Amz-Target"], document, sys.argv[1])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until stdin ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandInHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
