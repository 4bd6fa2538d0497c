"""A running ClickHouse front, and requests of its clients."""

import http.client
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from clickhouse_connect.driver import Client

from tests.stack.waiting import LIMIT_SECONDS

type Answer = tuple[int, bytes, Message]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Served:
    """A running front, and its URL."""

    process: subprocess.Popen[str]
    url: str

    def ask(self, body: bytes | str = b"", headers: dict[str, str] | None = None, **fields: str) -> Answer:
        """POST *body* on a connection of its own."""
        with self.connection() as connection:
            return ask(connection, body, headers, **fields)

    def connection(self) -> closing[http.client.HTTPConnection]:
        """Return a connection that opens with its first request."""
        return closing(http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=LIMIT_SECONDS))

    def runs(self, statement: str) -> bool:
        """Tell whether a query whose text contains *statement* runs now."""
        running = (
            "SELECT count() FROM system.processes WHERE position(query, {text:String}) AND query NOT LIKE '%{text%'"
        )
        return self.ask(running, param_text=statement)[1] != b"0\n"


def ask(
    connection: http.client.HTTPConnection, body: bytes | str, headers: dict[str, str] | None = None, **fields: str
) -> Answer:
    """POST *body* with *fields* in the URL, and return status, body and headers."""
    connection.request("POST", f"/?{urlencode(fields)}", body, headers or {})
    response = connection.getresponse()
    return response.status, response.read(), response.headers


def serve(path: Path) -> Served:
    command = [sys.executable, "-m", "scripts.stack.clickhouse_front", "--path", str(path), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(process.communicate()[1])
    return Served(process, line.split()[-1])


def stop(front: Served, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    """Stop the front, and return its exit status and its output."""
    front.process.send_signal(number)
    noise = "".join(front.process.communicate(timeout=LIMIT_SECONDS))
    return front.process.returncode, noise


def rows(count: int, organization_id: str = "acme") -> bytes:
    return b"".join(b'{"organization_id":"%s","event_id":%d}\n' % (organization_id.encode(), n) for n in range(count))


def count(client: Client) -> int:
    return int(str(client.command("SELECT count() FROM events")))


def code_of(front: Served, body: bytes | str, **fields: str) -> int:
    """Return the error code of a statement that fails."""
    status, text, headers = front.ask(body, None, **fields)
    code = int(headers["X-ClickHouse-Exception-Code"])
    assert status >= 400
    assert text.startswith(b"Code: %d. DB::Exception: " % code)
    return code
