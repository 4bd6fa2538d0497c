"""The admission script decides like the rules, and limits rates like rate-limiter-flexible."""

import json
import random
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis as Client
from redis.exceptions import ResponseError

from tenancy.rules.admission import Admission, AdmissionVerdict
from tenancy.rules.entitlements import Entitlements, Overrides
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.rate_limit import BLOCK, NO_BLOCK, RateWindow, count_request, rate_limit_of, rate_state
from tenancy.rules.standing import LIVE, REVOKED, CredentialState, Standing
from tenancy.rules.tenant import RateBucket
from tenancy.rules.tiers import RATE_LIMIT_WINDOW_SECONDS, Tier
from tenancy.rules.usage import MonthSoFar
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import (
    ADMIT,
    PUT_STANDING,
    SEED_USAGE,
    admit_tenant,
    put_standing,
    seed_usage,
    standing_key,
)
from tests.given import Servers, sold

ACME = uuid4()
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
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


def decisions_of_redis(redis: Redis, limit: int, times: list[int], block: timedelta) -> list[Decision]:
    key = f"{{{uuid4()}}}:rate:ingest"
    decisions = []
    for time in times:
        now = int(START.timestamp() * 1000) + time
        durations = [RATE_LIMIT_WINDOW_SECONDS * 1000, int(block.total_seconds()) * 1000]
        tier: list[str | int] = ["platform", *[limit] * 4, *[0] * 4]
        values = [now, *durations, "", "", "", "", 0, "", 0, 1_000, *tier]
        verdict, _, _, _, requests, ends_at, *_ = redis.run(ADMIT, [key, key + ":last_use"], values)
        decisions.append((verdict == "admitted", max(0, limit - requests), int(ends_at) - now))
    return decisions


def decisions_of_the_rule(limit: int, times: list[int], block: timedelta) -> list[Decision]:
    window: RateWindow | None = None
    decisions = []
    for time in times:
        now = START + timedelta(milliseconds=time)
        window = count_request(window, limit=limit, block=block, now=now)
        rate = rate_state(window, limit=limit, now=now)
        decisions.append((not rate.is_exceeded, rate.remaining, int((window.ends_at - now).total_seconds() * 1000)))
    return decisions


def decisions_of_the_package(
    node: tuple[str, Path], planned: list[tuple[int, list[int]]], block: timedelta
) -> list[list[Decision]]:
    seconds = {"duration": RATE_LIMIT_WINDOW_SECONDS, "blockDuration": int(block.total_seconds())}
    schedule = json.dumps([{"points": limit, "times": times, **seconds} for limit, times in planned])
    program, folder = node
    command = [program, "limit.mjs"]
    finished = subprocess.run(
        command, cwd=folder, input=schedule, capture_output=True, text=True, timeout=120, check=True
    )
    return [[(bool(admitted), left, ends) for admitted, left, ends in each] for each in json.loads(finished.stdout)]


@pytest.mark.parametrize("block", [BLOCK, NO_BLOCK])
def test_decisions_equal_those_of_rate_limiter_flexible(
    counters: Redis, node: tuple[str, Path], block: timedelta
) -> None:
    planned = schedules()

    expected = decisions_of_the_package(node, planned, block)

    assert {admitted for each in expected for admitted, _, _ in each} == {True, False}
    assert [decisions_of_redis(counters, limit, times, block) for limit, times in planned] == expected
    assert [decisions_of_the_rule(limit, times, block) for limit, times in planned] == expected


def test_cluster_mode_rejects_keys_of_two_organizations(servers: Servers) -> None:
    with Client.from_url(servers.valkey_url) as client:
        own = [f"{{{UUID(int=1)}}}:{name}" for name in ("rate:ingest", "last_use", "usage:2026-11")]
        keys = [*own[:2], f"{{{UUID(int=2)}}}:standing", own[2]]

        with pytest.raises(ResponseError, match=r"CROSSSLOT|same slot"):
            client.eval(ADMIT.text, 4, *keys, 0, 0, 0, "", "", "", "", 0, "", 0, 0)

        client.flushall()


