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
           moment, if({created_at:UInt32} > 0, toDateTime({created_at:UInt32}, 'UTC'), toDateTime(moment) + 1),
           1, [], []
    FROM numbers({rows:UInt64} * length({organizations:Array(UUID)}))
    SETTINGS optimize_on_insert = 0, max_block_size = 1000000, min_insert_block_size_rows = 4000000,
             min_insert_block_size_bytes = 0
"""
SPAN = timedelta(hours=6)


def fill(events: EventTables, organizations: Sequence[UUID], *, rows: int, inserts: int, created_at: int = 0) -> None:
    """Insert *rows* events of each organization, in *inserts* inserts, until a minute ago.

    They are stored a second after they happen, or all at *created_at*.
    """
    milliseconds = SPAN // timedelta(milliseconds=1)
    for number in range(inserts):
        start = NOW - timedelta(minutes=1) - SPAN * (inserts - number)
        parameters = {
            "organizations": list(organizations),
            "rows": rows // inserts,
            "start": int(start.timestamp() * 1000),
            "span": milliseconds,
            "created_at": created_at,
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
    second = NOW - timedelta(minutes=1)
    fill(events, [acme.organization.id], rows=2 * ROWS_OF_WINDOWS, inserts=1, created_at=int(second.timestamp()))

    pages, cursor = [], None
    while not pages or pages[-1][0].has_more:
        pages.append(events.counted_page(EventFilter(event_name="unknown"), RECEIVED, cursor=cursor, limit=100))
        cursor = pages[-1][0].next_cursor
    full, rows = events.counted_page(ALL, RECEIVED, limit=100)

    assert len(pages) > 1
    assert [page.rows for page, _ in pages if page.rows] == []
    assert (len(full.rows), full.has_more) == (100, True)
    assert max(rows, *(read for _, read in pages)) <= MAX_ROWS
