"""While Redis is unreachable, events that wait in the queue still count in the process that took them."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import Databases
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW, REDIS_TIMEOUT_SECONDS
from tests.use_cases.storing import put
from tests.use_cases.test_quota_without_redis import MINUTE, STARTER, WORKERS, device_of, spend, unreachable

__all__ = ["unreachable"]  # a fixture
ONE_HOUR = timedelta(hours=1)
CLEAR_RECENT_HOURS = """
    UPDATE measurements
    SET recent_from = NULL, recent_hours = NULL, recent_events = NULL, recent_held_events = NULL
"""


@pytest.fixture
def gate(databases: Databases, unreachable: Redis) -> AdmissionGate:
    return AdmissionGate(unreachable, lambda: databases.functions)


@pytest.mark.parametrize("minutes_before", [0, 30])
def test_events_in_the_queue_stay_counted_at_a_roll_up(
    databases: Databases, unreachable: Redis, gate: AdmissionGate, acme: Provisioned, minutes_before: int
) -> None:
    """A twentieth of the events is loaded per hour. The last of them was written so many minutes before the roll-up."""
    spend(databases, acme, left=1_000)
    accepted = []

    for hour in range(4):
        now = NOW + (hour + 1) * ONE_HOUR
        accepted.append(gate.admit(device_of(acme), events=1_000, now=now - ONE_HOUR).accepted)
        loaded = range(50 * hour, 50 * hour + 50)
        put(databases, acme.organization.id, loaded, at=NOW, written=now - minutes_before * MINUTE)
        roll_up(databases.platform, databases.clickhouse, unreachable, now=now)

    assert accepted == [1_000, 0, 0, 0]


def test_held_events_in_the_queue_stay_counted_at_a_roll_up(
    databases: Databases, unreachable: Redis, gate: AdmissionGate, acme: Provisioned
) -> None:
    spend(databases, acme, left=0)
    grace, held = STARTER.grace_events_per_month, []

    for hour in range(3):
        now = NOW + (hour + 1) * ONE_HOUR
        held.append(gate.admit(device_of(acme), events=grace, now=now - ONE_HOUR).held)
        put(databases, acme.organization.id, range(50 * hour, 50 * hour + 50), at=NOW, written=now, is_held=True)
        roll_up(databases.platform, databases.clickhouse, unreachable, now=now)

    assert held == [grace, 0, 0]


def test_loaded_events_are_not_counted_twice(
    databases: Databases, unreachable: Redis, gate: AdmissionGate, acme: Provisioned
) -> None:
    spend(databases, acme, left=1_000)
    accepted = []

    for hour, loaded in enumerate([range(300), range(300, 600), range(600, 900)]):
        now = NOW + (hour + 1) * ONE_HOUR
        accepted.append(gate.admit(device_of(acme), events=600 if hour == 0 else 200, now=now - MINUTE).accepted)
        received = NOW + (ONE_HOUR if loaded.start < 600 else 2 * ONE_HOUR) - MINUTE
        put(databases, acme.organization.id, loaded, at=received, written=now)
        roll_up(databases.platform, databases.clickhouse, unreachable, now=now)
    last = gate.admit(device_of(acme), events=200, now=NOW + 3 * ONE_HOUR)

    assert accepted == [600, 200, 200]
    assert last.accepted == 0


def test_each_of_16_workers_stays_within_the_quota_of_a_stuck_queue(
    databases: Databases, unreachable: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    """A worker counts its own events. So the quota is exceeded by at most the events that no roll-up has counted."""
    left, batch, counted = 500, 60, 0
    spend(databases, acme, left=left)
    workers = [AdmissionGate(unreachable, lambda: databases.functions) for _ in range(WORKERS)]
    accepted, now = [0] * WORKERS, NOW

    for hour in range(3):
        for minutes in (0, 15, 30, 45):
            now = NOW + hour * ONE_HOUR + minutes * MINUTE
            for number, worker in enumerate(workers):
                accepted[number] += worker.admit(device_of(acme), events=batch, now=now).accepted
        now = NOW + (hour + 1) * ONE_HOUR
        put(databases, acme.organization.id, range(counted, counted + 10), at=NOW, written=now)
        counted += 10
        roll_up(databases.platform, databases.clickhouse, unreachable, now=now)

    assert max(accepted) <= left
    assert sum(accepted) - left <= sum(accepted) - counted

    put(databases, acme.organization.id, range(counted, sum(accepted)), at=NOW, written=now)
    roll_up(databases.platform, databases.clickhouse, unreachable, now=now + MINUTE)
    later = now + 2 * MINUTE
    assert {worker.admit(device_of(acme), events=batch, now=later).accepted for worker in workers} == {0}
    assert workers[0].admit(device_of(globex), events=batch, now=later).accepted == batch


def test_new_process_knows_the_events_that_were_counted(
    databases: Databases, unreachable: Redis, gate: AdmissionGate, acme: Provisioned
) -> None:
    """It exceeds the quota by at most the events that the last roll-up did not count, here 500."""
    spend(databases, acme, left=1_000)
    before = gate.admit(device_of(acme), events=600, now=NOW).accepted
    put(databases, acme.organization.id, range(100), at=NOW, written=NOW + ONE_HOUR)
    roll_up(databases.platform, databases.clickhouse, unreachable, now=NOW + ONE_HOUR)

    fresh = AdmissionGate(unreachable, lambda: databases.functions)
    accepted = [fresh.admit(device_of(acme), events=1_000, now=NOW + ONE_HOUR).accepted for _ in range(2)]

    assert (before, accepted) == (600, [900, 0])


def test_events_taken_before_the_outage_count(databases: Databases, nowhere: str, acme: Provisioned) -> None:
    spend(databases, acme, left=1_000)
    urls = [databases.servers.valkey_url]
    with closing(Redis(lambda: urls[-1], timeout_seconds=REDIS_TIMEOUT_SECONDS)) as redis:
        gate = AdmissionGate(redis, lambda: databases.functions)
        kept, cancelled = [gate.admit(device_of(acme), events=400, now=NOW) for _ in range(2)]
        gate.cancel(device_of(acme), cancelled, reserved_at=NOW)
        urls.append(f"redis://{nowhere}/0")
        redis.close()

        during = gate.admit(device_of(acme), events=1_000, now=NOW + MINUTE)

    assert not kept.degraded_by
    assert during.degraded_by
    assert (kept.accepted, during.accepted) == (400, 600)


def test_organization_in_no_roll_up_stays_within_its_quota(
    databases: Databases, unreachable: Redis, gate: AdmissionGate, acme: Provisioned, globex: Provisioned
) -> None:
    """Acme was provisioned after the last roll-up."""
    put(databases, globex.organization.id, range(10), at=NOW)
    roll_up(databases.platform, databases.clickhouse, unreachable, now=NOW)
    with superuser(databases) as conn:
        conn.execute("DELETE FROM measurements WHERE organization_id = %s", (acme.organization.id,))
    quota = STARTER.events_per_month

    accepted = [gate.admit(device_of(acme), events=quota, now=NOW + hour * ONE_HOUR).accepted for hour in range(3)]

    assert accepted == [quota, 0, 0]


def test_roll_up_of_the_release_before_is_understood(
    databases: Databases, unreachable: Redis, gate: AdmissionGate, acme: Provisioned
) -> None:
    """It stores no recent hours. Until the next roll-up the events that it counted are counted twice."""
    spend(databases, acme, left=1_000)
    first = gate.admit(device_of(acme), events=600, now=NOW).accepted
    put(databases, acme.organization.id, range(100), at=NOW)
    roll_up(databases.platform, databases.clickhouse, unreachable, now=NOW + MINUTE)
    with superuser(databases) as conn:
        conn.execute(CLEAR_RECENT_HOURS)

    before = gate.admit(device_of(acme), events=1_000, now=NOW + 2 * MINUTE).accepted
    roll_up(databases.platform, databases.clickhouse, unreachable, now=NOW + 3 * MINUTE)
    after = gate.admit(device_of(acme), events=1_000, now=NOW + 4 * MINUTE).accepted

    assert (first, before, after) == (600, 300, 100)


def test_month_begins_without_the_queued_events_of_the_last_one(
    databases: Databases, unreachable: Redis, gate: AdmissionGate, acme: Provisioned
) -> None:
    quota, december, organization_id = STARTER.events_per_month, datetime(2026, 12, 1, tzinfo=UTC), acme.organization.id
    november = gate.admit(device_of(acme), events=quota, now=december - MINUTE).accepted
    put(databases, organization_id, range(10), at=december - MINUTE, written=december)
    roll_up(databases.platform, databases.clickhouse, unreachable, now=december + MINUTE)

    first = gate.admit(device_of(acme), events=quota, now=december + 2 * MINUTE).accepted
    put(databases, organization_id, range(10), at=december + 2 * MINUTE, written=december + ONE_HOUR)
    roll_up(databases.platform, databases.clickhouse, unreachable, now=december + ONE_HOUR)
    second = gate.admit(device_of(acme), events=quota, now=december + ONE_HOUR).accepted

    assert (november, first, second) == (quota, quota, 0)
