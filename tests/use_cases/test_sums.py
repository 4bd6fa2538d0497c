"""Rows, usage and statistics of all zones and apps have the same sums."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID

import msgspec
import pytest

from tenancy.rules.events.batch import Batch
from tenancy.rules.quotas import Metric
from tenancy.rules.statistics import StatisticsQuery
from tenancy.rules.tenant import AdmittedTenant
from tenancy.rules.tiers import Tier
from tenancy.rules.time_zones import UTC_ZONE
from tenancy.rules.usage import month_of
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.held_events.release_held import release_all
from tenancy.use_cases.ingest.parse_batch import parse_event_batch
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.roll_up import roll_up
from tenancy.use_cases.usage.read_statistics import read_statistics
from tenancy.use_cases.usage.read_usage import read_usage
from tests.given import OPERATOR, Databases, event, provision, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.storing import load

ORGANIZATIONS, ROUNDS, REQUESTS = 3, 3, 2
EVENTS, QUOTA = 60, 20
APPS = (None, UUID(int=1), UUID(int=2), UUID(int=3))
START = datetime.fromisoformat("2026-11-20T22:00:00+00:00")  # the rounds cross midnight
ROUND_TIME = timedelta(hours=1)
ZONES = ("Asia/Kathmandu", "Etc/GMT+12")
SMALL_QUOTA = json.dumps({"events_per_month": QUOTA})
SUM_ROWS = "SELECT count(), sum(revenue) FROM events FINAL WHERE organization_id = {organization_id:UUID}"


@pytest.fixture
def tenants(databases: Databases, targets: OutboxTargets) -> list[AdmittedTenant]:
    """Provision organizations, every second one with so small a quota that events are held."""
    made = [provision(databases, targets, f"acme-{number}", Tier.STARTER) for number in range(ORGANIZATIONS)]
    with superuser(databases) as conn:
        for each in made[::2]:
            conn.execute("UPDATE organizations SET overrides = %s WHERE id = %s", (SMALL_QUOTA, each.organization.id))
    return [tenant_of(each) for each in made]


class Traffic:
    """Requests with random events of random apps, some sent before by another app.

    *sent* counts how often each organization sent each event.
    """

    def __init__(self, databases: Databases, counters: Redis) -> None:
        self._databases = databases
        self._gate = AdmissionGate(counters, lambda: databases.functions)
        self._random = Random(13)
        self.sent: Counter[tuple[UUID, int]] = Counter()

    def send(self, tenant: AdmittedTenant, *, now: datetime) -> None:
        """Send a request with a key of a random app, and load its events and the held ones."""
        sender = replace(tenant, app_id=self._random.choice(APPS))
        numbers = self._random.sample(range(EVENTS), k=self._random.randint(1, 15))
        self.sent.update((tenant.organization_id, number) for number in numbers)
        raws = [msgspec.Raw(msgspec.json.encode(self._event(number))) for number in numbers]
        parsed = parse_event_batch(sender, Batch(raws), now=now)
        admission = self._gate.admit(sender, events=parsed.kept_by_all, ages=[*parsed.ages.values()], now=now)
        rows = list(parsed.counted)
        held = rows[admission.accepted : admission.accepted + admission.held]
        self._load("events", rows[: admission.accepted], now)
        self._load("held_events", [msgspec.structs.replace(row, reason="quota") for row in held], now)

    def _load(self, table: str, rows: Sequence[object], now: datetime) -> None:
        if rows:
            load(self._databases, rows, written=now, table=table)  # type: ignore[arg-type]

    def _event(self, number: int) -> dict[str, object]:
        happened_at = START - timedelta(hours=number % 30)
        return event(number, event_timestamp=happened_at.isoformat(), revenue=f"{number}.25")


def check_sums(databases: Databases, tenant: AdmittedTenant, *, now: datetime) -> int:
    """Check that the sums are equal, and return the number of events."""
    reader = TenantReader(databases.clickhouse, tenant.organization_id)
    [(rows, revenue)] = reader.query(SUM_ROWS)
    report = read_usage(databases.functions, reader, tenant.organization_id, tenant.entitlements, None, now=now)

    def count(*dimensions: str, zone: str = UTC_ZONE) -> list[tuple[int, Decimal]]:
        query = StatisticsQuery(period=month_of(now.date()), group_by=dimensions, zone=zone)
        page = read_statistics(databases.functions, lambda: databases.clickhouse, tenant, query, now=now)
        return [(group.events, sum(group.revenue.values(), Decimal())) for group in page.rows]

    groups = {dimensions: count(*dimensions) for dimensions in ((), ("app_id",), ("day", "event_type", "app_id"))}
    groups |= {(zone,): count("day", "app_id", zone=zone) for zone in ZONES}
    sums = {
        dimensions: (sum(events for events, _ in found), sum((amount for _, amount in found), Decimal()))
        for dimensions, found in groups.items()
    }
    assert sums == dict.fromkeys(groups, (rows, revenue))
    assert sum(day.events for day in report.daily) == report.quotas[Metric.EVENTS].used == rows
    return int(rows)


def release(databases: Databases, counters: Redis, tenant: AdmittedTenant, *, now: datetime) -> int:
    """Release the held events as the operator, and return their number."""
    own = tenant.organization_id
    return release_all(databases.platform, databases.clickhouse, counters, own, OPERATOR, now=now).released


def test_rows_usage_statistics_and_apps_agree(
    databases: Databases, counters: Redis, tenants: list[AdmittedTenant]
) -> None:
    traffic, now, released = Traffic(databases, counters), START, 0
    for _ in range(ROUNDS):
        for tenant in tenants:
            for _ in range(REQUESTS):
                now += timedelta(milliseconds=1)
                traffic.send(tenant, now=now)
        released += sum(release(databases, counters, tenant, now=now) for tenant in tenants[:1])
        for tenant in tenants:
            check_sums(databases, tenant, now=now)
        now += ROUND_TIME
        roll_up(databases.platform, databases.clickhouse, counters, now=now)
        found = [check_sums(databases, tenant, now=now) for tenant in tenants]

    assert released
    assert traffic.sent.total() > len(traffic.sent)  # events were sent again
    assert min(found) < QUOTA + released < sum(found)
