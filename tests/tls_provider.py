"""An HTTPS server on loopback, whose answers a test sets byte by byte."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

HOST = "127.0.0.1"
RECEIVE_BYTES = 65_536

type Answer = bytes | Callable[[ssl.SSLSocket], None]


def http_answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """Return an answer with a length. `content_type` is the header Content-Type."""
    shown = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in shown.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


@dataclass(slots=True)
class Provider:
    """Answers by path. *received* are the requests, with their bodies."""

    port: int
    answers: dict[str, Answer] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"

    def answer(self, client: ssl.SSLSocket) -> None:
        request = client.recv(RECEIVE_BYTES)
        head, _, body = request.partition(b"\r\n\r\n")
        while (length := content_length(head)) > len(body):
            body += client.recv(RECEIVE_BYTES)
        self.received.append(head + b"\r\n\r\n" + body if length else request)
        answer = self.answers.get(request.split(b" ")[1].decode(), http_answer(status="404 Not Found"))
        if isinstance(answer, bytes):
            client.sendall(answer)
        else:
            answer(client)


def content_length(head: bytes) -> int:
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(lengths[0]) if lengths else 0


@contextmanager
def running_provider(certificate: Path, port: int = 0) -> Iterator[Provider]:
    """Serve with the certificate and key in *certificate*, on *port* or a free one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server((HOST, port)) as listener:
        provider = Provider(port=listener.getsockname()[1])
        Thread(target=serve, args=(listener, context, provider), daemon=True).start()
        try:
            yield provider
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # ends the wait of `serve`, which would keep the port


def serve(listener: socket.socket, context: ssl.SSLContext, provider: Provider) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            Thread(target=serve_one, args=(client, context, provider), daemon=True).start()


def serve_one(client: socket.socket, context: ssl.SSLContext, provider: Provider) -> None:
    with suppress(OSError), client, context.wrap_socket(client, server_side=True) as encrypted:
        provider.answer(encrypted)
