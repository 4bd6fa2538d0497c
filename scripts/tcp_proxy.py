"""A TCP proxy before a server.

It counts round trips. A caller cuts it to make the server unreachable.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Final

BUFFER_BYTES: Final = 65_536


class TcpProxy:
    """A loopback port that passes everything on to another port.

    It listens at *address*. A round trip begins with what a client sends after the server's last bytes. *round_trips*
    counts those of all connections together, which the client uses one after another.
    """

    def __init__(self, target_port: int) -> None:
        """Listen, and connect to *target_port* on this machine for each client."""
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.port = int(self._listener.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        self.round_trips = 0
        self._server_was_last = True
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
                Thread(target=_copy, args=(client, server, self._note_client), daemon=True).start()
                Thread(target=_copy, args=(server, client, self._note_server), daemon=True).start()

    def _note_client(self) -> None:
        self.round_trips += self._server_was_last
        self._server_was_last = False

    def _note_server(self) -> None:
        self._server_was_last = True


@contextmanager
def tcp_proxy(target_port: int) -> Iterator[TcpProxy]:
    """Yield a proxy before *target_port* of this machine, which is cut afterwards."""
    proxy = TcpProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.cut()


def _copy(source: socket.socket, target: socket.socket, note: Callable[[], None]) -> None:
    with suppress(OSError):
        while received := source.recv(BUFFER_BYTES):
            note()
            target.sendall(received)
        target.shutdown(socket.SHUT_WR)
