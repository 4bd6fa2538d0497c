"""ClickHouse: the embedded engine behind its HTTP front."""

import os
import sys

from scripts.stack.loopback import answers
from scripts.stack.processes import Launch
from scripts.stack.settings import StackSettings

NAME = "clickhouse"
READY_SECONDS = 60.0
CONNECT_SECONDS = 2.0


def prepare(settings: StackSettings, *, port: int) -> Launch:
    """Say how to start the front on *port*."""
    command = [sys.executable, "-m", "scripts.stack.clickhouse_front", "--path", str(settings.directory / NAME)]
    return Launch(
        name=NAME,
        command=[*command, "--port", str(port), "--host", settings.single_host],
        environment={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        working_directory=settings.root,
        is_ready=lambda: answers(f"http://{settings.local_host}:{port}/ping", seconds=CONNECT_SECONDS),
        ready_seconds=READY_SECONDS,
    )


def url_for(host: str, *, port: int) -> str:
    """The URL of the database ``default`` at *host*."""
    return f"http://{host}:{port}/default"
