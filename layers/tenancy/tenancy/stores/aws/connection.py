"""One kept connection to an AWS service over HTTP/1.1 (RFC 9112). httptools reads the answers.

The standard library's client parses the headers of each answer as those of an e-mail message, which is slow.
"""

import socket
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import SplitResult

from httptools import HttpParserError, HttpResponseParser

from tenancy.rules.durations import AWS_CALL_TIMEOUT_SECONDS, AWS_CONNECT_TIMEOUT_SECONDS

RECEIVE_BYTES: Final = 64 * 1024
FIRST_FINAL_STATUS: Final = 200
PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


class ProtocolError(OSError):
    """The answer is no HTTP/1.1, or it ends too early. The call may have been done."""


class Connection:
    """A connection to the host of a URL. It opens at the first call, and again after it was closed."""

    def __init__(self, url: SplitResult, timeout_seconds: float = AWS_CALL_TIMEOUT_SECONDS) -> None:
        """Connect to the host of *url*, with TLS for `https`. *timeout_seconds* are those of each step."""
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._socket: socket.socket | None = None

    def post(self, header_lines: str, body: bytes, path: str = "/", *, method: str = "POST") -> tuple[int, bytes]:
        """Send a request with *header_lines*, each with its line end, and return status and body of the answer.

        After an error the connection is closed, so that no answer is taken for that of a later call.

        Raises:
            ConnectionError: the server has closed the connection, perhaps before the call.
            OSError: the server is unreachable or too slow, or the answer is no HTTP/1.1 or has no length.
        """
        head = f"{method} {path} HTTP/1.1\r\n{header_lines}content-length: {len(body)}\r\n\r\n"
        is_kept = False
        try:
            opened = self._open()
            opened.sendall(head.encode("ascii") + body)
            answer = _receive(opened)
            is_kept = answer.is_kept
        finally:
            if not is_kept:
                self.close()
        return answer.status, bytes(answer.content)

    def close(self) -> None:
        """Close the connection. The next call opens a new one."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _open(self) -> socket.socket:
        if self._socket is None:
            host, port = self._url.hostname or "", self._url.port or PORTS[self._url.scheme]
            self._socket = socket.create_connection((host, port), AWS_CONNECT_TIMEOUT_SECONDS)
            self._socket.settimeout(self._timeout_seconds)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._url.scheme == "https":
                self._socket = _tls().wrap_socket(self._socket, server_hostname=host)
        return self._socket


class _Answer:
    """One answer while it is received: the parser calls the methods. An answer with status 1xx only announces it."""

    def __init__(self) -> None:
        self.parser = HttpResponseParser(self)
        self.status = 0
        self.content = bytearray()
        self.is_kept = False

    @property
    def is_complete(self) -> bool:
        return self.status >= FIRST_FINAL_STATUS

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise ProtocolError("The server has sent more than one answer.")

    def on_body(self, part: bytes) -> None:
        self.content += part

    def on_message_complete(self) -> None:
        self.status = self.parser.get_status_code()
        self.is_kept = self.parser.should_keep_alive()


def _receive(opened: socket.socket) -> _Answer:
    answer, is_begun = _Answer(), False
    while not answer.is_complete:
        received = opened.recv(RECEIVE_BYTES)
        if not received and not is_begun:
            raise ConnectionResetError("The server has closed the connection.")
        if not received:
            raise ProtocolError("The answer ends too early.")
        is_begun = True
        try:
            answer.parser.feed_data(received)
        except HttpParserError as error:
            raise ProtocolError("The answer is no HTTP/1.1.") from error
    return answer


@cache
def _tls() -> ssl.SSLContext:
    """Return the TLS context of all services.

    It is cached because reading the trusted certificates is slow.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
