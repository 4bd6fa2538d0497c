"""The client of Redis (or Valkey): one connection, and a time limit for each call.

After a failure all calls fail at once, for 0.25 to 2 seconds. So requests do not wait for an unreachable server.

A server may forget a script at any moment: ElastiCache Serverless answers NOSCRIPT even right after SCRIPT LOAD. So
each EVALSHA that finds no script is repeated as EVAL. NOSCRIPT means that the script has not run.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from tenancy.errors import AwsCallError, Refusal
from tenancy.rules.durations import (
    REDIS_FIRST_BREAK_SECONDS,
    REDIS_MAX_BREAK_SECONDS,
    REDIS_START_TIMEOUT_SECONDS,
    REDIS_STEP_TIMEOUT_SECONDS,
)

type Call = tuple[Sequence[str], Sequence[str | int]]


class RedisUnreachableError(Exception):
    """Redis did not answer in time or rejected a call, or the pause after such a failure is not over.

    The message holds only the type of the driver's error.
    """


class Script:
    """A Lua script in a file of its own. The header of the file lists KEYS, ARGV and the result."""

    def __init__(self, file: Path) -> None:
        """Read *file*. Redis identifies the script by its SHA-1."""
        self.text = file.read_text(encoding="utf-8")
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Redis:
    """One Redis server at the URL that *url* returns (`rediss://user:password@host:6379`).

    It connects at the first call, or in `connect`. After a failure no call is tried for a while. The pause doubles with
    each failure, so a short outage costs little, and requests do not wait one after another for an unreachable server.

    A worker thread limits the time of the call as a whole. Socket time-outs apply to each step of a connection and
    would add up.
    """

    def __init__(self, url: Callable[[], str], *, timeout_seconds: float) -> None:
        """Limit each call to *timeout_seconds*.

        The limit is short if a client waits, and long for scheduled functions.
        """
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._break_seconds = REDIS_FIRST_BREAK_SECONDS
        self._blocked_until = 0.0
        self._client: Client | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._running: Future[Any] | None = None

    def connect(self) -> None:
        """Connect before the first request, if the server answers.

        A new connection takes several round trips (TCP, TLS, AUTH), for which a request's time limit is too short. An
        unreachable server is no error here: the requests are admitted without Redis.
        """
        with suppress(RedisUnreachableError):
            self._within(REDIS_START_TIMEOUT_SECONDS, lambda client: client.ping())

    def run(self, script: Script, keys: Sequence[str], values: Sequence[str | int]) -> Any:  # noqa: ANN401 - a script's
        """Return the result of *script* for *keys* and *values*.

        Raises:
            RedisUnreachableError: the script may have run.
        """
        return self._within(self._timeout_seconds, lambda client: _evaluate(client, script, keys, values))

    def run_each(self, script: Script, calls: Iterable[Call]) -> Sequence[Any]:
        """Return the results of *script* for each of *calls*, which are sent in one pipeline.

        Raises:
            RedisUnreachableError: any of the calls may have run.
        """
        results: Sequence[Any] = self._within(
            self._timeout_seconds, lambda client: _evaluate_each(client, script, list(calls))
        )
        return results

    def close(self) -> None:
        """Close the connection. The next call opens a new one."""
        if self._client is not None:
            self._client.close()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        self._client = self._thread = self._running = None

    def _within(self, seconds: float, work: Callable[[Client], Any]) -> Any:  # noqa: ANN401 - the result of *work*
        if time.monotonic() < self._blocked_until or (self._running is not None and not self._running.done()):
            raise RedisUnreachableError("waiting")
        try:
            client = self._connected()
            self._thread = self._thread or ThreadPoolExecutor(max_workers=1)
            self._running = self._thread.submit(work, client)
            result = self._running.result(seconds)
        except FutureTimeoutError as error:  # The thread may still open the connection. The next call then uses it.
            raise self._failed(error) from error
        except (RedisError, OSError, ValueError, Refusal, AwsCallError) as error:
            # An invalid URL raises ValueError, an unreadable secret Refusal or AwsCallError.
            self.close()
            raise self._failed(error) from error
        self._break_seconds = REDIS_FIRST_BREAK_SECONDS
        return result

    def _failed(self, error: Exception) -> "RedisUnreachableError":
        self._blocked_until = time.monotonic() + self._break_seconds
        self._break_seconds = min(2 * self._break_seconds, REDIS_MAX_BREAK_SECONDS)
        return RedisUnreachableError(type(error).__name__)

    def _connected(self) -> Client:
        if self._client is None:
            self._client = Client.from_url(
                self._url(),
                socket_timeout=max(self._timeout_seconds, REDIS_STEP_TIMEOUT_SECONDS),
                socket_connect_timeout=max(self._timeout_seconds, REDIS_STEP_TIMEOUT_SECONDS),
                retry=Retry(NoBackoff(), 0),
                protocol=2,  # no HELLO and no maintenance notices: fewer round trips for a new connection
                driver_info=None,
                decode_responses=True,
            )
        return self._client


def _evaluate(client: Client, script: Script, keys: Sequence[str], values: Sequence[str | int]) -> Any:  # noqa: ANN401
    try:
        return client.evalsha(script.digest, len(keys), *keys, *values)
    except NoScriptError:
        return client.eval(script.text, len(keys), *keys, *values)


def _evaluate_each(client: Client, script: Script, calls: list[Call]) -> list[Any]:
    """Return the results of all *calls*.

    Raises:
        ResponseError: a call failed. The others ran.
    """
    results = _pipelined(client, script.digest, calls, by_digest=True)
    forgotten = [number for number, result in enumerate(results) if isinstance(result, NoScriptError)]
    repeated = _pipelined(client, script.text, [calls[number] for number in forgotten], by_digest=False)
    for number, result in zip(forgotten, repeated, strict=True):
        results[number] = result
    failed = next((result for result in results if isinstance(result, ResponseError)), None)
    if failed is not None:
        raise failed
    return results


def _pipelined(client: Client, script: str, calls: Iterable[Call], *, by_digest: bool) -> list[Any]:
    """Return results and errors of *script*, its digest or its text, in the order of *calls*."""
    pipeline = client.pipeline(transaction=False)
    evaluate = pipeline.evalsha if by_digest else pipeline.eval
    for keys, values in calls:
        evaluate(script, len(keys), *keys, *values)
    results: list[Any] = pipeline.execute(raise_on_error=False)
    return results
