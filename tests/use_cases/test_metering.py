"""Metering is exact, idempotent and durable before the answer."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import uuid4

import pytest

from scripts.stack import postgres
from tenancy.errors import (
    ConflictError,
    IdempotencyKeyReusedError,
    InvalidError,
    NotFoundError,
    QuotaExceededError,
)
from tenancy.rules.quotas import Allowance, Metric, parse_metric
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import roll_up
from tenancy.use_cases.usage.meter import (
    commit_reservation,
    record_usage,
    release_reservation,
    reserve_usage,
)
from tests.given import Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW

PREDICTIONS, STORAGE = Metric.ML_PREDICTIONS, Metric.STORAGE_BYTES
STARTER = QUOTAS[Tier.STARTER]
LIMIT = STARTER.ml_predictions_per_month
MINUTE = timedelta(minutes=1)

type Report = Callable[..., Allowance]


@pytest.fixture
def report(databases: Databases, acme: Provisioned) -> Report:
    def one(amount: int, metric: Metric = PREDICTIONS, key: str | None = None, now: datetime = NOW) -> Allowance:
        return record_usage(databases.functions, tenant_of(acme), metric, amount, idempotency_key=key, now=now)

    return one


def ledger(databases: Databases, acme: Provisioned) -> int:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        row = conn.execute("SELECT coalesce(sum(amount), 0)::bigint FROM usage_ledger").fetchone()
    return row[0] if row else 0


def test_32_workers_use_a_ledger_quota_exactly(databases: Databases, acme: Provisioned, report: Report) -> None:
    report(LIMIT - 100)
    tenant, barrier, servers = tenant_of(acme), Barrier(32), databases.servers

    def work(_: int) -> list[str]:
        url = servers.postgres_url(postgres.FUNCTIONS, databases.name)
        outcomes = []
        with closing(Database(lambda: url)) as db:
            barrier.wait()
            for _ in range(6):
                try:
                    record_usage(db, tenant, PREDICTIONS, 1, idempotency_key=None, now=NOW)
                    outcomes.append("admitted")
                except QuotaExceededError:
                    outcomes.append("refused")
        return outcomes

    with ThreadPoolExecutor(32) as pool:
        outcomes = Counter(outcome for each in pool.map(work, range(32)) for outcome in each)

    assert outcomes == {"admitted": 100, "refused": 92}
    assert ledger(databases, acme) == LIMIT


def test_report_over_the_quota_is_refused_without_a_change(
    databases: Databases, acme: Provisioned, report: Report
) -> None:
    assert report(LIMIT - 1) == Allowance(used=LIMIT - 1, limit=LIMIT)

    with pytest.raises(QuotaExceededError) as refusal:
        report(2)

    assert refusal.value.members == {
        "tier": "starter",
        "metric": "ml_predictions",
        "limit": LIMIT,
        "used": LIMIT - 1,
    }
    assert report(1).remaining == 0
    assert ledger(databases, acme) == LIMIT
    assert report(LIMIT, now=datetime(2026, 12, 1, tzinfo=UTC)).used == LIMIT


def test_report_with_the_same_key_counts_once(databases: Databases, acme: Provisioned, report: Report) -> None:
    first = report(10, key="a")

    report(5)

    assert report(10, key="a") == first == Allowance(used=10, limit=LIMIT)
    assert ledger(databases, acme) == 15

    for amount, metric in ((11, PREDICTIONS), (10, STORAGE)):
        with pytest.raises(IdempotencyKeyReusedError):
            report(amount, metric, key="a")

    assert ledger(databases, acme) == 15


def test_idempotency_key_belongs_to_one_organization(databases: Databases, globex: Provisioned, report: Report) -> None:
    report(10, key="a")

    other = record_usage(databases.functions, tenant_of(globex), PREDICTIONS, 3, idempotency_key="a", now=NOW)

    assert other.used == 3


def test_stored_bytes_add_to_measured_bytes_down_to_zero(
    databases: Databases, acme: Provisioned, report: Report
) -> None:
    with superuser(databases) as conn:
        conn.execute("INSERT INTO measurements VALUES (%s, 1000, 0, %s)", (acme.organization.id, NOW))

    assert report(500, STORAGE).used == 1500
    assert report(-200, STORAGE, now=datetime(2027, 1, 1, tzinfo=UTC)).used == 1300
    with pytest.raises(InvalidError):
        report(-301, STORAGE)

    with pytest.raises(QuotaExceededError):
        report(STARTER.storage_bytes - 1299, STORAGE)
    assert report(STARTER.storage_bytes - 1300, STORAGE).remaining == 0


@pytest.mark.parametrize("name", ["events", "api_requests", "users", "apps", "storage", "ML_PREDICTIONS", "", "x"])
def test_metric_that_clients_cannot_report_is_not_found(name: str) -> None:
    with pytest.raises(NotFoundError):
        parse_metric(name)


# ------------------------------------------------------------------------------------------------------- reservations


def test_reserved_quota_is_blocked_until_the_reservation_ends(
    databases: Databases, acme: Provisioned, report: Report
) -> None:
    db, tenant = databases.functions, tenant_of(acme)

    def reserve(amount: int, now: datetime = NOW) -> object:
        return reserve_usage(db, tenant, PREDICTIONS, amount, valid_for=MINUTE, now=now).id

    first = reserve_usage(db, tenant, PREDICTIONS, LIMIT - 10, valid_for=MINUTE, now=NOW)

    assert (first.allowance.remaining, first.expires_at) == (10, NOW + MINUTE)

    for refused in (report, reserve):
        with pytest.raises(QuotaExceededError):
            refused(11)

    assert report(10).used == 10
    assert commit_reservation(db, tenant, PREDICTIONS, first.id, 100, now=NOW).used == 110
    assert commit_reservation(db, tenant, PREDICTIONS, first.id, 100, now=NOW).used == 110

    second = reserve_usage(db, tenant, PREDICTIONS, LIMIT - 110, valid_for=MINUTE, now=NOW)
    release_reservation(db, tenant, PREDICTIONS, second.id)
    release_reservation(db, tenant, PREDICTIONS, second.id)
    reserve(LIMIT - 110)

    with pytest.raises(QuotaExceededError):
        report(1)
    assert report(LIMIT - 110, now=NOW + MINUTE).remaining == 0
    assert ledger(databases, acme) == LIMIT


def test_ended_reservation_cannot_be_committed(databases: Databases, acme: Provisioned) -> None:
    db, tenant = databases.functions, tenant_of(acme)
    expired = reserve_usage(db, tenant, PREDICTIONS, 5, valid_for=MINUTE, now=NOW).id

    with pytest.raises(ConflictError):
        commit_reservation(db, tenant, PREDICTIONS, expired, None, now=NOW + MINUTE)

    released = reserve_usage(db, tenant, PREDICTIONS, 5, valid_for=MINUTE, now=NOW).id
    release_reservation(db, tenant, PREDICTIONS, released)

    with pytest.raises(ConflictError):
        commit_reservation(db, tenant, PREDICTIONS, released, None, now=NOW)

    committed = reserve_usage(db, tenant, PREDICTIONS, 5, valid_for=MINUTE, now=NOW).id

    with pytest.raises(InvalidError):
        commit_reservation(db, tenant, PREDICTIONS, committed, 6, now=NOW)
    assert commit_reservation(db, tenant, PREDICTIONS, committed, None, now=NOW).used == 5
    with pytest.raises(ConflictError):
        release_reservation(db, tenant, PREDICTIONS, committed)
    assert ledger(databases, acme) == 5


def test_reservation_belongs_to_one_organization_and_metric(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    db = databases.functions
    reserved = reserve_usage(db, tenant_of(acme), PREDICTIONS, 5, valid_for=MINUTE, now=NOW).id

    for tenant, metric, reservation_id in (
        (tenant_of(globex), PREDICTIONS, reserved),
        (tenant_of(acme), STORAGE, reserved),
        (tenant_of(acme), PREDICTIONS, uuid4()),
    ):
        with pytest.raises(NotFoundError):
            commit_reservation(db, tenant, metric, reservation_id, None, now=NOW)
        with pytest.raises(NotFoundError):
            release_reservation(db, tenant, metric, reservation_id)


def test_roll_up_adds_the_ledger_to_daily_usage(
    databases: Databases, counters: Redis, acme: Provisioned, report: Report
) -> None:
    report(7, now=NOW - timedelta(days=1))
    report(10)
    report(1000, STORAGE)

    for _ in range(2):
        roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        rows = conn.execute("SELECT metric_date::text, ml_predictions_count FROM tenant_usage ORDER BY 1").fetchall()
    assert rows == [("2026-11-23", 7), ("2026-11-24", 10)]
