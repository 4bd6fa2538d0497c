"""Scripts that the server forgets: each call runs exactly once all the same."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis as Client

from tenancy.stores.redis.client import Redis, RedisUnreachableError, Script
from tenancy.stores.redis.connection import ReplyError
from tests.given import PATIENCE_SECONDS, Servers
from tests.stores.forgetful_valkey import forgetful_valkey

CALLS = 25


@pytest.fixture
def add(tmp_path: Path) -> Script:
    file = tmp_path / "add.lua"
    file.write_text("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    return Script(file)


@pytest.fixture
def forgetful(servers: Servers, counters: Redis) -> Iterator[Redis]:  # noqa: ARG001 - empties the server
    with (
        forgetful_valkey(servers.valkey_url) as url,
        closing(Redis(lambda: url, timeout_seconds=PATIENCE_SECONDS)) as redis,
    ):
        yield redis


@pytest.fixture
def commands(servers: Servers) -> Iterator[Client]:
    with Client.from_url(servers.valkey_url, decode_responses=True) as client:
        yield client


def test_single_calls_run_once_each(forgetful: Redis, add: Script) -> None:
    results = [forgetful.run(add, ["{acme}:single"], [1]) for _ in range(CALLS)]

    assert results == list(range(1, CALLS + 1))


def test_calls_of_a_pipeline_run_once_each(forgetful: Redis, add: Script, commands: Client) -> None:
    keys = [f"{{acme}}:{number}" for number in range(CALLS)]

    results = forgetful.run_each(add, [([key], [number]) for number, key in enumerate(keys)])

    assert results == list(range(CALLS))
    assert [int(value) for value in map(commands.get, keys) if isinstance(value, str)] == list(range(CALLS))


def test_pipeline_without_calls_is_no_error(forgetful: Redis, add: Script) -> None:
    assert forgetful.run_each(add, []) == []


def test_error_of_one_call_in_a_pipeline_is_raised(forgetful: Redis, add: Script, commands: Client) -> None:
    commands.set("{acme}:text", "no number")

    with pytest.raises(RedisUnreachableError) as raised:
        forgetful.run_each(add, [(["{acme}:text"], [1]), (["{acme}:other"], [1])])

    assert isinstance(raised.value.__cause__, ReplyError)
    assert commands.get("{acme}:other") == "1"
