"""The errors of a command, and the exit code of each class."""

from collections.abc import Mapping
from enum import IntEnum
from http import HTTPStatus
from typing import Any, Final


class ExitCode(IntEnum):
    """The exit codes, which docs/tenantctl.md documents."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    NOT_ALLOWED = 3
    NOT_FOUND = 4
    CONFLICT = 5
    INVALID = 6
    OVER_LIMIT = 7
    UNAVAILABLE = 8
    TIMED_OUT = 9
    INTERRUPTED = 130


EXIT_CODES: Final[Mapping[int, ExitCode]] = {
    HTTPStatus.BAD_REQUEST: ExitCode.INVALID,
    HTTPStatus.UNAUTHORIZED: ExitCode.NOT_ALLOWED,
    HTTPStatus.PAYMENT_REQUIRED: ExitCode.OVER_LIMIT,
    HTTPStatus.FORBIDDEN: ExitCode.NOT_ALLOWED,
    HTTPStatus.NOT_FOUND: ExitCode.NOT_FOUND,
    HTTPStatus.CONFLICT: ExitCode.CONFLICT,
    HTTPStatus.GONE: ExitCode.NOT_FOUND,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ExitCode.INVALID,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ExitCode.INVALID,
    HTTPStatus.UNPROCESSABLE_ENTITY: ExitCode.INVALID,
    HTTPStatus.TOO_MANY_REQUESTS: ExitCode.OVER_LIMIT,
}


class CommandError(Exception):
    """A command cannot do its work. *problem* is a problem document, *hint* says how to continue."""

    def __init__(self, exit_code: ExitCode, problem: Mapping[str, Any], *, hint: str = "") -> None:
        """Take the exit code, the problem document and a hint for a person."""
        super().__init__(problem.get("detail", ""))
        self.exit_code = exit_code
        self.problem = problem
        self.hint = hint
        self.retry_after = ""  # the header of the answer

    @property
    def code(self) -> str:
        """The stable code of the problem."""
        return str(self.problem.get("code", ""))

    @classmethod
    def usage(cls, detail: str) -> "CommandError":
        """Say that the command was called in a wrong way, or lacks a key or a confirmation."""
        return cls.of(ExitCode.USAGE, "usage", detail)

    @classmethod
    def of(cls, exit_code: ExitCode, code: str, detail: str, *, hint: str = "") -> "CommandError":
        """Say that *detail* has happened on this side of the API."""
        return cls(exit_code, {"type": "about:blank", "code": code, "detail": detail}, hint=hint)

    @classmethod
    def refused(cls, status: int, problem: Mapping[str, Any]) -> "CommandError":
        """Say that the API answered *status* with *problem*."""
        return cls(EXIT_CODES.get(status, ExitCode.UNAVAILABLE), problem)
