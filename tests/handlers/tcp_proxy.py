"""A way to a server that a test can shut: to whoever comes through it, the server is then away."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

BUFFER_BYTES = 65_536


class Door:
    """A port before another; *address* is where it listens."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = [self._listener]
        self.port = int(self._listener.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        Thread(target=self._let_in, daemon=True).start()

    def shut(self) -> None:
        """Break off what came through, and let nobody in again."""
        for opened in self._open:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _let_in(self) -> None:
        with suppress(OSError):
            while True:
                outer, _ = self._listener.accept()
                inner = socket.create_connection(("127.0.0.1", self._behind))
                self._open += [outer, inner]
                for source, target in ((outer, inner), (inner, outer)):
                    Thread(target=_pass_on, args=(source, target), daemon=True).start()


@contextmanager
def door(port: int) -> Iterator[Door]:
    opened = Door(port)
    try:
        yield opened
    finally:
        opened.shut()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while received := source.recv(BUFFER_BYTES):
            target.sendall(received)
        target.shutdown(socket.SHUT_WR)
