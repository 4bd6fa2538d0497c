"""The client of Redis (or Valkey): one connection, and a time limit for each call.

After a failure all calls fail at once, for 0.25 to 2 seconds. So requests do not wait for an unreachable server.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from tenancy.errors import AwsCallError, Refusal
from tenancy.rules.durations import REDIS_FIRST_BREAK_SECONDS, REDIS_MAX_BREAK_SECONDS, REDIS_STEP_TIMEOUT_SECONDS

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

    It connects at the first call. After a failure no call is tried for a while. The pause doubles with each failure, so
    a short outage costs little, and requests do not wait one after another for an unreachable server.

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

    def run(self, script: Script, keys: Sequence[str], values: Sequence[str | int]) -> Any:  # noqa: ANN401 - a script's
        """Return the result of *script* for *keys* and *values*.

        Raises:
            RedisUnreachableError: the script may have run.
        """
        return self._within_timeout(lambda client: _evaluate(client, script, keys, values))

    def run_each(self, script: Script, calls: Iterable[Call]) -> Sequence[Any]:
        """Return the results of *script* for each of *calls*, which are sent in one pipeline.

        Raises:
            RedisUnreachableError: any of the calls may have run.
        """
        results: Sequence[Any] = self._within_timeout(lambda client: _evaluate_each(client, script, list(calls)))
        return results

    def close(self) -> None:
        """Close the connection. The next call opens a new one."""
        if self._client is not None:
            self._client.close()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        self._client = self._thread = self._running = None

    def _within_timeout(self, work: Callable[[Client], Any]) -> Any:  # noqa: ANN401
        if time.monotonic() < self._blocked_until or (self._running is not None and not self._running.done()):
            raise RedisUnreachableError("waiting")
        try:
            client = self._connected()
            self._thread = self._thread or ThreadPoolExecutor(max_workers=1)
            self._running = self._thread.submit(work, client)
            result = self._running.result(self._timeout_seconds)
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
    client.script_load(script.text)
    pipeline = client.pipeline(transaction=False)
    for keys, values in calls:
        pipeline.evalsha(script.digest, len(keys), *keys, *values)
    return pipeline.execute()
