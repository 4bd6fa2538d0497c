"""The roll-up writes absolute usage and counters from rows and ledger. Closed months stay."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from redis import Redis as RedisClient

from tenancy.rules.durations import ROLL_UP_LEASE_TIME, SETTLING_TIME
from tenancy.rules.quotas import Metric
from tenancy.rules.tenant import RateBucket
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.rules.usage import RequestCounts
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.statistics import insert_daily_statistics
from tenancy.stores.postgres.platform.usage import update_daily_requests
from tenancy.stores.postgres.usage import list_daily_usage
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import usage_key
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import RollUp, roll_up
from tenancy.use_cases.usage.meter import record_usage
from tests.given import PATIENCE_SECONDS, Databases, know, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW, Admit
from tests.use_cases.storing import store

LATER, MINUTE = NOW + timedelta(hours=2), timedelta(minutes=1)
STARTER = QUOTAS[Tier.STARTER]


def run(databases: Databases, counters: Redis, now: datetime) -> RollUp:
    done = roll_up(databases.platform, databases.clickhouse, counters, now=now)
    assert done.ran
    return done


def events_of(databases: Databases, organization_id: UUID) -> dict[str, int]:
    with databases.functions.tenant_transaction(organization_id) as conn:
        return {str(day.metric_date): day.events for day in list_daily_usage(conn, organization_id)}


def counter(databases: Databases, organization_id: UUID, field: str = "events", month: str = "2026-11") -> int | None:
    with RedisClient.from_url(databases.servers.valkey_url, decode_responses=True) as client:
        found = client.hget(f"{{{organization_id}}}:usage:{month}", field)
    return int(str(found)) if found is not None else None


def test_repeated_roll_up_changes_nothing(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    store(databases, acme.organization.id, range(30), at=NOW)
    store(databases, globex.organization.id, range(20), at=NOW - timedelta(days=1))

    for _ in range(3):
        done = run(databases, counters, NOW)

        assert (done.statistics_drifts, done.counter_drifts) == ({}, {})
        assert events_of(databases, acme.organization.id) == {"2026-11-24": 30}
        assert events_of(databases, globex.organization.id) == {"2026-11-23": 20}


def recorded_drift(databases: Databases, started_at: datetime) -> tuple[int | None, int]:
    """Return the drifts of counters and statistics that the roll-up has recorded, for compliance reports."""
    with databases.platform.transaction() as conn:
        [found] = conn.execute(
            "SELECT counter_drift, statistics_drift FROM roll_ups WHERE started_at = %s", (started_at,)
        )
    return found


def test_quota_taken_by_duplicates_is_given_back(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    tenant = tenant_of(acme)

    for _ in range(3):
        admit(tenant, events=40)
        store(databases, acme.organization.id, range(40), at=NOW)

    assert counter(databases, acme.organization.id) == 120
    # Some events may still be in the queue.
    assert run(databases, counters, NOW + timedelta(minutes=5)).counter_drifts == {}
    assert counter(databases, acme.organization.id) == 120

    store(databases, globex.organization.id, [1], at=LATER - MINUTE)  # the queue has been read up to this time
    done = run(databases, counters, LATER)

    assert done.counter_drifts == {acme.organization.id: 80}
    assert recorded_drift(databases, LATER) == (80, 0)
    assert counter(databases, acme.organization.id) == 40
    assert run(databases, counters, LATER).counter_drifts == {}
    assert admit(tenant, now=LATER, events=1).used == 40


def test_queued_events_stay_counted_until_the_queue_is_read(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    """ClickHouse was unreachable for two hours, so that events arrive long after their receipt."""
    admit(tenant_of(acme), events=40)
    store(databases, acme.organization.id, range(10), at=NOW)

    run(databases, counters, NOW + MINUTE)

    assert counter(databases, acme.organization.id) == 40

    admit(tenant_of(acme), now=LATER, events=5)
    run(databases, counters, LATER)

    assert counter(databases, acme.organization.id) == 45

    store(databases, globex.organization.id, [1], at=NOW + 10 * MINUTE, written=LATER)
    run(databases, counters, LATER + MINUTE)

    assert counter(databases, acme.organization.id) == 45

    store(databases, globex.organization.id, [2], at=LATER, written=LATER + 20 * MINUTE)
    run(databases, counters, LATER + 21 * MINUTE)

    assert counter(databases, acme.organization.id) == 15


def test_queued_events_stay_counted_when_a_late_load_stops(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    """Events arrive two hours after their receipt. Then nothing arrives for longer than the settling time."""
    admit(tenant_of(acme), events=40)
    store(databases, acme.organization.id, range(10), at=NOW, written=LATER)

    run(databases, counters, LATER + SETTLING_TIME + MINUTE)

    assert counter(databases, acme.organization.id) == 40


def test_queued_held_events_stay_counted_in_the_grace_band(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    know(counters, tenant_of(acme), events=STARTER.events_per_month)

    with superuser(databases) as conn:
        values = (acme.organization.id, STARTER.events_per_month)
        statement = (
            "INSERT INTO tenant_usage (organization_id, metric_date, events_count) VALUES (%s, '2026-11-02', %s)"
        )
        conn.execute(statement, values)

    assert admit(tenant_of(acme), events=30).held == 30

    store(databases, acme.organization.id, range(10), at=NOW, table="held_events", reason="quota")

    for _ in range(2):
        run(databases, counters, NOW + MINUTE)
        assert counter(databases, acme.organization.id, "held") == 30

    store(databases, acme.organization.id, range(10, 12), at=LATER - MINUTE, table="held_events", reason="quota")
    run(databases, counters, LATER)

    assert counter(databases, acme.organization.id, "held") == 12


def test_next_roll_up_bills_predictions_of_missed_days(
    databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    run(databases, counters, NOW - timedelta(days=6))
    for days in (5, 4, 3, 0):
        now = NOW - timedelta(days=days)
        record_usage(databases.functions, tenant_of(acme), Metric.ML_PREDICTIONS, 7, idempotency_key=None, now=now)

    run(databases, counters, NOW)

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        days_of = {day.metric_date.day: day.ml_predictions for day in list_daily_usage(conn, acme.organization.id)}
    assert days_of == {19: 7, 20: 7, 21: 7, 24: 7}


def test_statistics_that_differ_from_rows_are_reported(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acme's statistics are too low, globex's are too high."""
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(5), at=NOW)
    inserted = "tenancy.use_cases.schedule.roll_up.insert_daily_statistics"

    def insert_and_damage(client: Client, *, since: datetime, run: datetime) -> None:
        insert_daily_statistics(client, since=since, run=run)
        for provisioned, events in ((acme, 3), (globex, 9)):
            client.command(
                "ALTER TABLE daily_statistics UPDATE events = {events:UInt64} WHERE organization_id = {id:UUID}",
                parameters={"events": events, "id": str(provisioned.organization.id)},
                settings={"mutations_sync": 2},
            )

    with monkeypatch.context() as patch:
        patch.setattr(inserted, insert_and_damage)
        drifts = run(databases, counters, NOW + MINUTE).statistics_drifts

    assert drifts == {acme.organization.id: 2, globex.organization.id: 4}
    assert recorded_drift(databases, NOW + MINUTE) == (0, 6)
    assert run(databases, counters, NOW + MINUTE).statistics_drifts == {}


