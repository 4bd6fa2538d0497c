"""Events past retention are not read, and are deleted once a month."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tenancy.rules.organization_change import OrganizationChange, OverrideChanges
from tenancy.rules.statistics import StatisticsQuery
from tenancy.rules.tenant import AdmittedTenant
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.rules.usage import Period
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.enqueue_publication import ChangedOrganization
from tenancy.use_cases.organizations.change_organization import change_organization
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.apply_retention import apply_retention
from tenancy.use_cases.schedule.roll_up import roll_up
from tenancy.use_cases.usage.read_statistics import read_statistics
from tests.given import OPERATOR, PLANS_PATH, REGION, Databases, tenant_of
from tests.handlers.functions import superuser
from tests.use_cases.admitting import NOW
from tests.use_cases.storing import count, store

DAYS = QUOTAS[Tier.STARTER].data_retention_days
FIRST_KEPT = (NOW - timedelta(days=DAYS)).replace(hour=0)


def read(databases: Databases, tenant: AdmittedTenant, now: datetime = NOW) -> int:
    start = (now - timedelta(days=800)).date()
    period = Period(start=start, end=now.date() + timedelta(days=2))
    query = StatisticsQuery(period=period, group_by=[])
    page = read_statistics(databases.functions, lambda: databases.clickhouse, tenant, query, now=now)
    return sum(group.events for group in page.rows)


@pytest.mark.parametrize("settled", [False, True])
def test_reads_return_no_events_past_retention(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned, *, settled: bool
) -> None:
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(3), at=NOW, happened=FIRST_KEPT)
        store(databases, provisioned.organization.id, range(3, 8), at=NOW, happened=FIRST_KEPT - timedelta(seconds=1))

    if settled:
        roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    assert (read(databases, tenant_of(acme)), read(databases, tenant_of(globex))) == (3, 8)


def test_clean_up_deletes_billed_expired_events_once_a_month(
    databases: Databases, counters: Redis, acme: Provisioned, globex: Provisioned
) -> None:
    received = NOW - timedelta(days=60)
    for provisioned in (acme, globex):
        organization_id = provisioned.organization.id
        store(databases, organization_id, range(3), at=received, happened=FIRST_KEPT)
        store(databases, organization_id, range(3, 8), at=received, happened=FIRST_KEPT - timedelta(days=1))
        store(databases, organization_id, range(8, 10), at=NOW, happened=FIRST_KEPT - timedelta(days=1))
        old = FIRST_KEPT - timedelta(days=1)
        store(databases, organization_id, range(4), at=old, table="held_events", reason="quota")
        store(databases, organization_id, range(4, 6), at=received, table="held_events", reason="quota")

    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    assert apply_retention(databases.platform, databases.clickhouse, now=NOW) == 2
    assert apply_retention(databases.platform, databases.clickhouse, now=NOW) is None
    assert (count(databases, acme.organization.id), count(databases, globex.organization.id)) == (5, 10)
    assert count(databases, acme.organization.id, "held_events") == 2
    assert count(databases, globex.organization.id, "held_events") == 6

    days = databases.clickhouse.query(
        "SELECT min(event_date) FROM daily_statistics WHERE organization_id = {id:UUID}",
        parameters={"id": str(acme.organization.id)},
    ).result_rows
    assert days == [(FIRST_KEPT.date(),)]

    december = datetime(2026, 12, 5, tzinfo=UTC)
    assert apply_retention(databases.platform, databases.clickhouse, now=december) == 2
    assert count(databases, acme.organization.id) == 0


def test_crashed_clean_up_is_repeated(databases: Databases, acme: Provisioned, monkeypatch: pytest.MonkeyPatch) -> None:
    store(databases, acme.organization.id, range(3), at=NOW - timedelta(days=60), happened=NOW - timedelta(days=200))

    with monkeypatch.context() as patch:
        patch.setattr("tenancy.stores.clickhouse.platform.retention.DELETE_STATISTICS", "SELECT no_such_function()")
        with pytest.raises(Exception, match="no_such_function"):
            apply_retention(databases.platform, databases.clickhouse, now=NOW)

    assert apply_retention(databases.platform, databases.clickhouse, now=NOW) == 1
    assert count(databases, acme.organization.id) == 0


def test_clean_up_does_not_change_billed_usage(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    store(databases, acme.organization.id, range(3), at=NOW, happened=FIRST_KEPT - timedelta(days=5))
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)
    apply_retention(databases.platform, databases.clickhouse, now=NOW)
    store(databases, acme.organization.id, [9], at=NOW)
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("SELECT events_count FROM tenant_usage").fetchall() == [(4,)]


def change_at(
    databases: Databases, targets: OutboxTargets, organization_id: UUID, wanted: OrganizationChange, now: datetime
) -> ChangedOrganization:
    gateway_keys = GatewayKeys(REGION, PLANS_PATH)
    return change_organization(
        databases.platform, targets, gateway_keys, organization_id, wanted, actor=OPERATOR, now=now
    )


def test_downgrade_shortens_retention_after_30_days(
    databases: Databases, targets: OutboxTargets, globex: Provisioned
) -> None:
    organization_id = globex.organization.id
    store(databases, organization_id, range(3), at=NOW - timedelta(days=60), happened=NOW - timedelta(days=100))

    def change(tier: Tier, now: datetime) -> AdmittedTenant:
        wanted = OrganizationChange(tier=tier)
        changed = change_at(databases, targets, organization_id, wanted, now)
        assert changed.organization.tier is tier
        return tenant_of(globex, tier=tier)

    starter = change(Tier.STARTER, NOW)

    for days, seen in ((0, 3), (29, 3), (31, 0)):
        assert read(databases, starter, NOW + timedelta(days=days)) == seen, days
    assert apply_retention(databases.platform, databases.clickhouse, now=NOW + timedelta(days=1)) == 1
    assert count(databases, organization_id) == 3

    growth = change(Tier.GROWTH, NOW + timedelta(days=20))

    assert read(databases, growth, NOW + timedelta(days=60)) == 3
    assert apply_retention(databases.platform, databases.clickhouse, now=NOW + timedelta(days=60)) == 1
    assert count(databases, organization_id) == 3

    change(Tier.STARTER, NOW + timedelta(days=61))

    assert apply_retention(databases.platform, databases.clickhouse, now=NOW + timedelta(days=98)) == 1
    assert count(databases, organization_id) == 0


def test_shorter_override_shortens_retention_after_30_days(
    databases: Databases, targets: OutboxTargets, globex: Provisioned
) -> None:
    organization_id = globex.organization.id
    store(databases, organization_id, range(3), at=NOW - timedelta(days=60), happened=NOW - timedelta(days=100))

    def change(days: int | None, now: datetime) -> AdmittedTenant:
        wanted = OrganizationChange(overrides=OverrideChanges(data_retention_days=days))
        changed = change_at(databases, targets, organization_id, wanted, now)
        return tenant_of(globex, overrides=changed.organization.overrides)

    shorter = change(20, NOW)
    shortest = change(10, NOW + timedelta(days=20))

    for days, seen in ((0, 3), (29, 3), (31, 0)):
        assert read(databases, shorter, NOW + timedelta(days=days)) == seen, days
        assert read(databases, shortest, NOW + timedelta(days=days)) == seen, days
    assert apply_retention(databases.platform, databases.clickhouse, now=NOW + timedelta(days=1)) == 1
    assert count(databases, organization_id) == 3
    assert apply_retention(databases.platform, databases.clickhouse, now=NOW + timedelta(days=40)) == 1
    assert count(databases, organization_id) == 0


def test_caller_that_knows_a_shorter_retention_first_sees_no_gap(databases: Databases, globex: Provisioned) -> None:
    """The context has the new, shorter retention, and the replica still has the old one."""
    store(databases, globex.organization.id, range(3), at=NOW - timedelta(days=60), happened=NOW - timedelta(days=100))

    caller = tenant_of(globex, overrides={"data_retention_days": 10})

    assert read(databases, caller) == 3


def test_longer_override_keeps_events_of_its_organization(
    databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    received, happened = NOW - timedelta(days=60), NOW - timedelta(days=200)
    for provisioned in (acme, globex):
        store(databases, provisioned.organization.id, range(3), at=received, happened=happened)
    with superuser(databases) as conn:
        statement = "UPDATE organizations SET overrides = '{\"data_retention_days\": 365}' WHERE id = %s"
        conn.execute(statement, (acme.organization.id,))

    assert apply_retention(databases.platform, databases.clickhouse, now=NOW) == 2

    assert (count(databases, acme.organization.id), count(databases, globex.organization.id)) == (3, 0)


def test_tier_change_without_days_left_the_retention_of_its_tier(databases: Databases, acme: Provisioned) -> None:
    """Rows of that release have no number of days."""
    store(databases, acme.organization.id, range(3), at=NOW - timedelta(days=60), happened=NOW - timedelta(days=150))
    with superuser(databases) as conn:
        statement = """
            INSERT INTO tier_changes (id, organization_id, from_tier, to_tier, changed_at)
            VALUES (gen_random_uuid(), %s, 'growth', 'starter', %s)
        """
        conn.execute(statement, (acme.organization.id, NOW - timedelta(days=29)))

    assert read(databases, tenant_of(acme)) == 3
    assert apply_retention(databases.platform, databases.clickhouse, now=NOW) == 1
    assert count(databases, acme.organization.id) == 3
