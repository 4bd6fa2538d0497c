"""One kept connection to an AWS service, with as much of HTTP/1.1 (RFC 9112) as its answers need.

The standard library's client parses each answer as an e-mail message, which takes three times as long as all else.
"""

import socket
import ssl
from collections.abc import Mapping
from functools import cache
from io import BufferedReader
from typing import Final
from urllib.parse import SplitResult

from tenancy.rules.durations import AWS_CALL_TIMEOUT_SECONDS

MAX_LINE_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 100
FIRST_FINAL_STATUS: Final = 200
EMPTY_STATUSES: Final = frozenset({204, 304})
PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


class ProtocolError(OSError):
    """The answer is no HTTP/1.1, or it ends too early. The call may have been done."""


class Connection:
    """A connection to the host of a URL. It opens at the first call, and again after it was closed."""

    def __init__(self, url: SplitResult) -> None:
        """Connect to the host of *url*, with TLS for `https`."""
        self._url = url
        self._socket: socket.socket | None = None
        self._answers: BufferedReader | None = None

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Send `POST /`, and return status and body of the answer.

        After an error the connection is closed, so that no answer is taken for that of a later call.

        Raises:
            ConnectionError: the server has closed the connection, perhaps before the call.
            OSError: the server is unreachable or too slow, or the answer is no HTTP/1.1.
        """
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        head = f"POST / HTTP/1.1\r\n{''.join(lines)}content-length: {len(body)}\r\n\r\n"
        is_kept = False
        try:
            answers = self._open()
            if self._socket is not None:
                self._socket.sendall(head.encode("ascii") + body)
            status, sent = _read_head(answers)
            while status < FIRST_FINAL_STATUS:
                status, sent = _read_head(answers)
            content = b"" if status in EMPTY_STATUSES else _read_body(answers, sent)
            is_kept = sent.get(b"connection", b"").lower() != b"close"
        finally:
            if not is_kept:
                self.close()
        return status, content

    def close(self) -> None:
        """Close the connection. The next call opens a new one."""
        if self._answers is not None:
            self._answers.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._answers = None

    def _open(self) -> BufferedReader:
        if self._answers is None:
            host, port = self._url.hostname or "", self._url.port or PORTS[self._url.scheme]
            self._socket = socket.create_connection((host, port), AWS_CALL_TIMEOUT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._url.scheme == "https":
                self._socket = _tls().wrap_socket(self._socket, server_hostname=host)
            self._answers = self._socket.makefile("rb")
        return self._answers


def _read_head(answers: BufferedReader) -> tuple[int, dict[bytes, bytes]]:
    """Return the status and the headers of an answer, by name in lower case."""
    first = answers.readline(MAX_LINE_BYTES)
    if not first:
        raise ConnectionResetError("The server has closed the connection.")
    version, _, rest = first.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise ProtocolError("The answer is no HTTP/1.1.")
    headers: dict[bytes, bytes] = {}
    for _ in range(MAX_HEADERS):
        line = answers.readline(MAX_LINE_BYTES)
        if line in {b"\r\n", b"\n"}:
            if version == b"HTTP/1.0":
                headers.setdefault(b"connection", b"close")
            return int(rest[:3]), headers
        name, colon, value = line.partition(b":")
        if not colon or not line.endswith(b"\n"):
            break
        headers[name.lower()] = value.strip()
    raise ProtocolError("The headers of the answer are not valid.")


def _read_body(answers: BufferedReader, headers: dict[bytes, bytes]) -> bytes:
    """Read the body to its end, which the headers tell, or the end of the connection."""
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        return _read_chunks(answers)
    length = headers.get(b"content-length")
    if length is None:
        headers[b"connection"] = b"close"
        return answers.read()
    if not length.isdigit():
        raise ProtocolError("The length of the answer is not valid.")
    return _read_exactly(answers, int(length))


def _read_chunks(answers: BufferedReader) -> bytes:
    chunks: list[bytes] = []
    while True:
        digits = answers.readline(MAX_LINE_BYTES).partition(b";")[0].strip()
        if not digits or not all(byte in b"0123456789abcdefABCDEF" for byte in digits):
            raise ProtocolError("A chunk of the answer is not valid.")
        size = int(digits, 16)
        if size == 0:
            break
        chunks.append(_read_exactly(answers, size))
        _read_exactly(answers, len(b"\r\n"))
    while answers.readline(MAX_LINE_BYTES).strip():  # trailers
        pass
    return b"".join(chunks)


def _read_exactly(answers: BufferedReader, size: int) -> bytes:
    content = answers.read(size)
    if len(content) != size:
        raise ProtocolError("The answer ends too early.")
    return content


@cache
def _tls() -> ssl.SSLContext:
    """Return the TLS context of all services.

    It is cached because reading the trusted certificates is slow.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