def test_missing_key_or_field_is_unknown(counters: Redis) -> None:
    def admit() -> list[object]:
        tier: list[str | int] = ["starter", 100, 1000, 100, 1000, 1000, 100, 10, 90]
        values: list[str | int] = [1_000, 60_000, 60_000, "2026-11-24", "2026-11-24T12", "key", "", 1, "", 0, 1_000]
        result: list[object] = counters.run(ADMIT, [bucket, last_use, standing, usage], [*values, *tier])
        return result

    names = ("rate:ingest", "last_use", "standing", "usage:2026-11")
    bucket, last_use, standing, usage = (f"{{{ACME}}}:{name}" for name in names)
    assert admit() == ["unknown"]

    counters.run(PUT_STANDING, [standing], [1, "starter", "active", 0, "", "", "", "", 60_000])
    assert admit() == ["unknown"]

    counters.run(SEED_USAGE, [usage], [4_000_000_000_000, "2026-11-24", 0, 0, 0, 0, 0, 0, 0])
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
    [
        (("live", "revoked", "live"), "revoked"),
        (("live until 5", "revoked", "live until 5"), "revoked"),
        (("live", "live until 5", "live"), "live until 5"),
        (("live until 5", "live until 10", "live"), "live until 5"),
        (("live until 10", "live until 9"), "live until 9"),
        (("0", "2", "1"), "2"),
        (("1", "revoked", "1"), "revoked"),
    ],
)
def test_narrower_state_is_never_replaced(
    counters: Redis, servers: Servers, written: tuple[str, ...], expected: str
) -> None:
    key = f"{{{uuid4()}}}:standing"

    for credential in written:
        counters.run(PUT_STANDING, [key], [1, "starter", "active", 0, "", "", "one", credential, 60_000])

    with Client.from_url(servers.valkey_url, decode_responses=True) as client:
        assert client.hmget(key, ["state:one", "credential:one"]) == [expected] * 2


OVERRIDES = st.fixed_dictionaries(
    {},
    optional={
        "events_per_month": st.sampled_from([0, 7, 10**12, "unlimited"]),
        "storage_gb": st.sampled_from([1, 10**6, "unlimited"]),
        "data_retention_days": st.sampled_from([1, 90, 730]),
        "ingest_requests_per_minute": st.sampled_from([1, 60_000]),
        "users": st.just("unlimited"),
        "sso": st.booleans(),
    },
)


@given(
    entitlements=st.builds(Entitlements, tier=st.sampled_from(Tier), overrides=OVERRIDES),
    left=st.integers(-5, 60),
    grace_left=st.integers(-5, 60),
    is_full=st.booleans(),
    events=st.integers(0, 50),
    ages=st.lists(st.integers(1, 740), max_size=20),
    all_or_nothing=st.booleans(),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_script_divides_events_like_the_rule(
    counters: Redis,
    entitlements: Entitlements,
    left: int,
    grace_left: int,
    events: int,
    ages: list[int],
    *,
    is_full: bool,
    all_or_nothing: bool,
) -> None:
    quotas, organization_id, credential_id = entitlements.quotas, uuid4(), uuid4()
    so_far = MonthSoFar(
        events=(quotas.events_per_month or 10**6) - left,
        held=quotas.grace_events_per_month - grace_left,
        storage_bytes=(quotas.storage_bytes or 10**9) if is_full else 0,
    )
    standing = Standing(entitlements=entitlements, status=OrganizationStatus.ACTIVE, epoch=0, version=1)
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
        verdict=AdmissionVerdict.ADMITTED, rate=decided.rate, entitlements=entitlements, status=decided.status
    )
    assert decided == admitted.with_events(counted, so_far, all_or_nothing=all_or_nothing)


ENDS = st.sampled_from([START + timedelta(milliseconds=left) for left in (-1, 0, 1)])
STATES = st.one_of(
    st.just(LIVE),
    st.just(REVOKED),
    st.builds(CredentialState, ends_at=ENDS),
    st.builds(CredentialState, epoch=st.integers(0, 11)),
)


