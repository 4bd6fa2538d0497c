"""Crash a process at every moment: between any two of its calls to servers.

A call is a statement, COMMIT or ROLLBACK of PostgreSQL, a command of Redis, or a request to ClickHouse or AWS. Calls
are intercepted where the drivers send them. All answers come from the real servers. No server's state changes between
two calls, so a crash right after one call equals a crash right before the next one.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from itertools import count
from threading import Lock
from typing import Any

import psycopg
import pytest
import redis
from botocore.client import BaseClient
from clickhouse_connect.driver._backend.http_sync import HttpSyncBackend
from redis.client import Pipeline

from tenancy.stores.aws.client import AwsClient

MAX_CALLS = 500
USE_CASES = "/tenancy/use_cases/"
BEGIN = "_enter_gen"  # psycopg's. It changes nothing, so a crash after it equals a crash before it.


class CrashedError(BaseException):
    """The process has crashed. No further call of it is sent, also none of its clean-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash[S]:
    """A crash of a process that started in *state* and made *calls*.

    Its client got no answer. *is_last* means that it had made all of its calls, so that only the answer was lost.
    """

    state: S
    calls: tuple[str, ...]
    is_last: bool

    def __str__(self) -> str:
        return f"crashed after call {len(self.calls)}: {self.calls[-1] if self.calls else 'none'}"


class Process:
    """Records the calls of one process, and crashes it after *max_calls* of them. None is never."""

    def __init__(self, max_calls: int | None) -> None:
        self.calls: list[str] = []
        self.is_crashed = False
        self._max_calls = max_calls
        self._connections: set[psycopg.Connection[Any]] = set()
        self._lock = Lock()

    def record(self, call: str) -> None:
        with self._lock:
            self.is_crashed = self.is_crashed or len(self.calls) == self._max_calls
            if self.is_crashed:
                raise CrashedError(call)
            self.calls.append(f"{call} from {_caller()}")

    def add_connection(self, connection: psycopg.Connection[Any]) -> None:
        self._connections.add(connection)

    def close_connections(self) -> None:
        """Close the connections of the crashed process, as its kernel does. The database rolls back."""
        for connection in self._connections:
            connection.close()


def crashes[S](begin: Callable[[], S], run: Callable[[S], object]) -> Iterator[Crash[S]]:
    """Yield a crash of *run* after each number of calls, from 0 to all.

    Each run starts in a fresh state from *begin*. The caller then does the next step (a client's retry, the sweep) and
    checks the state.
    """
    for max_calls in count():
        state = begin()
        with process(max_calls) as running:
            is_last = _is_completed(running, run, state)
        assert len(running.calls) < MAX_CALLS, f"the run makes more than {MAX_CALLS} calls"
        yield Crash(state=state, calls=tuple(running.calls), is_last=is_last)
        if is_last:
            return


@contextmanager
def process(max_calls: int | None = None) -> Iterator[Process]:
    """Intercept the calls of this process in the block, and crash it after *max_calls* of them."""
    running = Process(max_calls)
    with pytest.MonkeyPatch.context() as patch:
        _intercept(patch, running, BaseClient, "_make_api_call", lambda _client, operation, *_: f"AWS {operation}")
        _intercept(patch, running, AwsClient, "_post", lambda *_: "AWS")
        _intercept(patch, running, redis.Redis, "execute_command", lambda _client, command, *_: f"Redis {command}")
        _intercept(patch, running, Pipeline, "execute", lambda *_: "Redis pipeline")
        _intercept(patch, running, HttpSyncBackend, "request", lambda *_: "ClickHouse")
        _intercept_postgres(patch, running)
        yield running
    if running.is_crashed:
        running.close_connections()


def _intercept(
    patch: pytest.MonkeyPatch, running: Process, owner: type, method: str, name_of: Callable[..., str]
) -> None:
    send = getattr(owner, method)

    @wraps(send)
    def intercepted(self: Any, *values: Any, **named: Any) -> Any:  # noqa: ANN401 - any driver's
        running.record(name_of(self, *values))
        return send(self, *values, **named)

    patch.setattr(owner, method, intercepted)


def _intercept_postgres(patch: pytest.MonkeyPatch, running: Process) -> None:
    wait = psycopg.Connection.wait

    def intercepted(self: psycopg.Connection[Any], gen: Any, *values: Any, **named: Any) -> Any:  # noqa: ANN401
        running.add_connection(self)
        if gen.__name__ != BEGIN:
            running.record(f"PostgreSQL {gen.__name__}")
        return wait(self, gen, *values, **named)

    patch.setattr(psycopg.Connection, "wait", intercepted)


def _caller() -> str:
    """Return file and line of the use case that makes the call.

    A call in another thread has none.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and USE_CASES not in frame.f_code.co_filename:
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"


def _is_completed[S](running: Process, run: Callable[[S], object], state: S) -> bool:
    try:
        run(state)
    except BaseException:  # handlers of the crashed process may have raised another exception
        if running.is_crashed:
            return False
        raise
    assert not running.is_crashed, "the run continued after the crash"
    return True
