"""A process that dies at every moment: between any two of its calls to the world outside of it.

A call is a statement, COMMIT or ROLLBACK of PostgreSQL, a command of Redis, a request to ClickHouse or to AWS.
They are caught where the drivers send them, and all answers are the real servers'. Nothing outside changes between
two calls, so to die right after one is to die right before the next.
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

MOST_CALLS = 500
USE_CASES = "/tenancy/use_cases/"
BEGIN = "_enter_gen"  # psycopg's: nothing has changed when it is over, so to die after it is to die before it


class Killed(BaseException):
    """The process is dead: nothing that it tries from now on leaves it, its clean-up neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death[S]:
    """A process that died in *state* after its *calls*, the last of which the world has seen; its client got no answer.

    *is_last*: it had made all of its calls, and only the answer was lost.
    """

    state: S
    calls: tuple[str, ...]
    is_last: bool

    def __str__(self) -> str:
        return f"died after call {len(self.calls)}: {self.calls[-1] if self.calls else 'none'}"


class Process:
    """What one process says to the world, until it dies: after *lives_for* calls, or never."""

    def __init__(self, lives_for: int | None) -> None:
        self.calls: list[str] = []
        self.is_dead = False
        self._lives_for = lives_for
        self._connections: set[psycopg.Connection[Any]] = set()
        self._lock = Lock()

    def say(self, call: str) -> None:
        with self._lock:
            self.is_dead = self.is_dead or len(self.calls) == self._lives_for
            if self.is_dead:
                raise Killed(call)
            self.calls.append(f"{call} from {_caller()}")

    def holds(self, connection: psycopg.Connection[Any]) -> None:
        self._connections.add(connection)

    def lose_connections(self) -> None:
        """Close what the dead process had open, as its kernel does: the database rolls back."""
        for connection in self._connections:
            connection.close()


def deaths[S](begin: Callable[[], S], run: Callable[[S], object]) -> Iterator[Death[S]]:
    """Run *run* in a fresh state of *begin* again and again; each time it dies one call later, and the last after all.

    What comes after each death (the client's retry, the sweep) and what must then hold is the caller's.
    """
    for lives_for in count():
        state = begin()
        with process(lives_for) as ran:
            is_last = _survives(ran, run, state)
        assert len(ran.calls) < MOST_CALLS, "it makes calls for ever"
        yield Death(state=state, calls=tuple(ran.calls), is_last=is_last)
        if is_last:
            return


@contextmanager
def process(lives_for: int | None = None) -> Iterator[Process]:
    """Catch all calls that this process makes in the block, and let it die after *lives_for* of them."""
    ran = Process(lives_for)
    with pytest.MonkeyPatch.context() as patch:
        _catch(patch, ran, BaseClient, "_make_api_call", lambda _client, operation, *_: f"AWS {operation}")
        _catch(patch, ran, AwsClient, "_post", lambda *_: "AWS")
        _catch(patch, ran, redis.Redis, "execute_command", lambda _client, command, *_: f"Redis {command}")
        _catch(patch, ran, Pipeline, "execute", lambda *_: "Redis pipeline")
        _catch(patch, ran, HttpSyncBackend, "request", lambda *_: "ClickHouse")
        _catch_postgres(patch, ran)
        yield ran
    if ran.is_dead:
        ran.lose_connections()


def _catch(patch: pytest.MonkeyPatch, ran: Process, owner: type, method: str, name: Callable[..., str]) -> None:
    send = getattr(owner, method)

    @wraps(send)
    def caught(self: Any, *values: Any, **named: Any) -> Any:  # noqa: ANN401 - any driver's
        ran.say(name(self, *values))
        return send(self, *values, **named)

    patch.setattr(owner, method, caught)


def _catch_postgres(patch: pytest.MonkeyPatch, ran: Process) -> None:
    wait = psycopg.Connection.wait

    def caught(self: psycopg.Connection[Any], gen: Any, *values: Any, **named: Any) -> Any:  # noqa: ANN401
        ran.holds(self)
        if gen.__name__ != BEGIN:
            ran.say(f"PostgreSQL {gen.__name__}")
        return wait(self, gen, *values, **named)

    patch.setattr(psycopg.Connection, "wait", caught)


def _caller() -> str:
    """Return which use case makes the call, and where; in another thread than its own there is none."""
    frame = sys._getframe(1)
    while frame.f_back is not None and USE_CASES not in frame.f_code.co_filename:
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"


def _survives[S](ran: Process, run: Callable[[S], object], state: S) -> bool:
    try:
        run(state)
    except BaseException:  # the dead one's own handlers may have raised something else
        if ran.is_dead:
            return False
        raise
    assert not ran.is_dead, "a death was swallowed"
    return True
