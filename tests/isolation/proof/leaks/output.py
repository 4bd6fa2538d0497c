"""Leaks in log lines and metrics: canaries, passwords, credentials and other organizations."""

import json
import logging
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any
from uuid import UUID

from tests.isolation.proof.canaries import Canaries
from tests.isolation.proof.leaks.secrets import kinds_of_secrets_in

# Output may not even show a part of a token.
PRIVATE_TEXTS = {
    "the start of a token": re.compile(r"eyJ[\w-]{8}|\b[ro]t_[0-9A-Za-z]{8}"),
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.\w"),
}


class CapturedOutput:
    """Everything that functions write to stdout while `capture` is active."""

    def __init__(self) -> None:
        self._stream = StringIO()

    def take_lines(self) -> list[str]:
        """Return the lines since the last call, and forget them."""
        lines = self._stream.getvalue().splitlines()
        self._stream.seek(0)
        self._stream.truncate()
        return lines

    @contextmanager
    def capture(self) -> Iterator[None]:
        """Capture the output of the block, and of loggers that opened their stream before it."""
        with redirect_stdout(self._stream):
            handlers = list(_stream_handlers())
            streams = [handler.setStream(self._stream) for handler in handlers]
            try:
                yield
            finally:
                for handler, stream in zip(handlers, streams, strict=True):
                    if stream is not None:
                        handler.setStream(stream)


def leaks_in_output(lines: list[str], canaries: Canaries, callers: Collection[UUID] | None) -> list[str]:
    """Return a sentence for each leak in *lines*.

    *callers* are the organizations that a line may name as its `organization_id`; None allows all.
    """
    leaks = []
    for line in lines:
        leaks += [f"a log line shows {location.field}" for location in canaries.locations_in(line)]
        leaks += [f"a log line shows {name}" for name, pattern in PRIVATE_TEXTS.items() if pattern.search(line)]
        leaks += [f"a log line shows {kind}" for kind in kinds_of_secrets_in(line)]
        organization_id = _organization_id_in(line)
        if callers is not None and organization_id is not None and UUID(organization_id) not in callers:
            leaks.append("a log line names another organization than the caller's")
    return leaks


def _organization_id_in(line: str) -> str | None:
    try:
        document: Any = json.loads(line)
    except ValueError:
        return None
    found = document.get("organization_id") if isinstance(document, dict) else None
    return str(found) if found else None


def _stream_handlers() -> Iterator[logging.StreamHandler[Any]]:
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            for handler in logger.handlers:
                if type(handler) is logging.StreamHandler:
                    yield handler
