"""ClickHouse: the embedded engine behind its HTTP front."""

import sys

from scripts.stack.loopback import answers
from scripts.stack.processes import Launch
from scripts.stack.settings import StackSettings

NAME = "clickhouse"
BACKUPS = "backups"
READY_SECONDS = 180.0
CONNECT_SECONDS = 10.0


def prepare(settings: StackSettings, *, port: int) -> Launch:
    """Return how to start the front on *port*."""
    folders = ["--path", str(settings.directory / NAME), "--backups", str(settings.directory / BACKUPS)]
    command = [sys.executable, "-m", "scripts.stack.clickhouse_front", *folders]
    return Launch(
        name=NAME,
        command=[*command, "--port", str(port), "--host", settings.single_host],
        environment={"HOME": str(settings.directory)},
        working_directory=settings.root,
        is_ready=lambda: answers(f"http://{settings.local_host}:{port}/ping", seconds=CONNECT_SECONDS),
        ready_seconds=READY_SECONDS,
    )


def url_for(host: str, *, port: int) -> str:
    """Return the URL of the database ``default`` at *host*."""
    return f"http://{host}:{port}/default"
