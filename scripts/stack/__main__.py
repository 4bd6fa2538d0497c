"""The command line of the embedded stack: ``python -m scripts.stack up | down | status``."""

import argparse
import os
import sys
import time
from pathlib import Path

from scripts.stack import stack
from scripts.stack.environment import drop_foreign_settings
from scripts.stack.errors import StackError
from scripts.stack.settings import StackSettings


def main() -> int:
    """Run one command in the checkout that is the working directory."""
    parser = argparse.ArgumentParser(prog="python -m scripts.stack", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status"])
    command = parser.parse_args().command
    try:
        settings = StackSettings.from_env(os.environ, Path.cwd())
        return run(command, settings)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1


def run(command: str, settings: StackSettings) -> int:
    """Run *command* and return its exit status.

    Raises:
        StackError: the command failed, or the stack's folder cannot be written.
    """
    started = time.monotonic()

    def say(line: str) -> None:
        # One write: parts start side by side.
        print(f"[{time.monotonic() - started:5.1f} s] {line}\n", end="", flush=True)

    drop_foreign_settings(os.environ, settings.hosts)
    try:
        if command == "status":
            return _show_status(settings)
        if command == "down":
            stack.down(settings, say)
            return 0
        described = stack.up(settings, say)
    except OSError as error:
        if error.filename and settings.directory in (Path(error.filename), *Path(error.filename).parents):
            raise StackError.unwritable(settings.directory, error) from error
        raise
    say(f"the stack serves at {described['api_url']}; see {settings.directory / 'stack.json'}")
    return 0


def _show_status(settings: StackSettings) -> int:
    parts = stack.status(settings)
    for name, pid in parts.items():
        print(f"{name:<12} {f'running, pid {pid}' if pid else 'not running'}")
    return 0 if all(parts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
