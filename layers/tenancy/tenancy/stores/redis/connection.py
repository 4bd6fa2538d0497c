"""One connection to Redis (or Valkey) over RESP2, on which each call ends at a deadline.

A driver's time-out applies to each step of a call, and the steps add up. Here the time that is left applies to each
step, so that the call ends in time without a second thread (docs/decisions/0061-own-redis-connection.md).
"""

import socket
import ssl
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from select import POLLIN, POLLOUT, poll
from time import monotonic
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit
from weakref import finalize

from hiredis import Reader

PLAIN: Final = "redis"
TLS: Final = "rediss"
DEFAULT_PORT: Final = 6379
ROOTS: Final = "ssl_ca_certs"
RECEIVE_BYTES: Final = 65_536
NO_CODE: Final = "ERR"
WAITS: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
INCOMPLETE: Final = object()  # the reply has not come as a whole


class ReplyError(Exception):
    """The server rejected a command. The message is the code of its error, such as `OOM`.

    The rest of the server's text may repeat arguments of the command.
    """

    def __init__(self, text: str) -> None:
        """Keep the code of *text*, which is its first word."""
        code = text.partition(" ")[0]
        super().__init__(code if code.isupper() and code.isalpha() else NO_CODE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """A server and its credentials, from a URL.

    *roots* is a file of trusted roots for TLS. None means those of the system.
    """

    host: str
    port: int
    is_tls: bool
    credentials: tuple[str, ...] = field(repr=False)
    database: int
    roots: str | None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the address in *url* (`rediss://user:password@host:6379/0?ssl_ca_certs=/opt/roots.pem`).

        Raises:
            ValueError: *url* is no such URL.
        """
        parts = urlsplit(url)
        options = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
        if parts.scheme not in {PLAIN, TLS} or not parts.hostname or set(options) - {ROOTS}:
            raise ValueError("The URL of Redis must be redis[s]://[[user]:password@]host[:port][/database].")
        credentials = (parts.username, parts.password) if parts.username else (parts.password,)
        return cls(
            host=parts.hostname,
            port=parts.port or DEFAULT_PORT,
            is_tls=parts.scheme == TLS,
            credentials=tuple(unquote(each) for each in credentials if each),
            database=int(parts.path.strip("/") or 0),
            roots=options.get(ROOTS, [None])[0],
        )


class RedisConnection:
    """An open connection. It is of no use after a call that failed, because the rest of its replies may still come."""

    def __init__(self, opened: socket.socket) -> None:
        """Speak over *opened*, which no longer waits by itself."""
        opened.settimeout(0)
        self._socket = opened
        self._reader = Reader(replyError=ReplyError, encoding="utf-8", notEnoughData=INCOMPLETE)
        self._poll = poll()
        self._poll.register(opened, POLLIN)
        finalize(self, opened.close)  # a connection that its owner forgets is closed

    @classmethod
    def open(cls, address: RedisAddress, *, timeout_seconds: float) -> Self:
        """Connect to *address*.

        The time-out applies to the connection and, together, to all that follows. The resolution of the host's name has
        none.

        Raises:
            OSError: the server is unreachable, does not answer in time, or has no trusted certificate.
            ReplyError: the server rejected the credentials or the database.
        """
        with ExitStack() as opening:
            opened = opening.enter_context(socket.create_connection((address.host, address.port), timeout_seconds))
            deadline = monotonic() + timeout_seconds
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address.is_tls:
                context = ssl.create_default_context(cafile=address.roots)
                opened.settimeout(_seconds_until(deadline))  # of the handshake as a whole
                opened = opening.enter_context(context.wrap_socket(opened, server_hostname=address.host))
            connection = cls(opened)
            connection._greet(address, deadline)
            opening.pop_all()
        return connection

    def is_usable(self) -> bool:
        """Return whether nothing has come since the last reply, also not the end of the connection."""
        return not (self._reader.has_data() or self._poll.poll(0))

    def call(self, commands: bytes, replies: int, deadline: float) -> list[Any]:
        """Send *commands* and return so many *replies*, some of which may be a `ReplyError`.

        *deadline* is a time of `time.monotonic`.

        Raises:
            TimeoutError: the deadline has passed. The commands may have run.
            OSError: the connection broke. The commands may have run.
        """
        return self._exchange(commands, replies, deadline)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _greet(self, address: RedisAddress, deadline: float) -> None:
        """Send credentials, database and PING together, and read all replies."""
        greetings: list[tuple[str | int, ...]] = [("PING",)]
        if address.database:
            greetings.insert(0, ("SELECT", address.database))
        if address.credentials:
            greetings.insert(0, ("AUTH", *address.credentials))
        replies = self._exchange(b"".join(map(encode_command, greetings)), len(greetings), deadline)
        for reply in replies:
            if isinstance(reply, ReplyError):
                raise reply

    def _exchange(self, commands: bytes, replies: int, deadline: float) -> list[Any]:
        self._send(commands, deadline)
        return [self._receive(deadline) for _ in range(replies)]

    def _send(self, commands: bytes, deadline: float) -> None:
        _seconds_until(deadline)  # a command that comes too late is not sent
        left = memoryview(commands)
        while left:
            try:
                left = left[self._socket.send(left) :]
            except WAITS as wait:  # rare: the buffer of the socket takes more than most commands
                self._wait(wait, POLLOUT, deadline)

    def _receive(self, deadline: float) -> Any:  # noqa: ANN401 - a script's result
        reply = self._reader.gets()
        if reply is INCOMPLETE:
            self._poll.poll(_milliseconds_until(deadline))
        while reply is INCOMPLETE:
            try:
                received = self._socket.recv(RECEIVE_BYTES)
            except WAITS as wait:  # the time has passed, or TLS has no text yet
                self._wait(wait, POLLIN, deadline)
                continue
            if not received:
                raise ConnectionResetError("The server closed the connection.")
            self._reader.feed(received)
            reply = self._reader.gets()
        return reply

    def _wait(self, wait: OSError, direction: int, deadline: float) -> None:
        """Wait in *direction*, or in the one that TLS needs, until the socket is ready or the deadline has passed."""
        if isinstance(wait, ssl.SSLWantReadError):
            direction = POLLIN
        elif isinstance(wait, ssl.SSLWantWriteError):
            direction = POLLOUT
        ready = poll()
        ready.register(self._socket, direction)
        ready.poll(_milliseconds_until(deadline))


def encode_command(arguments: Iterable[str | int]) -> bytes:
    """Return the bytes of one command."""
    return encode_parts(*encode_arguments(arguments))


def encode_parts(count: int, arguments: bytes) -> bytes:
    """Return the bytes of a command of *count* encoded *arguments*."""
    return b"*%d\r\n%b" % (count, arguments)


def encode_arguments(arguments: Iterable[str | int]) -> tuple[int, bytes]:
    """Return the number of *arguments*, and their bytes."""
    texts = list(map(str, arguments))
    encoded = "".join([f"${len(text)}\r\n{text}\r\n" for text in texts])
    if encoded.isascii():  # then each character is a byte
        return len(texts), encoded.encode()
    return len(texts), b"".join([b"$%d\r\n%b\r\n" % (len(text), text) for text in map(str.encode, texts)])


def _milliseconds_until(deadline: float) -> float:
    return 1_000 * _seconds_until(deadline)


def _seconds_until(deadline: float) -> float:
    """Return the seconds that are left.

    Raises:
        TimeoutError: none are left.
    """
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("The deadline has passed.")
    return left
