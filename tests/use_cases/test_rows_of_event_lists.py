"""The rows that ClickHouse reads for a page of events, from the summaries of the queries."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from tenancy.rules.cursors import Page
from tenancy.rules.stored_events import EventFilter, EventOrder, StoredEvent
from tenancy.use_cases.events.received_events import ROWS_OF_WINDOWS
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.use_cases.listed_events import ALL, NOW, RECEIVED, CountingClient, EventTables

GRANULE = 8_192
MAX_ROWS = 200_000
# Narrow rows in the order of the sort key, and a version of its own: the rows that a page reads do not depend on their
# width. Nor do they depend on the number of organizations, as soon as one shares its granules with its neighbours. Each
# statement makes parts with all organizations.
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
MAX_STATEMENTS = 100
# A part of events whose times are random, and which are stored in the order of their numbers. One in 100 is late by up
# to a day, if *late*. One in 100 is rare.
INSERT_UNORDERED = """
    INSERT INTO events (organization_id, event_id, device_id, event_name, event_timestamp, received_at, created_at,
                        version, device_names, user_names)
    SELECT {organization:UUID}, concat({part:String}, '-', toString(number)), concat('d', toString(rand(1) % 1000)),
           if(number % 100 = 0, 'rare', 'usual'),
           fromUnixTimestamp64Milli(
               {start:Int64}
                   + if({late:Bool} AND rand(2) % 100 = 0, -toInt64(rand64(3) % 86400000),
                        toInt64(rand64(4) % {span:Int64})),
               'UTC'
           ) AS moment,
           moment, toDateTime({stored:UInt32} + intDiv(number * {stored_seconds:UInt32}, {rows:UInt32}), 'UTC'),
           1, [], []
    FROM numbers({rows:UInt32})
    SETTINGS optimize_on_insert = 0, max_block_size = 1000000, min_insert_block_size_rows = 4000000,
             min_insert_block_size_bytes = 0
"""
RARE = EventFilter(event_name="rare")


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


def fill_unordered(
    events: EventTables,
    part: int,
    *,
    start: timedelta,
    span: timedelta,
    stored: timedelta,
    stored_span: timedelta,
    rows: int,
    late: bool = False,
) -> None:
    """Insert a part of *rows* events that happened from *start* ago on, and were stored from *stored* ago on."""
    parameters = {
        "organization": events.owner.organization.id,
        "part": str(part),
        "late": late,
        "start": int((NOW - start).timestamp() * 1000),
        "span": span // timedelta(milliseconds=1),
        "stored": int((NOW - stored).timestamp()),
        "stored_seconds": stored_span // timedelta(seconds=1),
        "rows": rows,
    }
    events.databases.clickhouse.command(INSERT_UNORDERED, parameters=parameters)


@pytest.mark.parametrize(
    ("others", "rows", "inserts"),
    [pytest.param(0, 2_000_000, 3, id="alone"), pytest.param(199, 20_000, 5, id="one of 200 with 4 million")],
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

    pages: list[tuple[Page[StoredEvent], int]] = []
    cursor = None
    while not pages or pages[-1][0].has_more:
        pages.append(events.counted_page(EventFilter(event_name="unknown"), RECEIVED, cursor=cursor, limit=100))
        assert pages[-1][0].next_cursor != cursor
        cursor = pages[-1][0].next_cursor
    full, rows = events.counted_page(ALL, RECEIVED, limit=100)

    assert len(pages) > 1
    assert [page.rows for page, _ in pages if page.rows] == []
    assert (len(full.rows), full.has_more) == (100, True)
    assert max(rows, *(read for _, read in pages)) <= MAX_ROWS


@pytest.fixture
def unmerged(databases: Databases, acme: Provisioned) -> Iterator[EventTables]:
    databases.clickhouse.command("SYSTEM STOP MERGES events")
    yield EventTables(databases, acme)
    databases.clickhouse.command("SYSTEM START MERGES events")


@pytest.mark.exhaustive
@pytest.mark.parametrize("has_same_times", [False, True])
def test_pages_of_overlapping_parts_are_bounded(
    unmerged: EventTables, subtests: pytest.Subtests, *, has_same_times: bool
) -> None:
    for number in range(10):
        stored = timedelta(hours=30 - 2 * number)
        happened = timedelta(hours=30) if has_same_times else stored
        span = timedelta(hours=2)
        fill_unordered(
            unmerged, number, start=happened, span=span, stored=stored, stored_span=span, rows=60_000, late=True
        )

    # The newest event of each part is an edge, before which a page can be empty. So there are more pages than parts.
    lists = [(RARE, EventOrder.EVENT_TIMESTAMP, 10), (ALL, RECEIVED, 600), (RARE, RECEIVED, 300)]
    counts = [count_rows(unmerged, wanted, order, [100] * 16) for wanted, order, _ in lists]

    assert parts_of(unmerged) == 10
    for (wanted, order, fewest), pages in zip(lists, counts, strict=True):
        with subtests.test(f"{wanted} {order}"):
            assert [read for _, read in pages if read > MAX_ROWS] == []
            assert sum(found for found, _ in pages) >= fewest


def test_import_is_listed_in_bounded_pages(unmerged: EventTables) -> None:
    fill_unordered(
        unmerged,
        0,
        start=timedelta(days=28),
        span=timedelta(days=27),
        stored=timedelta(hours=6),
        stored_span=timedelta(minutes=10),
        rows=500_000,
    )

    pages = count_pages(unmerged, ALL, 25)

    assert [read for _, read, _ in pages if read > MAX_ROWS] == []
    assert [statements for _, _, statements in pages if statements > MAX_STATEMENTS] == []
    assert sum(found for found, _, _ in pages) >= 25 * 50


@pytest.mark.parametrize("stored_seconds", [0, 48 * 3600 - 60])
def test_statements_of_sparse_and_crowded_lists_are_bounded(unmerged: EventTables, stored_seconds: int) -> None:
    stored = timedelta(seconds=stored_seconds or 60)
    rows = 300 if stored_seconds else 300_000
    fill_unordered(
        unmerged,
        0,
        start=stored,
        span=timedelta(hours=1),
        stored=stored,
        stored_span=timedelta(seconds=stored_seconds),
        rows=rows,
    )

    pages = count_pages(unmerged, RARE, 10)

    assert [statements for _, _, statements in pages if statements > MAX_STATEMENTS] == []
    assert [read for _, read, _ in pages if read > MAX_ROWS] == []
    assert sum(found for found, _, _ in pages) >= 3


def count_pages(events: EventTables, wanted: EventFilter, number: int) -> list[tuple[int, int, int]]:
    """Return the events, the rows and the statements of at most *number* pages in the order of storage."""
    counts: list[tuple[int, int, int]] = []
    cursor = None
    for _ in range(number):
        client = CountingClient(events.databases.clickhouse)
        page = events.page_by(client, wanted, RECEIVED, cursor=cursor, limit=100)
        counts.append((len(page.rows), client.rows_read, client.statements))
        cursor = page.next_cursor
        if not page.has_more:
            break
    return counts
