"""A TCP proxy before a server. A test cuts it to make the server unreachable."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

BUFFER_BYTES = 65_536


class TcpProxy:
    """A loopback port that passes everything on to another port. It listens at *address*."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.port = int(self._listener.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Close every connection and accept no other."""
        for opened in self._sockets:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
                self._sockets += [client, server]
                for source, target in ((client, server), (server, client)):
                    Thread(target=_copy, args=(source, target), daemon=True).start()


@contextmanager
def tcp_proxy(target_port: int) -> Iterator[TcpProxy]:
    proxy = TcpProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.cut()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while received := source.recv(BUFFER_BYTES):
            target.sendall(received)
        target.shutdown(socket.SHUT_WR)
