"""Crash a process at every moment that a server can tell from the moment before.

A call is a statement, COMMIT or ROLLBACK of PostgreSQL, a command of Redis, or a request to ClickHouse or AWS. Calls
are intercepted where the drivers send them. All answers come from the real servers. No server's state changes between
two calls, or by a call that only reads. So one crash right before each call that may change a state, and one after the
last call, are all crashes. A statement within a transaction changes nothing before its COMMIT.
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
from botocore.client import BaseClient
from clickhouse_connect.driver._backend.http_sync import HttpSyncBackend
from psycopg.pq import TransactionStatus

from tenancy.stores.aws.client import AwsClient
from tenancy.stores.redis.connection import RedisConnection

MAX_CALLS = 500
AWS_READS = ("Describe", "Get", "Head", "List")
CLICKHOUSE_READS = (b"SELECT", b"WITH")
USE_CASES = "/tenancy/use_cases/"
ENDS = {"_exit_gen", "_commit_gen", "_rollback_gen"}  # psycopg's
BEGIN = b"BEGIN"  # of the query that begins a transaction. A crash after it equals a crash before it.


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
    """Records the calls of one process, and crashes it before its change number *max_changes*. None is never.

    A change is a call that may change the state of a server. The first one has the number 0.
    """

    def __init__(self, max_changes: int | None) -> None:
        self.calls: list[str] = []
        self.is_crashed = False
        self._changes = 0
        self._max_changes = max_changes
        self._connections: set[psycopg.Connection[Any]] = set()
        self._lock = Lock()

    def record(self, call: str, *, is_change: bool) -> None:
        with self._lock:
            self.is_crashed = self.is_crashed or (is_change and self._changes == self._max_changes)
            if self.is_crashed:
                raise CrashedError(call)
            self._changes += is_change
            self.calls.append(f"{call} from {_caller()}")

    def add_connection(self, connection: psycopg.Connection[Any]) -> None:
        self._connections.add(connection)

    def close_connections(self) -> None:
        """Close the connections of the crashed process, as its kernel does. The database rolls back."""
        for connection in self._connections:
            connection.close()


def crashes[S](begin: Callable[[], S], run: Callable[[S], object]) -> Iterator[Crash[S]]:
    """Yield a crash of *run* before each of its changes, and one after its last call.

    Each run starts in a fresh state from *begin*. The caller then does the next step (a client's retry, the sweep) and
    checks the state.
    """
    for max_changes in count():
        state = begin()
        with process(max_changes) as running:
            is_last = _is_completed(running, run, state)
        assert len(running.calls) < MAX_CALLS, f"the run makes more than {MAX_CALLS} calls"
        yield Crash(state=state, calls=tuple(running.calls), is_last=is_last)
        if is_last:
            return


@contextmanager
def process(max_changes: int | None = None) -> Iterator[Process]:
    """Intercept the calls of this process in the block, and crash it before its change number *max_changes*."""
    running = Process(max_changes)
    with pytest.MonkeyPatch.context() as patch:
        _intercept(patch, running, BaseClient, "_make_api_call", _aws_call)
        _intercept(patch, running, AwsClient, "call", _small_aws_call)
        _intercept(patch, running, AwsClient, "invoke", _invoke)
        _intercept(patch, running, AwsClient, "put_new", _put_new)
        _intercept(patch, running, RedisConnection, "call", _redis_call)
        _intercept(patch, running, HttpSyncBackend, "request", _clickhouse_call)
        _intercept_postgres(patch, running)
        yield running
    if running.is_crashed:
        running.close_connections()


def _aws_call(_client: object, operation: str, *_: object) -> tuple[str, bool]:
    return f"AWS {operation}", not operation.startswith(AWS_READS)


def _small_aws_call(_client: object, target: str, *_: object) -> tuple[str, bool]:
    return _aws_call(_client, target.rpartition(".")[2])


def _invoke(*_: object) -> tuple[str, bool]:
    return "AWS Invoke", False  # of `fetch`, which has no rights


def _put_new(*_: object) -> tuple[str, bool]:
    return "AWS PutObject", True


def _redis_call(_connection: object, commands: bytes, replies: int, _deadline: float) -> tuple[str, bool]:
    return f"Redis {'pipeline' if replies > 1 else 'script'}", bool(commands)


def _clickhouse_call(_backend: object, data: str | bytes, *_: object) -> tuple[str, bool]:
    statement = data.encode() if isinstance(data, str) else data
    is_read = isinstance(statement, bytes) and statement.lstrip().startswith(CLICKHOUSE_READS)
    return "ClickHouse", not is_read


def _intercept(
    patch: pytest.MonkeyPatch, running: Process, owner: type, method: str, describe: Callable[..., tuple[str, bool]]
) -> None:
    """Record each call of *method*. *describe* returns the name of a call and whether it may change a state."""
    send = getattr(owner, method)

    @wraps(send)
    def intercepted(self: Any, *values: Any, **named: Any) -> Any:  # noqa: ANN401 - any driver's
        name, is_change = describe(self, *values)
        running.record(name, is_change=is_change)
        return send(self, *values, **named)

    patch.setattr(owner, method, intercepted)


def _intercept_postgres(patch: pytest.MonkeyPatch, running: Process) -> None:
    wait = psycopg.Connection.wait

    def intercepted(self: psycopg.Connection[Any], gen: Any, *values: Any, **named: Any) -> Any:  # noqa: ANN401
        running.add_connection(self)
        if not _begins(gen):
            running.record(f"PostgreSQL {gen.__name__}", is_change=_is_change(self, gen.__name__))
        return wait(self, gen, *values, **named)

    patch.setattr(psycopg.Connection, "wait", intercepted)


def _begins(gen: Any) -> bool:  # noqa: ANN401 - psycopg's
    """Tell whether the driver's generator executes the query that begins a transaction, and changes nothing."""
    query = gen.gi_frame.f_locals.get("query")
    return isinstance(query, bytes) and query.startswith(BEGIN)


def _is_change(connection: psycopg.Connection[Any], generator: str) -> bool:
    """Tell whether the driver's *generator* may change a row for good.

    A statement does so outside of a transaction, and the end of a transaction if PostgreSQL has given it an id. It
    gives one to each transaction that writes or locks a row.
    """
    status = connection.info.transaction_status
    if generator not in ENDS:
        return status is TransactionStatus.IDLE
    if status is not TransactionStatus.INTRANS:
        return False
    # Beside the driver: its own methods would be recorded.
    return connection.pgconn.exec_(b"SELECT pg_current_xact_id_if_assigned()").get_value(0, 0) is not None


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
