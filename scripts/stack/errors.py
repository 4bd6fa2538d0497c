"""What can go wrong with the stack, in words for whoever called ``make up``."""

from pathlib import Path
from typing import Self

LOG_LINES_SHOWN = 15


class StackError(Exception):
    """The stack cannot be started; the message says why and where to look."""

    @classmethod
    def died(cls, name: str, log: Path) -> Self:
        """The process *name* ended although nobody asked it to."""
        return cls(f"{name} ended while it was started. {_last_lines(log)}")

    @classmethod
    def late(cls, name: str, seconds: float, log: Path) -> Self:
        """The process *name* runs and does not serve."""
        return cls(f"{name} was not ready after {seconds:.0f} s. {_last_lines(log)}")

    @classmethod
    def failed(cls, what: str, log: Path) -> Self:
        """A command that has to succeed did not."""
        return cls(f"{what} failed. {_last_lines(log)}")

    @classmethod
    def not_deployed(cls, reason: str, log: str) -> Self:
        """CloudFormation did not take the template."""
        return cls(f"{log}\nThe deployment failed. {reason}")

    @classmethod
    def port_taken(cls, variable: str, port: int) -> Self:
        """Another program listens on a port that was asked for by name."""
        return cls(f"{variable}={port}, but another program listens on this port.")

    @classmethod
    def no_platform_key(cls) -> Self:
        """The deployment did not make what everything else begins with."""
        return cls("The deployed migration left no platform key.")

    @classmethod
    def no_answer(cls, url: str, reason: str) -> Self:
        """The deployed API does not do what it should."""
        return cls(f"{url} does not answer as it should: {reason}")


def _last_lines(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    except OSError:
        return f"It wrote nothing to {log}."
    return "\n".join([f"The end of {log}:", *(f"    {line}" for line in lines)])
