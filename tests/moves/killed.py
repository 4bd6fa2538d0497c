"""Run the command line of moves and kill it: ``python -m tests.moves.killed step:N|call:N ARGUMENTS``.

`step:N` kills at the beginning of step N, and `call:N` before call N of PostgreSQL. The process kills itself with
SIGKILL, so it cleans up nothing.
"""

import os
import signal
import sys
from itertools import count
from typing import Any

import psycopg

from scripts.move import __main__ as command


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at_step(number: int) -> None:
    say = command.say

    def say_or_die(line: str) -> None:
        if line.lstrip().startswith(f"{number}. "):
            kill()
        say(line)

    command.say = say_or_die


def kill_at_call(number: int) -> None:
    wait, calls = psycopg.Connection.wait, count()

    def wait_or_die(self: psycopg.Connection[Any], gen: Any, *values: Any, **named: Any) -> Any:  # noqa: ANN401
        if next(calls) == number:
            kill()
        return wait(self, gen, *values, **named)

    psycopg.Connection.wait = wait_or_die  # type: ignore[method-assign]


def main() -> int:
    kind, _, number = sys.argv.pop(1).partition(":")
    {"step": kill_at_step, "call": kill_at_call}[kind](int(number))
    return command.main()


if __name__ == "__main__":
    sys.exit(main())
