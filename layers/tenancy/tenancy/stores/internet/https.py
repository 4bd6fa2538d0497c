"""One HTTPS request to a given address (RFC 9112). The certificate must be that of the host's name."""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from tenancy.errors import FetchFault, UnreachableUrlError
from tenancy.rules.durations import FETCH_CONNECT_TIMEOUT_SECONDS, FETCH_WORK_TIME_SECONDS
from tenancy.rules.public_addresses import Address
from tenancy.rules.tenant_urls import TenantUrl
from tenancy.stores.internet.deadline import Deadline

RECEIVE_BYTES: Final = 16 * 1024
# Headers and the framing of chunks. Of an answer, at most twice its largest body and this are received.
OVERHEAD_BYTES: Final = 64 * 1024
TRIED_ADDRESSES: Final = 3
FIRST_FINAL_STATUS: Final = 200
CONTENT_TYPE_MAX_CHARACTERS: Final = 200
UNENCODED: Final = frozenset({"", "identity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsAnswer:
    """A final answer. *content_type* and *location* are empty without their headers."""

    status: int
    content_type: str
    location: str
    body: bytes


def exchange(
    url: TenantUrl, addresses: Sequence[Address], request: bytes, *, max_bytes: int, deadline: Deadline
) -> HttpsAnswer:
    """Send *request* to the first of the *addresses* that accepts a connection, and return its answer.

    The name of the host is not resolved again, so the connection leads to an address that was checked.

    Raises:
        UnreachableUrlError: no address accepts a connection, the certificate is not valid, or the answer is not valid,
            compressed, larger than *max_bytes*, or not complete before the *deadline*.
    """
    try:
        with _connect(addresses, url.port, deadline) as plain:
            plain.settimeout(deadline.remaining(FETCH_CONNECT_TIMEOUT_SECONDS))
            with _tls().wrap_socket(plain, server_hostname=url.host) as opened:
                opened.settimeout(deadline.remaining(FETCH_WORK_TIME_SECONDS))
                opened.sendall(request)
                return _receive(opened, max_bytes, deadline)
    except ssl.SSLCertVerificationError as error:
        raise UnreachableUrlError(FetchFault.UNTRUSTED) from error
    except TimeoutError as error:
        raise UnreachableUrlError(FetchFault.TOO_SLOW) from error
    except OSError as error:
        raise UnreachableUrlError(FetchFault.UNREACHABLE) from error


def _connect(addresses: Sequence[Address], port: int, deadline: Deadline) -> socket.socket:
    tried = addresses[:TRIED_ADDRESSES]
    for address in tried[:-1]:
        try:
            return socket.create_connection((str(address), port), deadline.remaining(FETCH_CONNECT_TIMEOUT_SECONDS))
        except OSError:
            continue
    return socket.create_connection((str(tried[-1]), port), deadline.remaining(FETCH_CONNECT_TIMEOUT_SECONDS))


class _Answer:
    """One answer while it is received: the parser calls the methods. An answer with status 1xx only announces it."""

    def __init__(self, max_bytes: int) -> None:
        self.parser = HttpResponseParser(self)
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.is_complete = False
        self._max_bytes = max_bytes

    @property
    def status(self) -> int:
        return self.parser.get_status_code()

    @property
    def ends_with_connection(self) -> bool:
        return self.status >= FIRST_FINAL_STATUS and self.headers.keys().isdisjoint(
            {"content-length", "transfer-encoding"}
        )

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise UnreachableUrlError(FetchFault.NO_HTTP)
        self.headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1").strip())

    def on_headers_complete(self) -> None:
        if self.headers.get("content-encoding", "").lower() not in UNENCODED:
            raise UnreachableUrlError(FetchFault.ENCODED)

    def on_body(self, part: bytes) -> None:
        if len(self.body) + len(part) > self._max_bytes:
            raise UnreachableUrlError(FetchFault.TOO_LARGE)
        self.body += part

    def on_message_complete(self) -> None:
        self.is_complete = self.status >= FIRST_FINAL_STATUS

    def result(self) -> HttpsAnswer:
        return HttpsAnswer(
            status=self.status,
            content_type=self.headers.get("content-type", "")[:CONTENT_TYPE_MAX_CHARACTERS],
            location=self.headers.get("location", ""),
            body=bytes(self.body),
        )


def _receive(opened: socket.socket, max_bytes: int, deadline: Deadline) -> HttpsAnswer:
    answer, received = _Answer(max_bytes), 0
    while not answer.is_complete:
        opened.settimeout(deadline.remaining(FETCH_WORK_TIME_SECONDS))
        part = opened.recv(RECEIVE_BYTES)
        received += len(part)
        if received > 2 * max_bytes + OVERHEAD_BYTES:
            raise UnreachableUrlError(FetchFault.TOO_LARGE)
        if not part:
            return _ended(answer)
        _feed(answer, part)
    return answer.result()


def _ended(answer: _Answer) -> HttpsAnswer:
    """Return an answer without a length. Every other answer that ends with the connection is incomplete."""
    if answer.headers and answer.ends_with_connection:
        return answer.result()
    raise UnreachableUrlError(FetchFault.NO_HTTP)


def _feed(answer: _Answer, part: bytes) -> None:
    try:
        answer.parser.feed_data(part)
    except (HttpParserError, HttpParserUpgrade) as error:
        if isinstance(error.__context__, UnreachableUrlError):  # of a method that the parser called
            raise error.__context__ from error
        raise UnreachableUrlError(FetchFault.NO_HTTP) from error


@cache
def _tls() -> ssl.SSLContext:
    """Return the TLS context of all servers. It trusts the authorities of the system."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
