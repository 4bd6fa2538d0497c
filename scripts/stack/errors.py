"""The errors of the local stack, written for the caller of ``make up``."""

from pathlib import Path
from typing import Self

LOG_LINES_SHOWN = 15


class StackError(Exception):
    """The stack cannot be started. The message names the cause, and the remedy or the log."""

    @classmethod
    def died(cls, name: str, log: Path) -> Self:
        """Return the error of the process *name* that ended during its start."""
        return cls(f"{name} ended while it was started. {_last_lines(log)}")

    @classmethod
    def late(cls, name: str, seconds: float, log: Path) -> Self:
        """Return the error of the process *name* that runs and does not serve."""
        return cls(f"{name} was not ready after {seconds:.0f} s. {_last_lines(log)}")

    @classmethod
    def failed(cls, task: str, log: Path) -> Self:
        """Return the error of a failed *task* whose output is in *log*."""
        return cls(f"{task} failed. {_last_lines(log)}")

    @classmethod
    def tool_failed(cls, tool: str, output: str) -> Self:
        """Return the error of a failed program with its *output*."""
        return cls(f"{output.strip()}\n{tool} failed.".strip())

    @classmethod
    def tool_missing(cls, tool: str, need: str) -> Self:
        """Return the error of a program that is not installed."""
        return cls(f"The program {tool} is not installed. {need}")

    @classmethod
    def not_deployed(cls, reason: str, log: str) -> Self:
        """Return the error of a template that CloudFormation refused."""
        return cls(f"{log}\nThe deployment failed. {reason}")

    @classmethod
    def bad_number(cls, variable: str, text: str, allowed: range) -> Self:
        """Return the error of a variable whose value is no number, or a number out of range."""
        return cls(f"{variable}={text} is not valid: set it to a number from {allowed[0]} to {allowed[-1]}.")

    @classmethod
    def same_port(cls, variable: str, other: str, port: int) -> Self:
        """Return the error of two services that were given the same port."""
        return cls(f"{variable} and {other} are both {port}: give each a port of its own.")

    @classmethod
    def port_unusable(cls, variable: str, port: int, reason: str) -> Self:
        """Return the error of a port that was asked for and cannot be used."""
        return cls(f"{variable}={port} cannot be used: {reason}. Choose another port, or unset {variable}.")

    @classmethod
    def no_such_host(cls, host: str) -> Self:
        """Return the error of an address on which this machine cannot listen."""
        return cls(f"STACK_HOSTS names {host}, which is no IPv4 address of this machine. Correct or unset STACK_HOSTS.")

    @classmethod
    def unwritable(cls, directory: Path, error: OSError) -> Self:
        """Return the error of a file below *directory* that cannot be written."""
        return cls(f"{error}. Make {directory} writable for this user, or set STACK_DIR to another folder.")

    @classmethod
    def no_platform_key(cls) -> Self:
        """Return the error of a deployment without the first platform key."""
        return cls("The function migrate created no platform key. Read log/aws.log in the stack's folder.")

    @classmethod
    def no_answer(cls, url: str, reason: str) -> Self:
        """Return the error of a deployed API that does not answer."""
        return cls(f"{url} does not answer as it should: {reason}")


def _last_lines(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    except OSError:
        return f"It wrote nothing to {log}."
    return "\n".join([f"The end of {log}:", *(f"    {line}" for line in lines)])
