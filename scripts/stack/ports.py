"""Choose ports that stay the same at each start and differ from those of other checkouts."""

import errno
import json
import random
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.stack.errors import StackError
from scripts.stack.settings import LAST_PORT, PORT_VARIABLES, StackSettings

# Below the range from which systems take the ports of outgoing connections: a remembered port is likely free.
FIRST_CHOICE, LAST_CHOICE = 20_000, 32_000
ANY_PORT = 0
REASONS = {
    errno.EADDRINUSE: "another program listens on it",
    errno.EACCES: "this user may not listen on it",
}


def choose_ports(settings: StackSettings, *, in_use: Collection[str]) -> dict[str, int]:
    """Choose the port of each service and remember it.

    The port that was asked for comes first, then the remembered one, then a free one. The services named in *in_use*
    run already and listen on their remembered ports.

    Raises:
        StackError: a port that was asked for cannot be used, or one of the addresses is not of this machine.
    """
    hosts = {*settings.hosts, settings.single_host}
    for host in hosts:
        if _problem(host, ANY_PORT):
            raise StackError.no_such_host(host)
    file = settings.directory / "ports.json"
    remembered = _read(file)
    kept = {name: port for name, port in remembered.items() if name in in_use}
    asked = dict(_usable(settings.ports, hosts, kept))
    chosen = {name: port for name, port in remembered.items() if port not in asked.values()} | asked
    for name in PORT_VARIABLES:
        if name not in chosen or not (chosen[name] == kept.get(name) or _is_free(hosts, chosen[name])):
            chosen[name] = _free_port(hosts, chosen.values())
    ordered = {name: chosen[name] for name in PORT_VARIABLES}
    file.write_text(json.dumps(ordered, indent=2), encoding="utf-8")
    return ordered


def _usable(asked: Mapping[str, int], hosts: Collection[str], kept: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    for name, port in asked.items():
        problem = next(filter(None, (_problem(host, port) for host in hosts)), None)
        if problem and port != kept.get(name):
            raise StackError.port_unusable(PORT_VARIABLES[name], port, problem)
        yield name, port


def _read(file: Path) -> dict[str, int]:
    """Return the remembered ports, without damaged entries and without doubles."""
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    ports: dict[str, int] = {}
    for name in PORT_VARIABLES:
        port = document.get(name) if isinstance(document, dict) else None
        if isinstance(port, int) and 0 < port <= LAST_PORT and port not in ports.values():
            ports[name] = port
    return ports


def _free_port(hosts: Collection[str], taken: Collection[int]) -> int:
    candidates = random.sample(range(FIRST_CHOICE, LAST_CHOICE), LAST_CHOICE - FIRST_CHOICE)
    return next(port for port in candidates if port not in taken and _is_free(hosts, port))


def _is_free(hosts: Collection[str], port: int) -> bool:
    return not any(_problem(host, port) for host in hosts)


def _problem(host: str, port: int) -> str | None:
    """Return why a server could not listen on *port* of *host*, or None if it could."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return REASONS.get(error.errno or 0, str(error))
    return None
