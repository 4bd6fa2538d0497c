"""The admission script decides like the rules, and limits rates like rate-limiter-flexible."""

import json
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis as Client
from redis.exceptions import ResponseError

from tenancy.rules.admission import Admission, AdmissionVerdict
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.rate_limit import RateWindow, count_request, rate_state
from tenancy.rules.standing import LIVE, Standing
from tenancy.rules.tenant import RateBucket
from tenancy.rules.tiers import QUOTAS, RATE_LIMIT_BLOCK_SECONDS, RATE_LIMIT_WINDOW_SECONDS, Tier
from tenancy.rules.usage import MonthSoFar
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import ADMIT, PUT_STANDING, SEED_USAGE, admit_tenant, put_standing, seed_usage
from tests.given import Servers, sold

ACME = uuid4()
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WINDOW_MS, BLOCK_MS = RATE_LIMIT_WINDOW_SECONDS * 1000, RATE_LIMIT_BLOCK_SECONDS * 1000
SCHEDULES, REQUESTS = 40, 120

type Decision = tuple[bool, int, int]


def schedules() -> list[tuple[int, list[int]]]:
    """Return limits and request times (ms): bursts, and times around the ends of a window."""
    generator = random.Random(20261125)
    planned = []
    for _ in range(SCHEDULES):
        limit, now, times = generator.randint(1, 12), 0, []
        for _ in range(REQUESTS):
            now += generator.choice(
                [0, 1, generator.randint(0, 500), generator.randint(0, 9_000), 59_999, 60_000, 60_001]
            )
            times.append(now)
        planned.append((limit, times))
    return planned


def decisions_of_redis(redis: Redis, limit: int, times: list[int]) -> list[Decision]:
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
            "",
            0,
        ]
        verdict, _, _, _, requests, ends_at, *_ = redis.run(ADMIT, [key], [*values, "platform", limit, 0, 0, 0, 0, 0])
        decisions.append((verdict == "admitted", max(0, limit - requests), int(ends_at) - now))
    return decisions


def decisions_of_the_rule(limit: int, times: list[int]) -> list[Decision]:
    window: RateWindow | None = None
    decisions = []
    for time in times:
        now = START + timedelta(milliseconds=time)
        window = count_request(window, limit=limit, now=now)
        rate = rate_state(window, limit=limit, now=now)
        decisions.append((not rate.is_exceeded, rate.remaining, int((window.ends_at - now).total_seconds() * 1000)))
    return decisions


def decisions_of_the_package(node: tuple[str, Path], planned: list[tuple[int, list[int]]]) -> list[list[Decision]]:
    seconds = {"duration": RATE_LIMIT_WINDOW_SECONDS, "blockDuration": RATE_LIMIT_BLOCK_SECONDS}
    schedule = json.dumps([{"points": limit, "times": times, **seconds} for limit, times in planned])
    program, folder = node
    command = [program, "limit.mjs"]
    finished = subprocess.run(
        command, cwd=folder, input=schedule, capture_output=True, text=True, timeout=120, check=True
    )
    return [[(bool(admitted), left, ends) for admitted, left, ends in each] for each in json.loads(finished.stdout)]


def test_decisions_equal_those_of_rate_limiter_flexible(counters: Redis, node: tuple[str, Path]) -> None:
    planned = schedules()

    expected = decisions_of_the_package(node, planned)

    assert {admitted for each in expected for admitted, _, _ in each} == {True, False}
    assert [decisions_of_redis(counters, limit, times) for limit, times in planned] == expected
    assert [decisions_of_the_rule(limit, times) for limit, times in planned] == expected


def test_cluster_mode_rejects_keys_of_two_organizations(servers: Servers) -> None:
    with Client.from_url(servers.valkey_url) as client:
        keys = [f"{{{UUID(int=1)}}}:rate:ingest", f"{{{UUID(int=2)}}}:standing", f"{{{UUID(int=1)}}}:usage:2026-11"]

        with pytest.raises(ResponseError, match=r"CROSSSLOT|same slot"):
            client.eval(ADMIT.text, 3, *keys, 0, 0, 0, "", "", "", "", 0, "", 0)

        client.flushall()