def test_roll_up_restores_a_lost_counter(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    """Redis is flushed between two roll-ups, with events stored before and after it."""
    tenant = tenant_of(acme)
    admit(tenant, events=30)
    store(databases, acme.organization.id, range(30), at=NOW)
    run(databases, counters, NOW + timedelta(minutes=1))
    admit(tenant, events=20)
    store(databases, acme.organization.id, range(30, 50), at=NOW + timedelta(minutes=2))
    with RedisClient.from_url(databases.servers.valkey_url) as client:
        client.flushall()
    admit(tenant, now=NOW + timedelta(minutes=3), events=10)

    store(databases, acme.organization.id, range(50, 60), at=NOW + timedelta(minutes=3))

    assert counter(databases, acme.organization.id) == 40

    for now in (NOW + 10 * MINUTE, LATER, LATER):
        run(databases, counters, now)
        assert counter(databases, acme.organization.id) == 60
        assert events_of(databases, acme.organization.id) == {"2026-11-24": 60}


def test_roll_up_without_redis_stores_usage(databases: Databases, acme: Provisioned, nowhere: str) -> None:
    unreachable = Redis(lambda: f"redis://{nowhere}/0", timeout_seconds=PATIENCE_SECONDS)
    store(databases, acme.organization.id, range(3), at=NOW)

    done = run(databases, unreachable, NOW)

    assert done.counters_settled is False
    assert recorded_drift(databases, NOW) == (None, 0)
    assert events_of(databases, acme.organization.id) == {"2026-11-24": 3}


def test_late_event_is_billed_on_the_day_of_its_receipt(
    databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    store(databases, acme.organization.id, range(5), at=NOW - timedelta(days=20))
    run(databases, counters, NOW - timedelta(days=20))
    store(databases, acme.organization.id, range(5, 8), at=NOW, happened=NOW - timedelta(days=20))

    run(databases, counters, NOW)

    assert events_of(databases, acme.organization.id) == {"2026-11-04": 5, "2026-11-24": 3}

    rows = databases.clickhouse.query(
        "SELECT toString(event_date), sum(events) FROM daily_statistics FINAL"
        " WHERE (event_date, run) IN (SELECT event_date, max(run) FROM daily_statistics GROUP BY event_date)"
        " GROUP BY event_date"
    ).result_rows
    assert rows == [("2026-11-04", 8)]


@pytest.mark.parametrize(
    ("closes", "billed"), [(datetime(2026, 11, 3, 23, tzinfo=UTC), 7), (datetime(2026, 11, 4, 1, tzinfo=UTC), 5)]
)
def test_usage_of_a_closed_month_never_changes(
    databases: Databases, counters: Redis, acme: Provisioned, closes: datetime, billed: int
) -> None:
    """Events that were in the queue at the end of a month count for it for three more days."""
    october = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    store(databases, acme.organization.id, range(5), at=october)
    run(databases, counters, october + timedelta(hours=1))
    store(databases, acme.organization.id, range(5, 7), at=october)

    run(databases, counters, closes)

    assert events_of(databases, acme.organization.id) == {"2026-10-31": billed}


def test_first_run_of_a_day_recounts_the_day_before(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    store(databases, acme.organization.id, range(5), at=midnight - timedelta(hours=20))
    run(databases, counters, midnight - MINUTE)
    with superuser(databases) as conn:
        conn.execute("UPDATE tenant_usage SET events_count = 99")

    run(databases, counters, midnight + 30 * MINUTE)

    assert set(events_of(databases, acme.organization.id).values()) == {5}


def test_crashed_roll_up_is_repeated_by_the_next_run(
    databases: Databases, counters: Redis, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(databases, acme.organization.id, range(5), at=NOW)

    steps = ("update_daily_events", "update_measurements", "insert_roll_up", "settle_counters", "update_settled")
    for runs, step in enumerate(steps):
        with monkeypatch.context() as patch:

            def die(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(f"tenancy.use_cases.schedule.roll_up.{step}", die)
            with pytest.raises(KeyboardInterrupt):
                roll_up(databases.platform, databases.clickhouse, counters, now=NOW + runs * ROLL_UP_LEASE_TIME)

    assert run(databases, counters, NOW + len(steps) * ROLL_UP_LEASE_TIME).ran
    assert events_of(databases, acme.organization.id) == {"2026-11-24": 5}


def test_cancelled_admission_gives_its_events_back(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    admissions = AdmissionGate(counters, lambda: databases.functions)

    tenant = replace(tenant_of(acme), bucket=RateBucket.INGEST)
    for _ in range(2):
        admission = admissions.admit(tenant, events=7, now=NOW)
        assert admission.used == 0
        admissions.cancel(tenant, admission, reserved_at=NOW)

    assert counter(databases, acme.organization.id) == 0


def test_roll_up_raises_request_counters_to_the_stored_numbers(
    databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    """The release before seeds the number of all requests, and none for management."""
    key = usage_key(acme.organization.id, NOW)
    with databases.platform.transaction() as conn:
        stored = RequestCounts(all=10, management=4)
        update_daily_requests(conn, {(acme.organization.id, NOW.date()): stored}, now=NOW)

    with RedisClient.from_url(databases.servers.valkey_url, decode_responses=True) as client:
        client.hset(key, mapping={"requests": 12, "events": 0})
        run(databases, counters, NOW)
        settled = client.hmget(key, ["requests", "management"])

    assert settled == ["12", "4"]
