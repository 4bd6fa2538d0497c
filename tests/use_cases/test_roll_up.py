"""The roll-up: what rows and ledgers say becomes usage and counters, absolutely, and closed months stay."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from redis import Redis as Client

from tenancy.stores.redis import Redis
from tenancy.stores.usage import list_daily_usage
from tenancy.tenant import Bucket
from tenancy.tiers import QUOTAS, Tier
from tenancy.use_cases.admit import Admissions
from tenancy.use_cases.provision import Provisioned
from tenancy.use_cases.roll_up import RollUp, roll_up
from tests.given import PATIENCE_SECONDS, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW, Admit
from tests.use_cases.storing import store

LATER = NOW + timedelta(hours=2)
STARTER = QUOTAS[Tier.STARTER]


def run(databases: Databases, counters: Redis, now: datetime) -> RollUp:
    done = roll_up(databases.platform, databases.clickhouse, counters, now=now)
    assert done.ran
    return done


def events_of(databases: Databases, organization_id: UUID) -> dict[str, int]:
    with databases.functions.tenant_transaction(organization_id) as conn:
        return {str(day.metric_date): day.events for day in list_daily_usage(conn, organization_id)}


def counter(databases: Databases, organization_id: UUID, field: str = "events", month: str = "2026-11") -> int | None:
    with Client.from_url(databases.servers.valkey_url, decode_responses=True) as client:
        found = client.hget(f"{{{organization_id}}}:usage:{month}", field)
    return int(str(found)) if found is not None else None


def test_a_run_is_absolute_and_a_second_one_changes_nothing(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    store(databases, acme.organization.id, range(30), at=NOW)
    store(databases, globex.organization.id, range(20), at=NOW - timedelta(days=1))
    for _ in range(3):
        done = run(databases, counters, NOW)
        assert (done.statistics_drifts, done.counter_drifts) == ({}, {})
        assert events_of(databases, acme.organization.id) == {"2026-11-24": 30}
        assert events_of(databases, globex.organization.id) == {"2026-11-23": 20}


def test_duplicates_that_took_quota_are_given_back(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    tenant = tenant_of(acme)
    for _ in range(3):
        admit(tenant, events=40)
        store(databases, acme.organization.id, range(40), at=NOW)
    assert counter(databases, acme.organization.id) == 120
    assert run(databases, counters, NOW + timedelta(minutes=5)).counter_drifts == {}  # some may be on their way
    assert counter(databases, acme.organization.id) == 120
    done = run(databases, counters, LATER)
    assert done.counter_drifts == {acme.organization.id: 80}
    assert counter(databases, acme.organization.id) == 40
    assert run(databases, counters, LATER).counter_drifts == {}
    assert admit(tenant, now=LATER, events=1).used == 40


def test_what_is_on_its_way_stays_counted_until_its_hour_is_settled(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    admit(tenant_of(acme), events=40)
    store(databases, acme.organization.id, range(10), at=NOW)
    run(databases, counters, NOW + timedelta(minutes=1))
    assert counter(databases, acme.organization.id) == 40
    admit(tenant_of(acme), now=LATER, events=5)
    run(databases, counters, LATER)
    assert counter(databases, acme.organization.id) == 15


def test_a_counter_that_was_lost_is_what_the_rows_say_after_the_next_run(
    admit: Admit, databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    """Flushed in the middle of an hour, with events stored before and after it, rolled up and not."""
    tenant = tenant_of(acme)
    admit(tenant, events=30)
    store(databases, acme.organization.id, range(30), at=NOW)
    run(databases, counters, NOW + timedelta(minutes=1))
    admit(tenant, events=20)
    store(databases, acme.organization.id, range(30, 50), at=NOW + timedelta(minutes=2))
    with Client.from_url(databases.servers.valkey_url) as client:
        client.flushall()
    admit(tenant, now=NOW + timedelta(minutes=3), events=10)
    store(databases, acme.organization.id, range(50, 60), at=NOW + timedelta(minutes=3))
    assert counter(databases, acme.organization.id) == 40
    for now in (NOW + timedelta(minutes=10), LATER, LATER):
        run(databases, counters, now)
        assert counter(databases, acme.organization.id) == 60
        assert events_of(databases, acme.organization.id) == {"2026-11-24": 60}


def test_a_run_without_redis_counts_all_the_same_and_says_so(
    databases: Databases, acme: Provisioned, nowhere: str
) -> None:
    away = Redis(lambda: f"redis://{nowhere}/0", patience_seconds=PATIENCE_SECONDS)
    store(databases, acme.organization.id, range(3), at=NOW)
    done = run(databases, away, NOW)
    assert done.counters_settled is False
    assert events_of(databases, acme.organization.id) == {"2026-11-24": 3}


def test_a_late_event_changes_the_statistics_of_its_day_and_the_bill_of_the_day_on_which_it_came(
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
def test_a_closed_months_bill_never_changes(
    databases: Databases, counters: Redis, acme: Provisioned, closes: datetime, billed: int
) -> None:
    """Events that waited in the queue over the end of a month count for it for three days, and then no more."""
    october = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    store(databases, acme.organization.id, range(5), at=october)
    run(databases, counters, october + timedelta(hours=1))
    store(databases, acme.organization.id, range(5, 7), at=october)
    run(databases, counters, closes)
    assert events_of(databases, acme.organization.id) == {"2026-10-31": billed}


def test_the_first_run_of_a_day_counts_the_day_before_again(
    databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    yesterday = datetime.now(UTC) - timedelta(hours=20)
    store(databases, acme.organization.id, range(5), at=yesterday)
    now = datetime.combine(date.today() + timedelta(days=1), datetime.min.time(), UTC) + timedelta(minutes=30)  # noqa: DTZ011
    run(databases, counters, now - timedelta(minutes=31))
    with superuser(databases) as conn:
        conn.execute("UPDATE tenant_usage SET events_count = 99")
    run(databases, counters, now)
    assert set(events_of(databases, acme.organization.id).values()) == {5}


def test_a_run_that_dies_before_its_mark_is_done_again_by_the_next(
    databases: Databases, counters: Redis, acme: Provisioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(databases, acme.organization.id, range(5), at=NOW)
    for dies_in in ("update_daily_events", "update_measurements", "insert_roll_up", "settle_counters"):
        with monkeypatch.context() as patch:

            def die(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(f"tenancy.use_cases.roll_up.{dies_in}", die)
            with pytest.raises(KeyboardInterrupt):
                roll_up(databases.platform, databases.clickhouse, counters, now=NOW)
    assert run(databases, counters, NOW + timedelta(minutes=1)).ran
    assert events_of(databases, acme.organization.id) == {"2026-11-24": 5}


def test_events_that_a_failed_queue_did_not_take_are_given_back(
    databases: Databases, counters: Redis, acme: Provisioned
) -> None:
    admissions = Admissions(counters, lambda: databases.functions)
    tenant = replace(tenant_of(acme), bucket=Bucket.INGEST)
    for _ in range(2):
        admission = admissions.admit(tenant, events=7, now=NOW)
        assert admission.used == 0
        admissions.give_back(tenant, admission, reserved_at=NOW)
    assert counter(databases, acme.organization.id) == 0
