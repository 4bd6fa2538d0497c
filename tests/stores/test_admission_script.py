"""The limiter in Redis decides as rate-limiter-flexible does, whose options are the seed's, and as our rule does."""

import json
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from redis import Redis as Client
from redis.exceptions import ResponseError

from tenancy.rules.rate_limit import RateWindow, count_request, rate_state
from tenancy.rules.tiers import RATE_LIMIT_BLOCK_SECONDS, RATE_LIMIT_WINDOW_SECONDS
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import ADMIT, PUT_STANDING, SEED_USAGE
from tests.given import Servers

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WINDOW_MS, BLOCK_MS = RATE_LIMIT_WINDOW_SECONDS * 1000, RATE_LIMIT_BLOCK_SECONDS * 1000
SCHEDULES, REQUESTS = 40, 120

type Decision = tuple[bool, int, int]


def schedules() -> list[tuple[int, list[int]]]:
    """Return limits and times (ms): crowds, pauses around the ends of window and block, and the ends themselves."""
    chance = random.Random(20261125)
    found = []
    for _ in range(SCHEDULES):
        limit, now, times = chance.randint(1, 12), 0, []
        for _ in range(REQUESTS):
            now += chance.choice([0, 1, chance.randint(0, 500), chance.randint(0, 9_000), 59_999, 60_000, 60_001])
            times.append(now)
        found.append((limit, times))
    return found


def of_redis(redis: Redis, limit: int, times: list[int]) -> list[Decision]:
    key = f"{{{uuid4()}}}:rate:ingest"
    decisions = []
    for time in times:
        now = int(START.timestamp() * 1000) + time
        values: list[str | int] = [
            now,
            RATE_LIMIT_WINDOW_SECONDS * 1000,
            RATE_LIMIT_BLOCK_SECONDS * 1000,
            "",
            "",
            "",
            "",
            0,
            0,
        ]
        verdict, _, _, _, requests, ends_at, *_ = redis.run(ADMIT, [key], [*values, "platform", limit, 0, 0, 0, 0])
        decisions.append((verdict == "admitted", max(0, limit - requests), int(ends_at) - now))
    return decisions


def of_the_rule(limit: int, times: list[int]) -> list[Decision]:
    window: RateWindow | None = None
    decisions = []
    for time in times:
        now = START + timedelta(milliseconds=time)
        window = count_request(window, limit=limit, now=now)
        rate = rate_state(window, limit=limit, now=now)
        decisions.append((not rate.is_exceeded, rate.remaining, int((window.ends_at - now).total_seconds() * 1000)))
    return decisions


def of_the_package(node: tuple[str, Path], planned: list[tuple[int, list[int]]]) -> list[list[Decision]]:
    seconds = {"duration": RATE_LIMIT_WINDOW_SECONDS, "blockDuration": RATE_LIMIT_BLOCK_SECONDS}
    asked = json.dumps([{"points": limit, "times": times, **seconds} for limit, times in planned])
    program, folder = node
    command = [program, "limit.mjs"]
    ran = subprocess.run(command, cwd=folder, input=asked, capture_output=True, text=True, timeout=120, check=True)
    return [[(bool(admitted), left, ends) for admitted, left, ends in each] for each in json.loads(ran.stdout)]


def test_every_decision_is_that_of_rate_limiter_flexible(counters: Redis, node: tuple[str, Path]) -> None:
    planned = schedules()
    expected = of_the_package(node, planned)
    assert {admitted for each in expected for admitted, _, _ in each} == {True, False}
    assert [of_redis(counters, limit, times) for limit, times in planned] == expected
    assert [of_the_rule(limit, times) for limit, times in planned] == expected


def test_a_script_that_reaches_for_another_organizations_key_is_refused_in_cluster_mode(servers: Servers) -> None:
    with Client.from_url(servers.valkey_url) as client:
        keys = [f"{{{UUID(int=1)}}}:rate:ingest", f"{{{UUID(int=2)}}}:standing", f"{{{UUID(int=1)}}}:usage:2026-11"]
        with pytest.raises(ResponseError, match=r"CROSSSLOT|same slot"):
            client.eval(ADMIT.text, 3, *keys, 0, 0, 0, "", "", "", "", 0, 0)
        client.flushall()


def test_what_is_missing_is_unknown_never_zero_and_never_active(counters: Redis) -> None:
    def ask() -> list[object]:
        tier: list[str | int] = ["starter", 100, 1000, 1000, 100, 10]
        values: list[str | int] = [1_000, 60_000, 60_000, "2026-11-24", "2026-11-24T12", "key", "", 1, 0, *tier]
        found: list[object] = counters.run(ADMIT, keys, values)
        return found

    keys = [f"{{{uuid4()}}}:{name}" for name in ("a", "b", "c")]
    keys = [keys[0], keys[0].replace(":a", ":standing"), keys[0].replace(":a", ":usage:2026-11")]
    assert ask() == ["unknown"]
    counters.run(PUT_STANDING, [keys[1]], [1, "starter", "active", 0, "", "", 60_000])
    assert ask() == ["unknown"]
    counters.run(SEED_USAGE, [keys[2]], [4_000_000_000_000, "2026-11-24", 0, 0, 0, 0, 0])
    assert ask() == ["unknown"]
    counters.run(PUT_STANDING, [keys[1]], [1, "starter", "active", 0, "key", "live", 60_000])
    assert ask()[0] == "admitted"
    counters.run(PUT_STANDING, [keys[1]], [2, "platinum", "active", 0, "", "", 60_000])
    assert ask() == ["unknown"]


@pytest.mark.parametrize(
    ("first", "second", "holds"),
    [
        (("1", "active"), ("2", "suspended"), "suspended"),
        (("2", "suspended"), ("1", "active"), "suspended"),
        (("2", "suspended"), ("3", "active"), "active"),
    ],
)
def test_of_two_notes_the_newer_holds_in_whatever_order_they_come(
    counters: Redis, servers: Servers, first: tuple[str, str], second: tuple[str, str], holds: str
) -> None:
    key = f"{{{uuid4()}}}:standing"
    for version, status in (first, second):
        counters.run(PUT_STANDING, [key], [version, "starter", status, 0, "", "", 60_000])
    with Client.from_url(servers.valkey_url, decode_responses=True) as client:
        assert client.hget(key, "status") == holds
        assert 0 < int(client.pttl(key)) <= 60_000


@pytest.mark.parametrize(
    ("notes", "holds"),
    [(("live", "revoked", "live"), "revoked"), (("0", "2", "1"), "2"), (("1", "revoked", "1"), "revoked")],
)
def test_a_revocation_and_a_later_epoch_stay(
    counters: Redis, servers: Servers, notes: tuple[str, ...], holds: str
) -> None:
    key = f"{{{uuid4()}}}:standing"
    for note in notes:
        counters.run(PUT_STANDING, [key], [1, "starter", "active", 0, "one", note, 60_000])
    with Client.from_url(servers.valkey_url, decode_responses=True) as client:
        assert client.hget(key, "credential:one") == holds
