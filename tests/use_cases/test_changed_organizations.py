"""A roll-up handles the organizations that may have changed, with the results of a full run."""

from datetime import datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import pytest
from redis import Redis as RedisClient

from tenancy.rules.quotas import Metric
from tenancy.rules.tiers import Tier
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import usage_key
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.held_events.release_held import release_into_room
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.apply_retention import apply_retention
from tenancy.use_cases.schedule.persist_request_counts import persist_request_counts
from tenancy.use_cases.schedule.roll_up import RollUp, roll_up
from tenancy.use_cases.usage.meter import record_usage
from tests.given import PATIENCE_SECONDS, Databases, provision, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW, Admit
from tests.use_cases.privacy_jobs import ask_erasure, run_jobs
from tests.use_cases.storing import put, store

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FORCE_FULL_RUN = "UPDATE roll_ups SET counters_settled_at = NULL"
MEASUREMENTS = """
    SELECT organization_id, storage_bytes, held_events, (
        SELECT array_agg(ARRAY[hour::text, events::text, held::text] ORDER BY hour)
        FROM unnest(recent_hours, recent_events, recent_held_events) AS hours (hour, events, held)
    )
    FROM measurements ORDER BY 1
"""
USAGE = """
    SELECT organization_id, metric_date, events_count, storage_bytes, unique_users_count, ml_predictions_count
    FROM tenant_usage ORDER BY 1, 2
"""


def run(databases: Databases, counters: Redis, now: datetime) -> RollUp:
    """Roll up after an event of an unknown organization has shown that the queue is empty."""
    put(databases, uuid4(), range(1), at=now)
    done = roll_up(databases.platform, databases.clickhouse, counters, now=now)
    assert done.ran
    return done


@pytest.fixture(autouse=True)
def first_run(databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned) -> None:
    """Roll up both organizations, and then until nothing of them is unsettled."""
    age_organizations(databases)
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(5), at=NOW - 6 * HOUR)
    for hours in (6, 4, 1):
        run(databases, counters, NOW - hours * HOUR)


def age_organizations(databases: Databases) -> None:
    """Set the time of the last change, which provisioning takes from the clock."""
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET updated_at = %s", (NOW - timedelta(days=1),))


def handled(done: RollUp) -> set[UUID]:
    return {each.organization_id for each in done.usage}


def counter(databases: Databases, provisioned: Provisioned, field: str = "events") -> int:
    with RedisClient.from_url(databases.servers.valkey_url, decode_responses=True) as client:
        return int(str(client.hget(usage_key(provisioned.organization.id, NOW), field)))


def test_quiet_organizations_are_not_handled(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    store(databases, acme.organization.id, range(5, 7), at=NOW - MINUTE)

    done = run(databases, counters, NOW)

    assert globex.organization.id not in handled(done)
    assert {each.organization_id: each.events for each in done.usage} == {acme.organization.id: 7}


def test_first_run_of_a_day_handles_all_organizations(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    done = run(databases, counters, NOW + timedelta(days=1))

    assert handled(done) == {acme.organization.id, globex.organization.id}


def test_reservations_without_rows_are_given_back(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    admit(tenant_of(acme), events=40)
    persist_request_counts(databases.platform, counters, now=NOW + MINUTE)
    for hours in (1, 2):
        run(databases, counters, NOW + hours * HOUR + 20 * MINUTE)

    assert counter(databases, acme) == 5


def test_reported_usage_reaches_the_counter(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    admit(tenant_of(acme), now=NOW - HOUR)
    run(databases, counters, NOW)
    before = counter(databases, acme, "storage")

    record_usage(databases.functions, tenant_of(acme), Metric.STORAGE_BYTES, 70, idempotency_key=None, now=NOW)
    run(databases, counters, NOW + HOUR)

    assert counter(databases, acme, "storage") == before + 70


def test_erasure_of_a_subject_lowers_the_stored_bytes(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    ask_erasure(databases, acme, "device-1", NOW)
    run_jobs(databases, NOW)

    stored = {each.organization_id: each.storage_bytes for each in run(databases, counters, NOW + HOUR).usage}

    assert stored.keys() == {acme.organization.id}
    with superuser(databases) as conn:
        rows: dict[UUID, int] = dict(conn.execute("SELECT organization_id, storage_bytes FROM measurements").fetchall())
    assert rows[acme.organization.id] < rows[globex.organization.id]


def test_run_after_unsettled_counters_handles_all(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned, nowhere: str
) -> None:
    unreachable = Redis(lambda: f"redis://{nowhere}/0", timeout_seconds=PATIENCE_SECONDS)
    store(databases, acme.organization.id, range(5, 7), at=NOW - MINUTE)
    run(databases, unreachable, NOW)

    done = run(databases, counters, NOW + HOUR)

    assert handled(done) == {acme.organization.id, globex.organization.id}


def test_run_after_retention_handles_all(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    run(databases, counters, NOW)
    apply_retention(databases.platform, databases.clickhouse, now=NOW)

    done = run(databases, counters, NOW + HOUR)

    assert handled(done) == {acme.organization.id, globex.organization.id}
    assert handled(run(databases, counters, NOW + 2 * HOUR)) == set()


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(3))
def test_results_are_those_of_a_full_run(
    databases: Databases, counters: Redis, targets: OutboxTargets, acme: Provisioned, globex: Provisioned, seed: int
) -> None:
    """Organizations send, repeat, report and are held at random times. The sweep runs before each roll-up."""
    random, now = Random(seed), NOW
    owners = [acme, globex, provision(databases, targets, "initech", Tier.STARTER)]
    gate = AdmissionGate(counters, lambda: databases.functions)
    for _ in range(6):
        for _ in range(random.randrange(4)):
            owner, at = random.choice(owners), now + random.randrange(20) * MINUTE
            act(random.randrange(5), databases, gate, owner, at, range(random.randrange(5, 9), 12))
        now += random.choice((25, 60, 100)) * MINUTE
        persist_request_counts(databases.platform, counters, now=now)

        done = run(databases, counters, now)

        found = results(databases, owners)
        with superuser(databases) as conn:
            conn.execute(FORCE_FULL_RUN)
        run(databases, counters, now + timedelta(milliseconds=1))
        assert found == results(databases, owners)
        release_into_room(databases.platform, databases.clickhouse, counters, done.held, done.usage, now=now)


def act(kind: int, databases: Databases, gate: AdmissionGate, owner: Provisioned, at: datetime, numbers: range) -> None:
    """Do one thing that an organization may do between two roll-ups. *kind* says which one."""
    tenant, organization_id = tenant_of(owner), owner.organization.id
    if kind <= 2:
        gate.admit(tenant, events=len(numbers), now=at)
    if kind in {1, 2}:
        happened = at - timedelta(days=kind - 1)
        store(databases, organization_id, numbers, at=happened, written=at)
    if kind == 3:
        record_usage(databases.functions, tenant, Metric.STORAGE_BYTES, len(numbers), idempotency_key=None, now=at)
    if kind == 4:
        put(databases, organization_id, numbers, at=at, is_held=True)


def results(databases: Databases, owners: list[Provisioned]) -> list[object]:
    """Return measurements, usage and counters of all organizations."""
    with superuser(databases) as conn:
        rows: list[object] = [*conn.execute(MEASUREMENTS).fetchall(), *conn.execute(USAGE).fetchall()]
    with RedisClient.from_url(databases.servers.valkey_url, decode_responses=True) as client:
        return rows + [client.hgetall(usage_key(owner.organization.id, NOW)) for owner in owners]
