"""Ports that stay the same from one start to the next and never collide with those of another checkout."""

import json
import random
import socket
from collections.abc import Collection
from pathlib import Path

from scripts.stack.errors import StackError
from scripts.stack.settings import PORT_VARIABLES, StackSettings

# Below the range from which systems take the ports of outgoing connections: a remembered port is likely free.
FIRST_PORT, LAST_PORT = 20_000, 32_000


def choose_ports(settings: StackSettings, *, in_use: Collection[str]) -> dict[str, int]:
    """The port of each service: asked for, else remembered, else a free one; and remember them.

    The services named in *in_use* run already, so that their remembered ports may be taken, by them.

    Raises:
        StackError: a port that was asked for is taken by another program.
    """
    file = settings.directory / "ports.json"
    remembered = _read(file)
    chosen: dict[str, int] = {}
    for name, variable in PORT_VARIABLES.items():
        port = settings.ports.get(name, remembered.get(name, 0))
        ours = name in in_use and port == remembered.get(name)
        if name in settings.ports and not ours and not _is_free(settings.hosts, port):
            raise StackError.port_taken(variable, port)
        chosen[name] = port if ours or _is_free(settings.hosts, port) else _free_port(settings.hosts)
    file.write_text(json.dumps(chosen, indent=2), encoding="utf-8")
    return chosen


def _read(file: Path) -> dict[str, int]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _free_port(hosts: Collection[str]) -> int:
    candidates = random.sample(range(FIRST_PORT, LAST_PORT), 200)
    return next(port for port in candidates if _is_free(hosts, port))


def _is_free(hosts: Collection[str], port: int) -> bool:
    if not port:
        return False
    for host in hosts:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
