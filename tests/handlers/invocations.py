"""Lambda beside moto, on one port: `fetch` runs in the tests' own process, and moto answers all other calls.

moto runs functions in containers only.
"""

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from tests.handlers.functions import Function
from tests.moto_in_process import answer

INVOCATION = re.compile(r"/2015-03-31/functions/[\w%-]+/invocations")
NO_HEADERS: dict[str, str] = {}
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length"}


@contextmanager
def serving_invocations(moto_url: str, fetch: Function) -> Iterator[str]:
    """Serve both, and yield the URL."""
    turn = Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if INVOCATION.fullmatch(self.path):
                with turn:
                    answered = 200, NO_HEADERS, invoke(fetch, json.loads(body))
            else:
                answered = answer_here(moto_url, self, body)
            status, headers, content = answered
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the library's signature
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def invoke(function: Function, event: dict[str, Any]) -> bytes:
    """Return the answer of *function*, or its error as Lambda shows it."""
    try:
        return json.dumps(function.respond(event)).encode()
    except Exception as error:  # noqa: BLE001 - Lambda's answer names every error
        return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__}).encode()


def answer_here(moto_url: str, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of moto's answer, without a connection to it."""
    headers = dict(request.headers.items())
    status, pairs, content = answer(request.command, f"{moto_url}{request.path}", headers, body)
    return status, {name: value for name, value in pairs if name.lower() not in HOP_BY_HOP}, content


def pass_on(host: str, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send *request* to *host*, and return status, headers and body of the answer."""
    connection = http.client.HTTPConnection(host)
    connection.request(request.command, request.path, body, dict(request.headers.items()))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
    return answer.status, headers, content
