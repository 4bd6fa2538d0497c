"""While Redis is unreachable, the quota of events follows the last roll-up and this process."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from tenancy.rules.admission import Admission, AdmissionVerdict
from tenancy.rules.tenant import AdmittedTenant, RateBucket
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW
from tests.use_cases.storing import put

STARTER = QUOTAS[Tier.STARTER]
WORKERS, BATCH = 16, 7
SPENT = "INSERT INTO tenant_usage (organization_id, metric_date, events_count) VALUES (%s, %s, %s)"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def unreachable() -> Iterator[Redis]:
    """Return a Redis at port 1 of loopback, on which nothing listens."""
    with closing(Redis(lambda: "redis://127.0.0.1:1/0", timeout_seconds=1)) as redis:
        yield redis


def spend(databases: Databases, provisioned: Provisioned, left: int) -> None:
    """Store usage of an earlier day of the month, so that *left* events remain."""
    with superuser(databases) as conn:
        spent = STARTER.events_per_month - left
        conn.execute(SPENT, (provisioned.organization.id, NOW.date().replace(day=2), spent))


def device_of(provisioned: Provisioned) -> AdmittedTenant:
    return replace(tenant_of(provisioned), credential_id=provisioned.write_key_id, bucket=RateBucket.INGEST)


def test_hour_without_redis_exceeds_the_quota_until_a_roll_up(
    databases: Databases, unreachable: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    """The quota is exceeded by at most the events since the last roll-up."""
    spend(databases, acme, left=3_000)
    workers = [AdmissionGate(unreachable, lambda: databases.functions) for _ in range(WORKERS)]
    tenant, now, taken = device_of(acme), NOW, [0, 0, 0]

    for third in range(3):
        for _ in range(20):
            accepted = sum(worker.admit(tenant, events=BATCH, now=now).accepted for worker in workers)
            put(databases, acme.organization.id, range(sum(taken), sum(taken) + accepted), at=now)
            taken[third] += accepted
            now += MINUTE
        roll_up(databases.platform, databases.clickhouse, unreachable, now=now)
    last = [worker.admit(tenant, events=BATCH, now=now) for worker in workers]

    assert taken == [20 * WORKERS * BATCH, 20 * WORKERS * BATCH, 0]
    assert sum(taken) - 3_000 <= taken[1]
    assert {(each.verdict, each.accepted, each.held) for each in last} == {(AdmissionVerdict.ADMITTED, 0, BATCH)}
    assert workers[0].admit(device_of(globex), events=BATCH, now=NOW).accepted == BATCH


def test_grace_band_ends_without_redis(databases: Databases, unreachable: Redis, acme: Provisioned) -> None:
    spend(databases, acme, left=10)
    gate = AdmissionGate(unreachable, lambda: databases.functions)

    found = [gate.admit(device_of(acme), events=STARTER.grace_events_per_month, now=NOW) for _ in range(2)]

    assert [(each.accepted, each.held) for each in found] == [(10, STARTER.grace_events_per_month - 10), (0, 10)]


def test_batch_that_does_not_fit_is_refused_whole_without_redis(
    databases: Databases, unreachable: Redis, acme: Provisioned
) -> None:
    spend(databases, acme, left=10)
    gate = AdmissionGate(unreachable, lambda: databases.functions)

    found = gate.admit(device_of(acme), events=STARTER.grace_events_per_month + 11, all_or_nothing=True, now=NOW)

    assert (found.accepted, found.held) == (0, 0)


def test_cancelled_events_are_free_again_without_redis(
    databases: Databases, unreachable: Redis, acme: Provisioned
) -> None:
    spend(databases, acme, left=10)
    gate = AdmissionGate(unreachable, lambda: databases.functions)
    tenant = device_of(acme)
    first = gate.admit(tenant, events=10, now=NOW)

    gate.cancel(tenant, first, reserved_at=NOW)

    assert gate.admit(tenant, events=10, now=NOW).accepted == 10


def test_old_events_are_compared_with_the_current_tier_without_redis(
    databases: Databases, unreachable: Redis, acme: Provisioned
) -> None:
    gate = AdmissionGate(unreachable, lambda: databases.functions)
    ages = [STARTER.data_retention_days, STARTER.data_retention_days + 1]

    def admit() -> Admission:
        return gate.admit(device_of(acme), events=1, ages=ages, now=NOW)

    assert admit().accepted == 2

    with databases.platform.transaction() as conn:
        conn.execute("UPDATE organizations SET tier = 'growth'")
    assert admit().accepted == 3


def test_overrides_apply_without_redis(databases: Databases, unreachable: Redis, acme: Provisioned) -> None:
    gate = AdmissionGate(unreachable, lambda: databases.functions)
    overrides = {"events_per_month": 10, "ingest_requests_per_minute": 2, "data_retention_days": 5}
    with databases.platform.transaction() as conn:
        conn.execute("UPDATE organizations SET overrides = %s", (json.dumps(overrides),))

    admitted = [gate.admit(device_of(acme), events=9, ages=[5, 6], now=NOW) for _ in range(3)]

    assert [(each.accepted, each.held) for each in admitted] == [(10, 0), (0, 1), (0, 0)]
    assert admitted[2].verdict is AdmissionVerdict.RATE_LIMITED
