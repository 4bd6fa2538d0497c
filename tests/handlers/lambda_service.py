"""AWS as the functions call it: Lambda runs a loaded function, and moto answers for all other services."""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

from tests.handlers.functions import Function

INVOCATIONS = "/invocations"
NOT_PASSED_ON = frozenset({"connection", "transfer-encoding", "content-length", "date", "server"})


@contextmanager
def lambda_service(functions: Mapping[str, Function], moto_url: str) -> Iterator[str]:
    """Serve the *functions* by their names, and yield the URL of the endpoint."""
    moto = urlsplit(moto_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = (
                self._invoke(body) if self.path.endswith(INVOCATIONS) else self._pass_on(body)
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _invoke(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            name = self.path.removesuffix(INVOCATIONS).rpartition("/")[2]
            answer = functions[name].app.handler(json.loads(body), None)
            return 200, {"Content-Type": "application/json"}, json.dumps(answer, default=str).encode()

        def _pass_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection(moto.netloc, timeout=60)
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in NOT_PASSED_ON}
            return answer.status, kept, content

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
