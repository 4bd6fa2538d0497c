"""An API that answers in a given order and records the requests."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An answer. Without a *status* the connection ends without one, *after_seconds*."""

    document: object = None
    status: int | None = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    after_seconds: float = 0
    seconds_a_byte: float = 0

    @classmethod
    def refusal(cls, status: int, code: str, detail: str = "No.", **headers: str) -> Self:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        problem = {"status": status, "code": code, "detail": detail, "message": detail, "request_id": "request-1"}
        return cls(document=problem, status=status, headers=named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class ServedApi:
    """The server. Its last answer is repeated."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: list[Served] = []
        self.received: list[Received] = []

    def answer(self, *answers: Served) -> None:
        self.answers = list(answers)

    @classmethod
    @contextmanager
    def serving(cls) -> Iterator[Self]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.daemon_threads = True
        api = cls(f"http://127.0.0.1:{server.server_port}/v1")
        _APIS[server.server_port] = api
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


_APIS: dict[int, ServedApi] = {}


class _Handler(BaseHTTPRequestHandler):
    def handle_any(self) -> None:
        api = _APIS[self.server.server_address[1]]  # type: ignore[index] # an address of IPv4
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        api.received.append(Received(method=self.command, path=self.path, headers=headers, body=body))
        served = api.answers.pop(0) if len(api.answers) > 1 else api.answers[0]
        time.sleep(served.after_seconds)
        if served.status is None:
            self.close_connection = True
            return
        content = b"" if served.document is None else json.dumps(served.document).encode()
        self.send_response(served.status)
        for name, value in {"Content-Type": "application/json", **served.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        for byte in content if served.seconds_a_byte else ():
            self.wfile.write(bytes([byte]))
            time.sleep(served.seconds_a_byte)
        self.wfile.write(b"" if served.seconds_a_byte else content)

    do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the names of http.server

    def log_message(self, *_: object) -> None:
        return
