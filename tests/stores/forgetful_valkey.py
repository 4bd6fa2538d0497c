"""A proxy before Valkey whose scripts are forgotten, as ElastiCache Serverless forgets them."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Thread
from typing import BinaryIO

from redis import Redis as Client

BUFFER_BYTES = 65_536
COMMAND = b"\r\n$7\r\nEVALSHA\r\n"


@contextmanager
def forgetful_valkey(url: str) -> Iterator[str]:
    """Yield a URL of the server at *url* that flushes all scripts before each second EVALSHA.

    So a pipeline meets scripts that the server knows and scripts that it has just forgotten.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    with Client.from_url(url) as flusher, closing(listener):
        connection = flusher.connection_pool.connection_kwargs
        target = (connection["host"], connection["port"])
        Thread(target=_serve, args=(listener, target, flusher), daemon=True).start()
        yield url.replace(f":{target[1]}", f":{listener.getsockname()[1]}")


def _serve(listener: socket.socket, target: tuple[str, int], flusher: Client) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(target)
            Thread(target=_forward, args=(client, server, flusher), daemon=True).start()


def _forward(client: socket.socket, server: socket.socket, flusher: Client) -> None:
    """Pass on one command after another, with its answer, because a flush must fall between two of them."""
    seen = 0
    with suppress(OSError), client, server:
        answers, commands = server.makefile("rb"), client.makefile("rb")
        while command := _value(commands):
            if COMMAND in command:
                seen += 1
                if seen % 2 == 0:
                    flusher.script_flush()
            server.sendall(command)
            client.sendall(_value(answers))


def _value(stream: BinaryIO) -> bytes:
    """Return the bytes of one RESP value."""
    line = stream.readline()
    if line[:1] == b"$" and not line.startswith(b"$-1"):
        return line + stream.read(int(line[1:]) + 2)
    if line[:1] == b"*" and not line.startswith(b"*-1"):
        return line + b"".join(_value(stream) for _ in range(int(line[1:])))
    return line
