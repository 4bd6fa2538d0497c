"""Events in ClickHouse: inserts, counts by first receipt, and statistics."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
import zstandard

from tenancy.rules.statistics import StatisticsQuery
from tenancy.rules.usage import Period
from tenancy.stores.clickhouse.client import DatabaseError, TenantReader
from tenancy.stores.clickhouse.events import find_first_unsettled_day, list_daily_events
from tenancy.stores.clickhouse.platform.events import insert_frames, list_touched_days
from tenancy.stores.clickhouse.platform.statistics import insert_daily_statistics
from tenancy.stores.clickhouse.statistics import list_statistics
from tenancy.stores.postgres.usage import list_daily_usage
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import NOW, Databases

ACME = UUID("0193f6a2-5c1e-4b7a-9d44-3f8a1c2e7b10")
GLOBEX = UUID("0193f6a2-5c1e-4b7a-9d44-3f8a1c2e7b11")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
NOVEMBER = Period(start=date(2026, 11, 1), end=date(2026, 12, 1))
TOTAL = StatisticsQuery(period=NOVEMBER, group_by=[])
BY_NAME = StatisticsQuery(period=NOVEMBER, group_by=["event_name", "currency"])


def frame(*rows: dict[str, object]) -> bytes:
    return zstandard.compress(msgspec.json.Encoder().encode_lines(rows))


def row(**changes: object) -> dict[str, object]:
    return {
        "organization_id": str(ACME),
        "event_id": "1",
        "event_type": "purchase",
        "event_name": "Ordered",
        "device_id": "device",
        "session_id": "",
        "platform": "ios",
        "event_timestamp": "2026-11-20 10:00:00.000",
        "properties": "{}",
        "user_properties": "{}",
        "revenue": "1.25",
        "currency": "EUR",
        "received_at": "2026-11-20 10:00:01.000",
        **changes,
    }


def insert(databases: Databases, *rows: dict[str, object], token: str | None = None) -> None:
    insert_frames(databases.clickhouse, "events", [frame(*rows)], token=token or repr(rows))


def daily(databases: Databases, organization_id: UUID = ACME) -> list[tuple[str, int]]:
    reader = TenantReader(databases.clickhouse, organization_id)
    return [(str(day.metric_date), day.events) for day in list_daily_events(reader, organization_id, date(2020, 1, 1))]


def revenue(databases: Databases, since: datetime) -> dict[str, str]:
    reader = TenantReader(databases.clickhouse, ACME)
    groups = list_statistics(reader, TOTAL, since=since)
    return {currency: str(amount) for group in groups for currency, amount in group.revenue.items()}


def test_repeated_insert_adds_nothing(databases: Databases) -> None:
    for _ in range(2):
        insert(databases, row(), token="same bytes")

    assert databases.clickhouse.query("SELECT count() FROM events").result_rows == [(1,)]


def test_concatenated_frames_are_one_insert(databases: Databases) -> None:
    frames = [frame(row(event_id=str(number))) for number in range(20)]

    insert_frames(databases.clickhouse, "events", frames, token="twenty")

    assert daily(databases) == [("2026-11-20", 20)]


def test_rejected_row_fails_only_its_own_insert(databases: Databases) -> None:
    insert(databases, row())

    with pytest.raises(DatabaseError):
        insert(databases, row(event_id="2"), row(event_id="3", organization_id="nobody"))
    with pytest.raises(DatabaseError):
        insert(databases, row(event_id="4", unknown="member"))

    assert daily(databases) == [("2026-11-20", 1)]


def test_copy_that_was_received_first_counts(databases: Databases) -> None:
    insert(databases, row(received_at="2026-11-21 00:00:00.000", revenue="9"))
    assert daily(databases) == [("2026-11-21", 1)]

    insert(databases, row())
    assert daily(databases) == [("2026-11-20", 1)]

    insert(databases, row(received_at="2026-11-20 10:00:01.001", revenue="7"))
    assert daily(databases) == [("2026-11-20", 1)]
    assert revenue(databases, LONG_AGO) == {"EUR": "1.250000"}


def test_late_first_copy_touches_the_day_of_the_other_copy(databases: Databases) -> None:
    insert(databases, row(received_at="2026-11-22 00:00:00.000"), row(event_id="2", received_at="2026-11-22 00:00:00"))
    insert(databases, row())

    changed = list_touched_days(databases.clickhouse, since=LONG_AGO, recent=NEVER)

    assert sorted((str(day.metric_date), day.events) for day in changed) == [("2026-11-20", 1), ("2026-11-22", 1)]


def test_day_that_loses_its_only_event_is_set_to_zero(databases: Databases, counters: Redis, acme: Provisioned) -> None:
    organization_id = str(acme.organization.id)
    late = row(organization_id=organization_id, received_at="2026-11-22 00:00:00.000000")
    insert(databases, late)
    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)
    insert(databases, {**late, "received_at": "2026-11-20 10:00:01.000000"})

    roll_up(databases.platform, databases.clickhouse, counters, now=NOW)

    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        days = list_daily_usage(conn, acme.organization.id)
    assert [(str(day.metric_date), day.events) for day in days] == [("2026-11-20", 1), ("2026-11-22", 0)]


def test_only_organizations_with_new_rows_are_recounted(databases: Databases) -> None:
    insert(databases, row())
    databases.clickhouse.command(
        "ALTER TABLE events UPDATE created_at = '2026-11-20 10:00:02' WHERE 1", settings={"mutations_sync": 2}
    )
    insert(databases, row(organization_id=str(GLOBEX)))

    changed = list_touched_days(databases.clickhouse, since=datetime.now(UTC) - timedelta(minutes=5), recent=NEVER)

    assert {day.organization_id for day in changed} == {GLOBEX}


def test_organization_without_new_rows_is_settled(databases: Databases) -> None:
    insert(databases, row())
    reader = TenantReader(databases.clickhouse, ACME)

    assert find_first_unsettled_day(reader, LONG_AGO) == date(2026, 11, 20)
    assert find_first_unsettled_day(reader, datetime.now(UTC) + timedelta(minutes=5)) is None
    assert find_first_unsettled_day(TenantReader(databases.clickhouse, GLOBEX), LONG_AGO) is None


def test_settled_days_come_from_the_newest_run(databases: Databases) -> None:
    settled = datetime.now(UTC) + timedelta(hours=1)
    insert(databases, row())
    for minute in (0, 1):
        insert_daily_statistics(databases.clickhouse, since=LONG_AGO, run=settled + timedelta(minutes=minute))
    assert revenue(databases, settled) == {"EUR": "1.250000"}

    databases.clickhouse.command("TRUNCATE TABLE events")
    assert revenue(databases, settled) == {"EUR": "1.250000"}


def test_unsettled_days_come_from_the_events(databases: Databases) -> None:
    insert(databases, row())
    insert_daily_statistics(databases.clickhouse, since=LONG_AGO, run=datetime.now(UTC))
    databases.clickhouse.command("TRUNCATE TABLE events")

    insert(databases, row(event_id="2", revenue="5"), token="another")

    assert revenue(databases, LONG_AGO) == {"EUR": "5.000000"}


def test_currencies_are_never_added(databases: Databases) -> None:
    insert(databases, row(), row(event_id="2", currency="USD", revenue="2"), row(event_id="3", revenue="-0.25"))

    assert revenue(databases, LONG_AGO) == {"EUR": "1.000000", "USD": "2.000000"}


def test_devices_count_once_in_every_grouping(databases: Databases) -> None:
    insert(databases, row(), row(event_id="2", currency="USD"), row(event_id="3", event_name="Viewed"))
    insert_daily_statistics(databases.clickhouse, since=LONG_AGO, run=datetime.now(UTC))
    reader = TenantReader(databases.clickhouse, ACME)

    for since in (LONG_AGO, datetime.now(UTC) + timedelta(hours=1)):
        [total] = list_statistics(reader, TOTAL, since=since)
        by_name = list_statistics(reader, BY_NAME, since=since)

        assert (total.events, total.unique_devices) == (3, 1)
        assert [(group.event_name, group.currency, group.events) for group in by_name] == [
            ("Ordered", "EUR", 1),
            ("Ordered", "USD", 1),
            ("Viewed", "EUR", 1),
        ]
