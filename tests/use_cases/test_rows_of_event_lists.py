"""The rows that ClickHouse reads for a page of events, from the summaries of the queries."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tenancy.rules.stored_events import EventFilter, EventOrder
from tenancy.use_cases.events.received_events import ROWS_OF_WINDOWS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.use_cases.listed_events import ALL, NOW, RECEIVED, EventTables

GRANULE = 8_192
MAX_ROWS = 200_000
# Narrow rows in the order of the sort key, and a version of its own: 20 million take about 8 seconds of a processor,
# and the rows that a page reads do not depend on their width. Each statement makes parts with all organizations.
INSERT = """
    INSERT INTO events (organization_id, event_id, device_id, event_timestamp, received_at, created_at, version,
                        device_names, user_names)
    SELECT {organizations:Array(UUID)}[intDiv(number, {rows:UInt64}) + 1], toString(number), 'device',
           fromUnixTimestamp64Milli(
               {start:Int64} + intDiv((number % {rows:UInt64}) * {span:Int64}, {rows:UInt64}), 'UTC'
           )
               AS moment,
           moment, moment + 1, 1, [], []
    FROM numbers({rows:UInt64} * length({organizations:Array(UUID)}))
    SETTINGS optimize_on_insert = 0, max_block_size = 1000000, min_insert_block_size_rows = 4000000,
             min_insert_block_size_bytes = 0
"""
SPAN = timedelta(hours=6)


def fill(events: EventTables, organizations: Sequence[UUID], *, rows: int, inserts: int) -> None:
    """Insert *rows* events of each organization, in *inserts* inserts, until a minute ago."""
    milliseconds = SPAN // timedelta(milliseconds=1)
    for number in range(inserts):
        start = NOW - timedelta(minutes=1) - SPAN * (inserts - number)
        parameters = {
            "organizations": list(organizations),
            "rows": rows // inserts,
            "start": int(start.timestamp() * 1000),
            "span": milliseconds,
        }
        events.databases.clickhouse.command(INSERT, parameters=parameters)


def parts_of(events: EventTables) -> int:
    statement = "SELECT uniqExact(_part) FROM events WHERE organization_id = {organization_id:UUID}"
    organization_id = events.owner.organization.id
    rows = events.databases.clickhouse.query(statement, parameters={"organization_id": organization_id}).result_rows
    return int(rows[0][0])


def count_rows(
    events: EventTables, wanted: EventFilter, order: EventOrder, limits: Iterable[int]
) -> list[tuple[int, int]]:
    """Return the events and the rows of pages with these *limits*."""
    counts, cursor = [], None
    for limit in limits:
        page, rows = events.counted_page(wanted, order, cursor=cursor, limit=limit)
        counts.append((len(page.rows), rows))
        cursor = page.next_cursor
    return counts


@pytest.mark.parametrize(
    ("others", "rows", "inserts"),
    [pytest.param(0, 2_000_000, 3, id="alone"), pytest.param(999, 20_000, 5, id="one of 1,000 with 20 million")],
)
def test_rows_of_a_page_are_bounded(
    databases: Databases, acme: Provisioned, *, others: int, rows: int, inserts: int
) -> None:
    events = EventTables(databases, acme)
    ids = [uuid4() for _ in range(others)]
    fill(events, [*ids[: others // 2], acme.organization.id, *ids[others // 2 :]], rows=rows, inserts=inserts)
    parts = parts_of(events)
    none = EventFilter(event_name="unknown")

    unfiltered = count_rows(events, ALL, EventOrder.EVENT_TIMESTAMP, (100, 100, 1, 10, 100))
    filtered = count_rows(events, none, EventOrder.EVENT_TIMESTAMP, (100,))
    received = count_rows(events, ALL, RECEIVED, (100, 1)) + count_rows(events, none, RECEIVED, (100,))

    assert [found for found, _ in unfiltered] == [100, 100, 1, 10, 100]
    assert [read for found, read in unfiltered if read > 3 * (found + GRANULE * parts)] == []
    assert [found for found, _ in filtered + received] == [0, 100, 1, 0]
    assert [read for _, read in filtered + received if read > MAX_ROWS] == []


def test_page_of_one_crowded_second_is_bounded(databases: Databases, acme: Provisioned) -> None:
    events = EventTables(databases, acme)
    rows = 2 * ROWS_OF_WINDOWS
    fill(events, [acme.organization.id], rows=rows, inserts=1)
    second = NOW - timedelta(minutes=1)
    databases.clickhouse.command(
        "ALTER TABLE events UPDATE created_at = {at:DateTime('UTC')} WHERE true SETTINGS mutations_sync = 2",
        parameters={"at": second.replace(tzinfo=None)},
    )
    last = EventFilter(device_id="device", from_day=NOW.date())

    found, cursor, most = 0, None, 0
    for _ in range(20):
        page, read = events.counted_page(EventFilter(event_name="unknown"), RECEIVED, cursor=cursor, limit=100)
        found, most = found + len(page.rows), max(most, read)
        cursor = page.next_cursor
        if not page.has_more:
            break

    assert not page.has_more
    assert found == 0
    assert most <= MAX_ROWS
    page, read = events.counted_page(last, RECEIVED, limit=100)
    assert (len(page.rows), page.has_more, read <= MAX_ROWS) == (100, True, True)
