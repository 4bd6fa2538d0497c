"""A ClickHouse server for one machine: the embedded engine behind an HTTP interface.

The engine lets one process open a data path. This is that process, and all others are its clients, drivers and curl
alike. It lacks these features of a server: users (every client may do anything), sessions, external data, compressed
answers, and answers that stream.
"""

import argparse
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any, override
from urllib.parse import urlsplit

from scripts.stack.clickhouse_front.body import MalformedHttpError, RequestBody, Text
from scripts.stack.clickhouse_front.engine import Engine, Reply
from scripts.stack.clickhouse_front.protocol import QueryError, read_form, read_request

STOP_SECONDS = 45.0
OUTSIDE_HEADERS = re.compile(r"[^\x20-\x7e]")


class Front(ThreadingTCPServer):
    """The listening side, with a thread for each of its clients' connections."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], engine: Engine) -> None:
        """Listen at *address*, where port 0 is any free one, for *engine*."""
        super().__init__(address, partial(FrontHandler, engine))
        self._open: set[Any] = set()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Return the URL for clients."""
        host, port = self.socket.getsockname()
        return f"http://{host}:{port}"

    def stop(self) -> None:
        """Stop listening, let requests finish for some seconds, and take no further ones."""
        self.server_close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)
        deadline = time.monotonic() + STOP_SECONDS
        while self._open and time.monotonic() < deadline:
            time.sleep(0.01)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._lock:
            self._open.discard(request)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client may go away at any time
            super().handle_error(request, client_address)


class FrontHandler(BaseHTTPRequestHandler):
    """One client's requests, one after the other."""

    protocol_version = "HTTP/1.1"
    server_version = "ClickHouse"
    disable_nagle_algorithm = True

    def __init__(self, engine: Engine, connection: socket.socket, address: tuple[str, int], front: Front) -> None:
        """Serve *connection* until it ends."""
        self._engine = engine
        super().__init__(connection, address, front)

    def do_GET(self) -> None:
        """Answer a health check, or a query that changes nothing."""
        self._answer(read_only=True)

    def do_POST(self) -> None:
        """Answer a query. Its text is in the URL, in the body, or in both."""
        self._answer(read_only=False)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: clients see their errors."""

    def _answer(self, *, read_only: bool) -> None:
        try:
            body = RequestBody(self.rfile, self.headers)
            reply = self._reply(body, read_only=read_only)
            body.drain()
        except MalformedHttpError as error:
            self.send_error(400, str(error))
            return
        self.send_response(reply.status)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, OUTSIDE_HEADERS.sub("?", value))
        self.end_headers()
        self.wfile.write(reply.body)

    def _reply(self, body: RequestBody, *, read_only: bool) -> Reply:
        url = urlsplit(self.path)
        if url.path == "/ping" or (self.path == "/" and read_only):
            return Reply(body=b"Ok.\n", headers={"Content-Type": "text/html; charset=UTF-8"})
        if url.path != "/":
            return Reply(status=404, body=b"There is no handle for this path\n")
        try:
            text = Text(body, self.headers.get("Content-Encoding", ""))
            request = read_request(url.query, self.headers, self._form(text), read_only=read_only)
            reply = self._engine.answer(request, text)
        except QueryError as error:
            return _refusal(error, self._engine.version)
        headers = {
            "X-ClickHouse-Server-Display-Name": "embedded",
            "X-ClickHouse-Query-Id": request.query_id,
            "X-ClickHouse-Timezone": request.settings.get("session_timezone") or self._engine.time_zone,
        }
        return replace(reply, headers={**headers, **reply.headers})

    def _form(self, text: Text) -> Mapping[str, str]:
        content_type = self.headers.get("Content-Type", "")
        if not content_type.lower().startswith("multipart/form-data"):
            return {}
        return read_form(content_type, text.rest())


def main() -> None:
    """Serve until SIGTERM, then give the data path back."""
    parser = argparse.ArgumentParser(description="Serve an embedded ClickHouse over HTTP.")
    parser.add_argument("--path", type=Path, required=True, help="where the data lives; made if it is not there")
    parser.add_argument("--backups", type=Path, help="the folder of BACKUP and RESTORE; none without it")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    try:
        engine = Engine(arguments.path.resolve(), arguments.backups and arguments.backups.resolve())
        front = Front((arguments.host, arguments.port), engine)
    except (OSError, RuntimeError) as error:
        sys.exit(f"cannot serve {arguments.path} (is it served already?) on port {arguments.port}: {error}")
    try:
        print(f"ClickHouse {engine.version} serves on {front.url}", flush=True)
        front.serve_forever()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        front.stop()
        engine.close()


def _refusal(error: QueryError, version: str) -> Reply:
    return Reply(
        status=error.status,
        headers={"X-ClickHouse-Exception-Code": str(error.code), "Content-Type": "text/plain; charset=UTF-8"},
        body=f"{error} (version {version})\n".encode("utf-8", "surrogateescape"),
    )


if __name__ == "__main__":
    main()
