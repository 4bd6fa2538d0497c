"""Statistics by days of a time zone, compared with a plain computation over random events."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from random import Random
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tenancy.errors import UnavailableError
from tenancy.rules.events.frames import EventTable
from tenancy.rules.events.row import format_row_time
from tenancy.rules.statistics import DIMENSIONS, NO_APP, Statistics, StatisticsOrder, StatisticsQuery
from tenancy.rules.time_zones import UTC_ZONES, list_local_spans
from tenancy.rules.usage import Period
from tenancy.stores.clickhouse.client import TenantReader, TooManyRowsError, connect
from tenancy.stores.clickhouse.statistics import list_statistics, list_zone_statistics
from tests.given import Databases
from tests.stores.test_events import ACME, GLOBEX, LONG_AGO, insert, row

ONE_DAY = timedelta(days=1)
FIRST, DAYS = date(2026, 3, 1), 31  # the clocks change in America and in Europe
MARCH = Period(start=FIRST, end=FIRST + DAYS * ONE_DAY)
APPS = (NO_APP, UUID(int=1), UUID(int=2))
EVENTS = 1_500
MANY_ROWS = 3 * 8_192  # several times the rows that ClickHouse reads at once
COLUMNS = {"day": 0, "event_type": 1, "event_name": 2, "platform": 3, "currency": 4, "app_id": 5}


@cache
def zones() -> list[str]:
    """Return one zone of each kind of clock. The others get the same statement."""
    names = sorted(set((files("tzdata") / "zones").read_text().split()) - UTC_ZONES - {"Factory"})
    return sorted({tuple(list_local_spans(name, MARCH)): name for name in names}.values())


class Sent(NamedTuple):
    """An event as it was sent."""

    happened_at: datetime
    device_id: str
    event_id: str
    event_name: str
    platform: str
    currency: str
    revenue: Decimal
    app_id: UUID


def moments(random: Random) -> datetime:
    """Return a moment of the period, often at a quarter of an hour, where local days begin."""
    quarter = datetime(2026, 2, 27, tzinfo=UTC) + random.randrange(35 * 24 * 4) * timedelta(minutes=15)
    distance = random.choice((0, -1, 1, 999, -60_000, random.randrange(15 * 60_000)))
    return quarter + timedelta(milliseconds=distance)


def events(random: Random) -> list[Sent]:
    return [
        Sent(
            moments(random),
            f"device-{random.randrange(300)}",
            str(number),
            random.choice(("Signed Up", "Ordered", "é\t'\\")),
            random.choice(("ios", "web")),
            random.choice(("EUR", "JPY")),
            Decimal(random.randrange(-(10**9), 10**12)) / 10**6,
            random.choice(APPS),
        )
        for number in range(EVENTS)
    ]


def put(
    databases: Databases, sent: Sequence[Sent], organization_id: UUID = ACME, *, received: str = "10:00:01"
) -> None:
    insert(
        databases,
        *(
            row(
                organization_id=str(organization_id),
                event_timestamp=format_row_time(one.happened_at),
                device_id=one.device_id,
                event_id=one.event_id,
                event_name=one.event_name,
                platform=one.platform,
                currency=one.currency,
                revenue=str(one.revenue),
                app_id=str(one.app_id),
                received_at=f"2026-05-01 {received}.000",
            )
            for one in sent
        ),
        token=f"{organization_id} {received}",
    )


def resend(databases: Databases, sent: Sequence[Sent], random: Random) -> None:
    """Send a part of the events again, with other values and later. The first copies count."""
    again = random.sample(sent, k=len(sent) // 3)
    changed = [one._replace(event_name="Again", revenue=Decimal(7), app_id=UUID(int=9)) for one in again]
    put(databases, changed, received="11:00:00")


@pytest.fixture
def sent(databases: Databases) -> list[Sent]:
    """Store random events of acme, some sent twice, and events of globex at the same times."""
    random = Random(13)
    made = events(random)
    put(databases, made)
    resend(databases, made, random)
    put(databases, [one._replace(device_id="globex", revenue=Decimal(10**6)) for one in made], GLOBEX)
    return made


@pytest.fixture
def reader(databases: Databases) -> TenantReader:
    return TenantReader(databases.clickhouse, ACME)


type Group = tuple[int, dict[str, Decimal], int]


def computed(sent: Sequence[Sent], query: StatisticsQuery) -> dict[tuple[object, ...], Group]:
    """Return events, revenue and devices of each group, by its dimensions."""
    with (files("tzdata") / "zoneinfo" / query.zone).open("rb") as file:
        zone = ZoneInfo.from_file(file)
    groups: dict[tuple[object, ...], list[Sent]] = defaultdict(list)
    for one in sent:
        day = one.happened_at.astimezone(zone).date()
        if query.period.start <= day < query.period.end and query.app_id in {None, one.app_id}:
            app_id = one.app_id if one.app_id.int else None
            values = (day, "purchase", one.event_name, one.platform, one.currency, app_id)
            groups[tuple(values[COLUMNS[name]] for name in DIMENSIONS if name in query.group_by)].append(one)
    return {key: _group(members) for key, members in groups.items()}


def _group(members: Sequence[Sent]) -> Group:
    revenue: dict[str, Decimal] = defaultdict(Decimal)
    for one in members:
        revenue[one.currency] += one.revenue
    return len(members), dict(revenue), len({one.device_id for one in members})


def counted(groups: Sequence[Statistics], query: StatisticsQuery) -> dict[tuple[object, ...], Group]:
    found: dict[tuple[object, ...], Group] = {
        tuple(getattr(group, name) for name in DIMENSIONS if name in query.group_by): (
            group.events,
            group.revenue,
            group.unique_devices,
        )
        for group in groups
    }
    assert len(found) == len(groups)
    return found


def list_groups(reader: TenantReader, query: StatisticsQuery, *, limit: int = 10**6) -> list[Statistics]:
    return list_zone_statistics(reader, query, limit=limit)


def test_days_of_each_zone_are_those_of_its_clocks(sent: list[Sent], reader: TenantReader) -> None:
    random = Random(14)
    for zone in zones():
        length = random.randint(0, DAYS)
        start = FIRST + random.randint(0, DAYS - length) * ONE_DAY
        query = StatisticsQuery(
            period=Period(start=start, end=start + length * ONE_DAY),
            group_by=random.sample(DIMENSIONS, k=random.randint(0, len(DIMENSIONS))),
            order=random.choice(list(StatisticsOrder)),
            app_id=random.choice((None, None, *APPS)),
            zone=zone,
        )

        assert counted(list_groups(reader, query), query) == computed(sent, query), query


def test_groups_of_a_zone_have_the_order_of_utc(sent: list[Sent], reader: TenantReader) -> None:
    """A zone without an offset in this time has the days of UTC, so everything is equal."""
    period = Period(start=FIRST, end=FIRST + 20 * ONE_DAY)
    for order in StatisticsOrder:
        for group_by in ([], ["day"], DIMENSIONS):
            query = StatisticsQuery(period=period, group_by=group_by, order=order, zone="Africa/Abidjan")

            assert list_groups(reader, query) == list_statistics(reader, query, since=LONG_AGO)
    assert sent


@pytest.mark.parametrize("order", StatisticsOrder)
def test_pages_of_a_zone_have_each_group_once(sent: list[Sent], reader: TenantReader, order: StatisticsOrder) -> None:
    query = StatisticsQuery(period=MARCH, group_by=["day", "event_name"], order=order, zone="Asia/Kathmandu")
    whole, pages, after = list_groups(reader, query), list[Statistics](), None

    while page := list_zone_statistics(reader, query, after=after, limit=7):
        pages += page
        after = query.position_of(page[-1])

    assert pages == whole
    assert sent


def test_long_spans_of_all_zones_have_the_sums_of_utc(databases: Databases, reader: TenantReader) -> None:
    """No event is within a day of the borders, so every zone has all events."""
    inside = (datetime(2026, 3, 2, 1, tzinfo=UTC), datetime(2026, 3, 30, 23, tzinfo=UTC))
    put(databases, [one for one in events(Random(15)) if inside[0] <= one.happened_at < inside[1]])
    queries = [StatisticsQuery(period=MARCH, group_by=["event_name", "app_id"], zone=zone) for zone in zones()]
    expected = list_statistics(reader, queries[0], since=LONG_AGO)

    different = [query.zone for query in queries if list_groups(reader, query) != expected]

    assert sum(group.events for group in expected) > EVENTS // 2
    assert different == []


def test_events_before_retention_are_in_no_zone(databases: Databases, sent: list[Sent]) -> None:
    first_kept = FIRST + 10 * ONE_DAY
    query = StatisticsQuery(period=MARCH, group_by=["day"], zone="Pacific/Kiritimati")
    reader = TenantReader(databases.clickhouse, ACME, first_kept=first_kept)

    found = counted(list_groups(reader, query), query)

    kept = [one for one in sent if one.happened_at.date() >= first_kept]
    assert found == computed(kept, query)


def test_held_and_erased_events_are_in_no_zone(databases: Databases, sent: list[Sent], reader: TenantReader) -> None:
    table: EventTable = "held_events"
    query = StatisticsQuery(period=MARCH, group_by=["day"], zone="Asia/Tokyo")
    databases.clickhouse.command(
        f"INSERT INTO {table} (organization_id, event_id, reason) VALUES ('{ACME}', 'x', 'quota')"
    )
    databases.clickhouse.command(
        "DELETE FROM events WHERE organization_id = {own:UUID} AND device_id = 'device-1'",
        parameters={"own": str(ACME)},
    )

    found = counted(list_groups(reader, query), query)

    assert found == computed([one for one in sent if one.device_id != "device-1"], query)


def test_query_with_too_many_rows_reads_none(databases: Databases, reader: TenantReader) -> None:
    databases.clickhouse.command(
        """
        INSERT INTO events (organization_id, event_id, event_timestamp, received_at)
        SELECT {own:UUID}, toString(number), toDateTime64('2026-03-10 00:00:00', 3, 'UTC') + number, now()
        FROM numbers({rows:UInt32})
        """,
        parameters={"own": str(ACME), "rows": MANY_ROWS},
    )
    query = StatisticsQuery(period=MARCH, group_by=[], zone="Asia/Tokyo")
    few_hours = replace(query, zone="Etc/GMT+3", period=Period(start=date(2026, 3, 10), end=date(2026, 3, 11)))

    with pytest.raises(TooManyRowsError):
        list_zone_statistics(reader, query, max_rows=MANY_ROWS - 1)
    [group] = list_zone_statistics(reader, query, max_rows=2 * MANY_ROWS)
    few = list_zone_statistics(reader, few_hours, max_rows=MANY_ROWS - 1)

    assert group.events == MANY_ROWS
    assert few


def test_query_that_takes_too_long_says_so(databases: Databases) -> None:
    client = connect(databases.servers.clickhouse_url(databases.name))
    client.set_client_setting("max_execution_time", 1)
    reader = TenantReader(client, ACME)

    with pytest.raises(UnavailableError, match="too much time"):
        reader.query("SELECT {organization_id:UUID}, sum(sipHash64(number)) FROM numbers(1000000000000000)")
