"""Ports of loopback that belong to one test process until it ends, also beside other runs of the tests."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO, Final

# Below the ports of local stacks (scripts/stack/ports.py) and of outgoing connections.
PORTS: Final = range(10_000, 20_000)
LOCKS: Final = Path(tempfile.gettempdir()) / f"tenancy-test-ports-{os.getuid()}"

_held: list[IO[str]] = []


def free_port() -> int:
    """Return a port on which no process listens.

    No other test process gets it before this one ends.
    """
    LOCKS.mkdir(exist_ok=True)
    while True:
        port = random.SystemRandom().choice(PORTS)
        lock = (LOCKS / str(port)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return port
