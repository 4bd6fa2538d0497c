"""During a deploy, functions of the release before write rows and statistics without an app."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from tenancy.rules.statistics import StatisticsQuery
from tenancy.rules.usage import Period, unsettled_since
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.statistics import list_statistics
from tenancy.stores.postgres.usage import find_rolled_up_at
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import Databases
from tests.use_cases.admitting import NOW
from tests.use_cases.storing import put, store_of_app

# The statement of release 0.2.0.
OLD_INSERT_DAILY_STATISTICS = """
    INSERT INTO daily_statistics (
        organization_id, event_date, event_type, event_name, platform, currency, events, bytes, revenue, devices, run
    )
    SELECT organization_id, toDate(event_timestamp) AS event_date, event_type, event_name, platform, currency,
           count(), sum(bytes), sum(revenue), uniqState(device_id), {run:DateTime64(3, 'UTC')}
    FROM events FINAL
    GROUP BY organization_id, event_date, event_type, event_name, platform, currency
"""
APP = UUID(int=1)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TODAY = Period(start=NOW.date(), end=NOW.date() + timedelta(days=1))


def events_by_app(databases: Databases, organization_id: UUID) -> dict[UUID | None, tuple[int, Decimal]]:
    """Return events and revenue of each app, as a request reads them now."""
    with databases.functions.tenant_transaction(organization_id) as conn:
        since = unsettled_since(find_rolled_up_at(conn, organization_id))
    query = StatisticsQuery(period=TODAY, group_by=("app_id",))
    groups = list_statistics(TenantReader(databases.clickhouse, organization_id), query, since=since)
    return {group.app_id: (group.events, sum(group.revenue.values(), Decimal())) for group in groups}


def roll_up_before(databases: Databases, counters: Redis, *, now: datetime) -> None:
    """Roll up as the release before did: the newest statistics have no app."""
    roll_up(databases.platform, databases.clickhouse, counters, now=now)
    newest = now + timedelta(milliseconds=1)
    databases.clickhouse.command(OLD_INSERT_DAILY_STATISTICS, parameters={"run": newest})


def test_statistics_of_the_release_before_have_no_app(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    put(databases, acme.organization.id, range(3), at=NOW)
    roll_up_before(databases, counters, now=NOW + HOUR)

    settled = events_by_app(databases, acme.organization.id)

    assert settled == {None: (3, Decimal())}


def test_events_of_the_deploy_are_counted_by_app(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    """A roll-up of the release before ends after the first events with an app were loaded."""
    put(databases, acme.organization.id, range(3), at=NOW)
    store_of_app(databases, acme.organization.id, APP, range(3, 5), at=NOW)
    expected = {None: (3, Decimal()), APP: (2, Decimal("2.5"))}

    roll_up_before(databases, counters, now=NOW + MINUTE)
    unsettled = events_by_app(databases, acme.organization.id)
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW + HOUR)
    settled = events_by_app(databases, acme.organization.id)

    assert (unsettled, settled) == (expected, expected)