def test_missing_key_or_field_is_unknown(counters: Redis) -> None:
    def admit() -> list[object]:
        tier: list[str | int] = ["starter", 100, 1000, 1000, 100, 10, 90]
        values: list[str | int] = [1_000, 60_000, 60_000, "2026-11-24", "2026-11-24T12", "key", "", 1, "", 0, *tier]
        result: list[object] = counters.run(ADMIT, [bucket, standing, usage], values)
        return result

    bucket, standing, usage = (f"{{{ACME}}}:{name}" for name in ("rate:ingest", "standing", "usage:2026-11"))
    assert admit() == ["unknown"]

    counters.run(PUT_STANDING, [standing], [1, "starter", "active", 0, "", "", "", "", 60_000])
    assert admit() == ["unknown"]

    counters.run(SEED_USAGE, [usage], [4_000_000_000_000, "2026-11-24", 0, 0, 0, 0, 0])
    assert admit() == ["unknown"]

    counters.run(PUT_STANDING, [standing], [1, "starter", "active", 0, "", "", "key", "live", 60_000])
    assert admit()[0] == "admitted"

    counters.run(PUT_STANDING, [standing], [2, "platinum", "active", 0, "", "", "", "", 60_000])
    assert admit() == ["unknown"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (("1", "active"), ("2", "suspended"), "suspended"),
        (("2", "suspended"), ("1", "active"), "suspended"),
        (("2", "suspended"), ("3", "active"), "active"),
    ],
)
def test_newer_standing_wins_in_any_order(
    counters: Redis, servers: Servers, first: tuple[str, str], second: tuple[str, str], expected: str
) -> None:
    key = f"{{{uuid4()}}}:standing"

    for version, status in (first, second):
        counters.run(PUT_STANDING, [key], [version, "starter", status, 0, "", "", "", "", 60_000])

    with Client.from_url(servers.valkey_url, decode_responses=True) as client:
        assert client.hget(key, "status") == expected
        assert 0 < int(client.pttl(key)) <= 60_000


@pytest.mark.parametrize(
    ("written", "expected"),
    [(("live", "revoked", "live"), "revoked"), (("0", "2", "1"), "2"), (("1", "revoked", "1"), "revoked")],
)
def test_revocation_and_later_epoch_are_never_replaced(
    counters: Redis, servers: Servers, written: tuple[str, ...], expected: str
) -> None:
    key = f"{{{uuid4()}}}:standing"

    for credential in written:
        counters.run(PUT_STANDING, [key], [1, "starter", "active", 0, "", "", "one", credential, 60_000])

    with Client.from_url(servers.valkey_url, decode_responses=True) as client:
        assert client.hget(key, "credential:one") == expected


@given(
    tier=st.sampled_from(Tier),
    left=st.integers(-5, 60),
    grace_left=st.integers(-5, 60),
    is_full=st.booleans(),
    events=st.integers(0, 50),
    ages=st.lists(st.integers(91, 740), max_size=20),
    all_or_nothing=st.booleans(),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_script_divides_events_like_the_rule(
    counters: Redis,
    tier: Tier,
    left: int,
    grace_left: int,
    events: int,
    ages: list[int],
    *,
    is_full: bool,
    all_or_nothing: bool,
) -> None:
    quotas, organization_id, credential_id = QUOTAS[tier], uuid4(), uuid4()
    so_far = MonthSoFar(
        requests=0,
        requests_today=0,
        events=quotas.events_per_month - left,
        held=quotas.grace_events_per_month - grace_left,
        storage_bytes=quotas.storage_bytes if is_full else 0,
    )
    standing = Standing(entitlements=sold(tier), status=OrganizationStatus.ACTIVE, epoch=0, version=1)
    put_standing(counters, organization_id, standing, credential=(credential_id, LIVE))
    seed_usage(counters, organization_id, so_far, now=START)

    decided = admit_tenant(
        counters,
        organization_id,
        RateBucket.INGEST,
        credential=(credential_id, ""),
        events=events,
        ages=ages,
        all_or_nothing=all_or_nothing,
        now=START,
    )

    assert isinstance(decided, Admission)
    counted = events + sum(age <= quotas.data_retention_days for age in ages)
    admitted = Admission(
        verdict=AdmissionVerdict.ADMITTED, rate=decided.rate, entitlements=sold(tier), status=decided.status
    )
    assert decided == admitted.with_events(counted, so_far, all_or_nothing=all_or_nothing)
