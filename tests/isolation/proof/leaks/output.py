"""What the functions write: log lines and metrics, which must say of nobody more than ids."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any
from uuid import UUID

from tenancy.rules.api_keys import KeyType
from tests.isolation.proof.canaries import Canaries

SECRETS = {
    "a key": re.compile(rf"(?:{'|'.join(KeyType)})_[0-9A-Za-z]{{40}}"),
    "a token": re.compile(r"eyJ[\w-]{8}"),
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.\w"),
}


class Output:
    """Everything written since the last look."""

    def __init__(self) -> None:
        self._stream = StringIO()

    def take(self) -> list[str]:
        lines = self._stream.getvalue().splitlines()
        self._stream.seek(0)
        self._stream.truncate()
        return lines

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Capture the block's output; loggers keep the stream that they were made with, so each is turned."""
        with redirect_stdout(self._stream):
            handlers = list(_stream_handlers())
            before = [handler.setStream(self._stream) for handler in handlers]
            try:
                yield
            finally:
                for handler, stream in zip(handlers, before, strict=True):
                    if stream is not None:
                        handler.setStream(stream)


def wrong_in(lines: list[str], canaries: Canaries, allowed: set[UUID] | None) -> list[str]:
    """Return what *lines* should not say; *allowed* are the organizations that they may be about, None for all."""
    found = []
    for line in lines:
        found += [f"a log line shows {place.field}" for place in canaries.found_in(line)]
        found += [f"a log line shows {what}" for what, pattern in SECRETS.items() if pattern.search(line)]
        named = _organization_in(line)
        if allowed is not None and named is not None and UUID(named) not in allowed:
            found.append("a log line is about another organization than the caller's")
    return found


def _organization_in(line: str) -> str | None:
    try:
        document: Any = json.loads(line)
    except ValueError:
        return None
    named = document.get("organization_id") if isinstance(document, dict) else None
    return str(named) if named else None


def _stream_handlers() -> Iterator[logging.StreamHandler[Any]]:
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            for handler in logger.handlers:
                if type(handler) is logging.StreamHandler:
                    yield handler
