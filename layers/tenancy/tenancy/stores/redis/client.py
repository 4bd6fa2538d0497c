"""Redis (Valkey, ElastiCache): one connection, no call longer than its patience, none while it is known to be away."""

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

from tenancy.errors import Refusal
from tenancy.rules.durations import REDIS_FIRST_BREAK_SECONDS, REDIS_MAX_BREAK_SECONDS, REDIS_STEP_TIMEOUT_SECONDS
from tenancy.stores.aws.client import AwsCallError

type Call = tuple[Sequence[str], Sequence[str | int]]


class RedisUnreachableError(Exception):
    """Redis did not answer in time, refuses to work, or did so a moment ago: its text is the error's type, no more."""


class Script:
    """A Lua script that stands in a file of its own, which says what it takes and gives."""

    def __init__(self, file: Path) -> None:
        """Read *file*; Redis knows the script by its SHA-1."""
        self.text = file.read_text(encoding="utf-8")
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Redis:
    """One Redis at the URL that *url* returns (`rediss://user:password@host:6379`), connected to at the first call.

    After a failure nothing is tried for a while, twice as long each time, so that requests do not wait one after the
    other for a server that is away, and a short pause of one that is not costs little. The wait is bounded as a whole,
    by a thread that is left behind: a time-out for each step of a connection would add up.
    """

    def __init__(self, url: Callable[[], str], *, timeout_seconds: float) -> None:
        """A call waits *patience_seconds*: long for the scheduled functions, short while a client waits as well."""
        self._url = url
        self._timeout_seconds = timeout_seconds
        self._break_seconds = REDIS_FIRST_BREAK_SECONDS
        self._tries_again_at = 0.0
        self._client: Client | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._running: Future[Any] | None = None

    def run(self, script: Script, keys: Sequence[str], values: Sequence[str | int]) -> Any:  # noqa: ANN401 - a script's
        """Return what *script* does with *keys* and *values*.

        Raises:
            RedisAwayError: nobody knows whether it ran.
        """
        return self._within_patience(lambda client: _evaluate(client, script, keys, values))

    def run_each(self, script: Script, calls: Iterable[Call]) -> Sequence[Any]:
        """Return what *script* does in each of *calls*, which travel together.

        Raises:
            RedisAwayError: nobody knows which of them ran.
        """
        results: Sequence[Any] = self._within_patience(lambda client: _evaluate_each(client, script, list(calls)))
        return results

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._client is not None:
            self._client.close()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        self._client = self._thread = self._running = None

    def _within_patience(self, work: Callable[[Client], Any]) -> Any:  # noqa: ANN401
        if time.monotonic() < self._tries_again_at or (self._running is not None and not self._running.done()):
            raise RedisUnreachableError("waiting")
        try:
            client = self._connected()
            self._thread = self._thread or ThreadPoolExecutor(max_workers=1)
            self._running = self._thread.submit(work, client)
            result = self._running.result(self._timeout_seconds)
        except FutureTimeoutError as error:  # what goes on may still open the connection that the next call needs
            raise self._broken(error) from error
        except (RedisError, OSError, ValueError, Refusal, AwsCallError) as error:  # a URL that is none is a ValueError
            self.close()
            raise self._broken(error) from error
        self._break_seconds = REDIS_FIRST_BREAK_SECONDS
        return result

    def _broken(self, error: Exception) -> "RedisUnreachableError":
        self._tries_again_at = time.monotonic() + self._break_seconds
        self._break_seconds = min(2 * self._break_seconds, REDIS_MAX_BREAK_SECONDS)
        return RedisUnreachableError(type(error).__name__)

    def _connected(self) -> Client:
        if self._client is None:
            self._client = Client.from_url(
                self._url(),
                socket_timeout=max(self._timeout_seconds, REDIS_STEP_TIMEOUT_SECONDS),
                socket_connect_timeout=max(self._timeout_seconds, REDIS_STEP_TIMEOUT_SECONDS),
                retry=Retry(NoBackoff(), 0),
                protocol=2,  # no HELLO, and no notices of maintenance: as few steps to a connection as there can be
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
