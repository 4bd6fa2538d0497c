"""The client of Redis (or Valkey): one connection, and a time limit for each call.

After a failure all calls fail at once, for 0.25 to 2 seconds. So requests do not wait for an unreachable server.

A server may forget a script at any moment: ElastiCache Serverless answers NOSCRIPT even right after SCRIPT LOAD. So
each EVALSHA that finds no script is repeated as EVAL. NOSCRIPT means that the script has not run.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from hashlib import sha1
from pathlib import Path
from threading import Thread
from typing import Any, Final, override

from hiredis import HiredisError

from tenancy.errors import AwsCallError, Refusal
from tenancy.rules.durations import (
    REDIS_FIRST_BREAK_SECONDS,
    REDIS_MAX_BREAK_SECONDS,
    REDIS_START_TIMEOUT_SECONDS,
    REDIS_STEP_TIMEOUT_SECONDS,
)
from tenancy.stores.redis.connection import RedisAddress, RedisConnection, ReplyError, encode_arguments, encode_parts

NO_SCRIPT: Final = "NOSCRIPT"
KEPT_KEYS: Final = 1_000  # sets of keys

type Call = tuple[Sequence[str], Sequence[str | int]]


class RedisUnreachableError(Exception):
    """Redis did not answer in time or rejected a call, or the pause after such a failure is not over.

    The message holds only the type of the failure, or the code of the server's error.
    """


class Constants:
    """The last arguments of a script, which are the same for each call and so are encoded once."""

    def __init__(self, values: Iterable[str | int] = ()) -> None:
        """Encode *values*."""
        self.count, self.encoded = encode_arguments(values)


NO_CONSTANTS: Final = Constants()


class Script:
    """A Lua script in a file of its own. The header of the file lists KEYS, ARGV and the result."""

    def __init__(self, file: Path) -> None:
        """Read *file*. Redis identifies the script by its SHA-1."""
        self.text = file.read_text(encoding="utf-8")
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        self._by_digest = encode_arguments(["EVALSHA", self.digest])
        self._by_text = encode_arguments(["EVAL", self.text])

    def call(self, call: Call, constants: Constants = NO_CONSTANTS, *, by_digest: bool = True) -> bytes:
        """Return the command that runs the script with the keys and values of *call*, and then *constants*."""
        keys, values = call
        named, script = self._by_digest if by_digest else self._by_text
        key_count, encoded_keys = _encode_keys(tuple(keys))
        count, arguments = encode_arguments(values)
        return encode_parts(
            named + key_count + count + constants.count, script + encoded_keys + arguments + constants.encoded
        )


class Redis:
    """One Redis server at the URL that *url* returns (`rediss://user:password@host:6379`).

    It connects at the first call, or in `connect`. After a failure no call is tried for a while. The pause doubles with
    each failure, so a short outage costs little, and requests do not wait one after another for an unreachable server.

    A call takes the connection, and returns it after its last reply. So no call can read the reply to another one.
    """

    def __init__(self, url: Callable[[], str], *, timeout_seconds: float) -> None:
        """Limit each call to *timeout_seconds*.

        The limit is short if a client waits, and long for scheduled functions.
        """
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._break_seconds = REDIS_FIRST_BREAK_SECONDS
        self._blocked_until = 0.0
        self._kept: deque[RedisConnection] = deque(maxlen=1)  # threads take from it one at a time
        self._opening: _Opening | None = None

    def connect(self) -> None:
        """Connect before the first request, if the server answers.

        A new connection takes several round trips (TCP, TLS, AUTH), for which a request's time limit is too short. An
        unreachable server is no error here: the requests are admitted without Redis.
        """
        with suppress(RedisUnreachableError):
            self._within(REDIS_START_TIMEOUT_SECONDS, lambda _connection, _deadline: None)

    def run(
        self, script: Script, keys: Sequence[str], values: Sequence[str | int], constants: Constants = NO_CONSTANTS
    ) -> Any:  # noqa: ANN401 - a script's
        """Return the result of *script* for *keys* and *values*, after which *constants* follow.

        Raises:
            RedisUnreachableError: the script may have run.
        """

        def evaluate(connection: RedisConnection, deadline: float) -> Any:  # noqa: ANN401 - a script's
            call = keys, values
            [result] = connection.call(script.call(call, constants), 1, deadline)
            if _is_forgotten(result):
                [result] = connection.call(script.call(call, constants, by_digest=False), 1, deadline)
            return _result(result)

        return self._within(self._timeout_seconds, evaluate)

    def run_each(self, script: Script, calls: Iterable[Call]) -> Sequence[Any]:
        """Return the results of *script* for each of *calls*, which are sent in one pipeline.

        Raises:
            RedisUnreachableError: any of the calls may have run.
        """
        listed = list(calls)
        results: Sequence[Any] = self._within(
            self._timeout_seconds, lambda connection, deadline: _evaluate_each(connection, script, listed, deadline)
        )
        return results

    def close(self) -> None:
        """Close the connection. The next call opens a new one."""
        while self._kept:
            self._kept.pop().close()
        if self._opening is not None:
            self._opening.abandon()
        self._opening = None

    def _within(self, seconds: float, work: Callable[[RedisConnection, float], Any]) -> Any:  # noqa: ANN401 - of *work*
        deadline = time.monotonic() + seconds
        if time.monotonic() < self._blocked_until or (self._opening is not None and self._opening.is_alive()):
            raise RedisUnreachableError("waiting")
        connection, is_kept = self._take(), False
        try:
            connection = self._usable(connection, deadline)
            result = work(connection, deadline)
            self._kept.append(connection)
            is_kept = True
        except (HiredisError, ReplyError, OSError, ValueError, Refusal, AwsCallError) as error:
            # An invalid URL raises ValueError, an unreadable secret Refusal or AwsCallError.
            raise self._failed(error) from error
        finally:
            if connection is not None and not is_kept:
                connection.close()
        self._break_seconds = REDIS_FIRST_BREAK_SECONDS
        return result

    def _take(self) -> RedisConnection | None:
        try:
            return self._kept.pop()
        except IndexError:
            return None

    def _failed(self, error: Exception) -> "RedisUnreachableError":
        self._blocked_until = time.monotonic() + self._break_seconds
        self._break_seconds = min(2 * self._break_seconds, REDIS_MAX_BREAK_SECONDS)
        return RedisUnreachableError(str(error) if isinstance(error, ReplyError) else type(error).__name__)

    def _usable(self, connection: RedisConnection | None, deadline: float) -> RedisConnection:
        """Return *connection*, or a new one if the server has closed it."""
        if connection is None and self._opening is not None:  # it ended after its call had given up
            connection, self._opening = self._opening.connection, None
        if connection is not None:
            if connection.is_usable():
                return connection
            connection.close()
        opening = self._opening = _Opening(self._url(), max(self._timeout_seconds, REDIS_STEP_TIMEOUT_SECONDS))
        opening.join(max(0.0, deadline - time.monotonic()))
        if opening.is_alive():
            raise TimeoutError
        self._opening = None
        return opening.result()


class _Opening(Thread):
    """Opens a connection in a thread, because the resolution of a name has no time limit."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        super().__init__(daemon=True)
        self._address = RedisAddress.parse(url)
        self._timeout_seconds = timeout_seconds
        self._error: Exception = ConnectionError("The thread ended.")
        self._is_abandoned = False
        self.connection: RedisConnection | None = None
        self.start()

    @override
    def run(self) -> None:
        try:
            self.connection = RedisConnection.open(self._address, timeout_seconds=self._timeout_seconds)
        except (HiredisError, ReplyError, OSError, ValueError) as error:
            self._error = error
        if self._is_abandoned:
            self.abandon()

    def abandon(self) -> None:
        """Close the connection, now or when it is open."""
        self._is_abandoned = True
        if self.connection is not None:
            self.connection.close()

    def result(self) -> RedisConnection:
        if self.connection is None:
            raise self._error
        return self.connection


@lru_cache(KEPT_KEYS)
def _encode_keys(keys: tuple[str, ...]) -> tuple[int, bytes]:
    """Encode *keys* and their number. Most calls are for an organization that has sent a request before."""
    return encode_arguments([len(keys), *keys])


def _is_forgotten(reply: object) -> bool:
    return isinstance(reply, ReplyError) and str(reply) == NO_SCRIPT


def _result(reply: Any) -> Any:  # noqa: ANN401 - a script's
    if isinstance(reply, ReplyError):
        raise reply
    return reply


def _evaluate_each(connection: RedisConnection, script: Script, calls: list[Call], deadline: float) -> list[Any]:
    """Return the results of all *calls*.

    Raises:
        ReplyError: a call failed. The others ran.
    """
    results = connection.call(b"".join(map(script.call, calls)), len(calls), deadline)
    forgotten = [number for number, result in enumerate(results) if _is_forgotten(result)]
    commands = b"".join(script.call(calls[number], by_digest=False) for number in forgotten)
    for number, result in zip(forgotten, connection.call(commands, len(forgotten), deadline), strict=True):
        results[number] = result
    return [_result(result) for result in results]