@given(
    state=STATES, epochs=st.sampled_from(["", "0.0", "1.0", "0.1", "1.11", "live", "revoked"]), epoch=st.integers(0, 1)
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_script_refuses_credentials_like_the_rule(
    counters: Redis, state: CredentialState, epochs: str, epoch: int
) -> None:
    organization_id, credential_id = uuid4(), uuid4()
    standing = Standing(entitlements=sold(Tier.STARTER), status=OrganizationStatus.ACTIVE, epoch=epoch, version=1)
    put_standing(counters, organization_id, standing, credential=(credential_id, state))
    seed_usage(counters, organization_id, MonthSoFar(events=0, held=0, storage_bytes=0), now=START)

    decided = admit_tenant(
        counters,
        organization_id,
        RateBucket.MANAGEMENT,
        credential=(credential_id, epochs),
        events=0,
        all_or_nothing=False,
        now=START,
    )

    assert isinstance(decided, Admission)
    is_admitted = decided.verdict is AdmissionVerdict.ADMITTED
    assert is_admitted == state.admits(epochs, standing, now=START)


# ------------------------------------------------------------------------------------------- standings of two releases

RELEASE_BEFORE = """
    if tonumber(redis.call('HGET', KEYS[1], 'version') or -1) <= tonumber(ARGV[1]) then
        redis.call('HSET', KEYS[1], 'version', ARGV[1], 'tier', ARGV[2], 'status', ARGV[3], 'epoch', ARGV[4])
    end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An organization in Redis, with writers of both releases."""

    counters: Redis
    servers: Servers
    organization_id: UUID
    credential_id: UUID

    def put(self, version: int, tier: Tier, overrides: Overrides) -> None:
        entitlements = Entitlements(tier=tier, overrides=overrides)
        standing = Standing(entitlements=entitlements, status=OrganizationStatus.ACTIVE, epoch=0, version=version)
        put_standing(self.counters, self.organization_id, standing, credential=(self.credential_id, LIVE))

    def put_as_before(self, version: int, tier: Tier) -> None:
        """Write a standing as the release before does, which knows no overrides."""
        with Client.from_url(self.servers.valkey_url) as client:
            client.eval(RELEASE_BEFORE, 1, standing_key(self.organization_id), version, tier, "active", 0)

    def entitlements(self) -> Entitlements:
        decided = admit_tenant(
            self.counters,
            self.organization_id,
            RateBucket.INGEST,
            credential=(self.credential_id, ""),
            events=0,
            all_or_nothing=False,
            now=START,
        )
        assert isinstance(decided, Admission)
        assert decided.entitlements is not None
        assert decided.rate is not None
        assert decided.rate.limit == rate_limit_of(decided.entitlements, RateBucket.INGEST)
        return decided.entitlements


@pytest.fixture
def known(counters: Redis, servers: Servers) -> Known:
    known = Known(counters=counters, servers=servers, organization_id=uuid4(), credential_id=uuid4())
    so_far = MonthSoFar(events=0, held=0, storage_bytes=0)
    seed_usage(counters, known.organization_id, so_far, now=START)
    return known


FEWER: Overrides = {"ingest_requests_per_minute": 7}
MORE: Overrides = {"ingest_requests_per_minute": 9, "users": "unlimited"}


def test_standing_of_the_release_before_has_the_limits_of_its_tier(known: Known) -> None:
    known.put(1, Tier.STARTER, FEWER)

    known.put_as_before(2, Tier.GROWTH)

    assert known.entitlements() == sold(Tier.GROWTH)


def test_release_before_keeps_the_limits_of_the_same_version(known: Known) -> None:
    known.put(1, Tier.STARTER, MORE)

    known.put_as_before(1, Tier.STARTER)

    assert known.entitlements() == Entitlements(tier=Tier.STARTER, overrides=MORE)


def test_late_writer_of_an_older_version_changes_no_limit(known: Known) -> None:
    known.put(2, Tier.GROWTH, MORE)

    known.put(1, Tier.STARTER, FEWER)

    assert known.entitlements() == Entitlements(tier=Tier.GROWTH, overrides=MORE)


def test_newer_version_without_overrides_ends_them(known: Known) -> None:
    known.put(1, Tier.STARTER, MORE)

    known.put(2, Tier.STARTER, {})

    assert known.entitlements() == sold(Tier.STARTER)


def test_limits_of_another_number_are_those_of_the_tier(known: Known) -> None:
    """A later release may store more limits than this one knows."""
    known.put(1, Tier.STARTER, FEWER)

    with Client.from_url(known.servers.valkey_url) as client:
        client.hset(standing_key(known.organization_id), "limits", "7,8,9,,,,30")

    assert known.entitlements() == sold(Tier.STARTER)


def test_redis_holds_no_override_that_is_unknown(known: Known) -> None:
    """The database may hold any name and text. Redis holds numbers and names of limits only."""
    known.put(1, Tier.STARTER, {**MORE, "note": "a text of a later release"})

    with Client.from_url(known.servers.valkey_url, decode_responses=True) as client:
        stored = client.hget(standing_key(known.organization_id), "overrides")

    assert known.entitlements() == Entitlements(tier=Tier.STARTER, overrides=MORE)
    assert "note" not in str(stored)
