"""The connection to Redis: no call reads the reply to another one, and a closed connection is replaced."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event as Signal
from threading import Thread, Timer
from time import monotonic
from types import FrameType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis as Client

from tenancy.stores.redis import client as redis_client
from tenancy.stores.redis.client import Constants, Redis, RedisUnreachableError, Script
from tenancy.stores.redis.connection import RedisAddress, RedisConnection
from tests.given import PATIENCE_SECONDS, Servers

SHORT_SECONDS = 0.01
LATE_SECONDS = 0.2  # after the next call has begun
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
INTEGERS = st.integers(-(2**63), 2**63 - 1)


class InterruptedCallError(BaseException):
    """The process was told to stop while it waited for a reply."""


class LateServer:
    """Answers each script with its last argument, and the first one only after *release*."""

    def __init__(self) -> None:
        self.release = Signal()
        self.received = Signal()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self.release.set()
        self._listener.close()

    def _serve(self) -> None:
        try:
            while True:
                Thread(target=self._answer, args=(self._listener.accept()[0],), daemon=True).start()
        except OSError:
            return

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            while command := connection.recv(65_536):
                is_first = command.endswith(b"first\r\n")
                if is_first:
                    self.received.set()
                    self.release.wait()
                try:
                    connection.sendall(b"+PONG\r\n" if b"PING" in command else b"+%b\r\n" % command.split(b"\r\n")[-2])
                except OSError:  # the client has closed the connection
                    return


@pytest.fixture
def echo(tmp_path: Path) -> Script:
    file = tmp_path / "echo.lua"
    file.write_text("return {KEYS, ARGV, #ARGV}")
    return Script(file)


@pytest.fixture
def late() -> Iterator[LateServer]:
    with closing(LateServer()) as server:
        yield server


@pytest.fixture
def no_break(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_client, "REDIS_FIRST_BREAK_SECONDS", 0.0)


@pytest.mark.usefixtures("no_break")
def test_call_after_a_time_out_gets_its_own_reply(late: LateServer, echo: Script) -> None:
    with closing(Redis(lambda: late.url, timeout_seconds=PATIENCE_SECONDS)) as redis:
        redis.connect()
        redis._timeout_seconds = SHORT_SECONDS
        with pytest.raises(RedisUnreachableError, match="TimeoutError"):
            redis.run(echo, [], ["first"])
        redis._timeout_seconds = PATIENCE_SECONDS
        Timer(LATE_SECONDS, late.release.set).start()

        answers = [redis.run(echo, [], [text]) for text in ("second", "third")]

    assert answers == ["second", "third"]


def test_command_that_comes_too_late_is_not_sent(late: LateServer) -> None:
    address = RedisAddress.parse(late.url)
    with closing(RedisConnection.open(address, timeout_seconds=PATIENCE_SECONDS)) as connection:
        with pytest.raises(TimeoutError):
            connection.call(b"$5\r\nfirst\r\n", 1, monotonic() - 1)

        assert not late.received.wait(LATE_SECONDS)


def test_call_after_an_interrupted_one_gets_its_own_reply(late: LateServer, echo: Script) -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise InterruptedCallError

    def signal_once_received() -> None:
        late.received.wait()
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with closing(Redis(lambda: late.url, timeout_seconds=PATIENCE_SECONDS)) as redis:
            Thread(target=signal_once_received, daemon=True).start()
            with pytest.raises(InterruptedCallError):
                redis.run(echo, [], ["first"])
            Timer(LATE_SECONDS, late.release.set).start()

            answers = [redis.run(echo, [], [text]) for text in ("second", "third")]
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert answers == ["second", "third"]


def test_connection_that_the_server_closed_is_replaced(counters: Redis, servers: Servers, echo: Script) -> None:
    counters.run(echo, ["{acme}"], [])
    with Client.from_url(servers.valkey_url) as client:
        client.client_kill_filter(_type="normal", skipme=True)

    assert counters.run(echo, ["{acme}"], ["again"]) == [["{acme}"], ["again"], 1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(key=TEXTS, values=st.lists(TEXTS | INTEGERS), constants=st.lists(TEXTS | INTEGERS))
def test_arguments_and_replies_equal_those_of_redis_py(
    key: str, values: list[str | int], constants: list[str | int], counters: Redis, servers: Servers, echo: Script
) -> None:
    found = counters.run(echo, [key], values, Constants(constants))

    with Client.from_url(servers.valkey_url, decode_responses=True) as client:
        assert found == client.eval(echo.text, 1, key, *values, *constants)


def test_replies_larger_than_a_read_are_complete(counters: Redis, echo: Script) -> None:
    text = "ä" * 100_000

    results = counters.run_each(echo, [(["{acme}"], [text, number]) for number in range(20)])

    assert results == [[["{acme}"], [text, str(number)], 2] for number in range(20)]
