"""Lists of stored events: both orders, copies, filters, and pages during inserts."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from tenancy.errors import InvalidError
from tenancy.rules.statistics import NO_APP
from tenancy.rules.stored_events import EventFilter, EventOrder
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.use_cases.listed_events import ALL, NOW, RECEIVED, EventTables, ids

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
APP = UUID(int=7)
ORDERS = list(EventOrder)


@pytest.fixture
def events(databases: Databases, acme: Provisioned) -> Iterator[EventTables]:
    """Return the tables without merges, so that copies stay."""
    databases.clickhouse.command("SYSTEM STOP MERGES events")
    yield EventTables(databases, acme)
    databases.clickhouse.command("SYSTEM START MERGES events")


def wanted(member: str, value: str | UUID) -> EventFilter:
    values: dict[str, Any] = {member: value}
    return EventFilter(**values)


def copies(events: EventTables) -> int:
    return int(events.databases.clickhouse.query("SELECT count() FROM events").result_rows[0][0])


def test_events_are_newest_first_by_their_own_time(events: EventTables) -> None:
    events.insert({"event_id": "old", "event_timestamp": NOW - 3 * MINUTE, "created_at": NOW})
    events.insert({"event_id": "new", "event_timestamp": NOW - MINUTE}, {"event_id": "middle", "device_id": "a"})

    page = events.page()

    assert ids(page) == ["new", "middle", "old"]
    assert not page.has_more
    assert page.next_cursor is None


@pytest.mark.exhaustive
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("order", ORDERS)
def test_pages_have_each_event_once_also_at_one_time(events: EventTables, order: EventOrder, limit: int) -> None:
    unusual = ["", "a", "a\\b", "a'b", "a\tb", "é", "😀", "\\N", "%s", "{x:String}"]
    for device in unusual:
        events.insert(*({"event_id": f"{device}-{number}", "device_id": device} for number in range(3)))

    [whole] = (page for page in events.pages(order=order) if page.rows)
    pages = list(events.pages(order=order, limit=limit))

    expected = sorted(f"{device}-{number}".encode() for device in unusual for number in range(3))
    assert sorted(each.encode() for each in ids(whole)) == expected
    assert ids(*pages) == ids(whole)


@pytest.mark.parametrize("order", ORDERS)
def test_event_that_was_sent_again_is_listed_once(events: EventTables, order: EventOrder) -> None:
    later = {"received_at": NOW - 30 * SECOND, "created_at": NOW - 30 * SECOND}
    events.insert({"event_name": "first"}, {"event_id": "2"})
    events.insert({"event_name": "again", **later})
    events.insert({"event_name": "again", **later, "created_at": NOW - 2 * MINUTE})

    assert copies(events) == 4
    for limit in (1, 2, 100):
        found = [event for page in events.pages(order=order, limit=limit) for event in page.rows]
        assert sorted((event.key.event_id, event.event_name) for event in found) == [("1", "first"), ("2", "Ordered")]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("member", "counted", "other"),
    [
        ("event_name", "first", "again"),
        ("event_type", "first", "again"),
        ("app_id", APP, NO_APP),
    ],
)
def test_filter_compares_the_copy_that_counts(
    events: EventTables, order: EventOrder, member: str, counted: str | UUID, other: str | UUID
) -> None:
    events.insert({member: other, "received_at": NOW, "created_at": NOW - 3 * MINUTE})
    events.insert({member: counted})
    events.insert({member: other, "received_at": NOW, "created_at": NOW - SECOND * 30})

    found = ids(*events.pages(wanted(member, counted), order))
    hidden = ids(*events.pages(wanted(member, other), order))

    assert (found, hidden) == (["1"], [])


@pytest.mark.parametrize("order", ORDERS)
def test_each_filter_selects_its_events(events: EventTables, order: EventOrder) -> None:
    events.insert(
        {"event_id": "plain"},
        {"event_id": "type", "event_type": "screen"},
        {"event_id": "name", "event_name": "a\\'b"},
        {"event_id": "device", "device_id": "other"},
        {"event_id": "app", "app_id": APP},
        {"event_id": "yesterday", "event_timestamp": NOW - timedelta(days=1)},
    )
    today = NOW.date()

    def listed(**values: Any) -> list[str]:  # noqa: ANN401 - of several types
        return ids(*events.pages(EventFilter(**values), order, limit=2))

    assert listed(event_type="screen") == ["type"]
    assert listed(event_name="a\\'b") == ["name"]
    assert listed(device_id="other") == ["device"]
    assert listed(app_id=APP) == ["app"]
    assert sorted(listed(app_id=NO_APP)) == ["device", "name", "plain", "type", "yesterday"]
    assert listed(to_day=today) == ["yesterday"]
    assert "yesterday" not in listed(from_day=today)
    assert listed(from_day=today, to_day=today) == []
    assert listed(event_type="screen", event_name="Ordered", device_id="other") == []


def test_pages_during_inserts_repeat_and_miss_no_event(events: EventTables) -> None:
    events.insert(*({"event_id": str(number), "event_timestamp": NOW - number * MINUTE} for number in range(1, 7)))
    first = events.page(limit=2)

    events.insert(
        {"event_id": "newest", "event_timestamp": NOW}, {"event_id": "2.5", "event_timestamp": NOW - 2.5 * MINUTE}
    )
    second = events.page(limit=2, cursor=first.next_cursor)

    assert (ids(first), ids(second)) == (["1", "2"], ["2.5", "3"])


def test_received_order_is_that_of_storage(events: EventTables) -> None:
    for number, age in enumerate((30, 20, 40, 20)):
        events.insert({"event_id": str(number), "created_at": NOW - age * SECOND})

    page = events.page(order=RECEIVED)

    assert ids(page) == ["2", "0", "1", "3"]


def test_received_order_ends_ten_seconds_before_now(events: EventTables) -> None:
    events.insert(*({"event_id": str(age), "created_at": NOW - age * SECOND} for age in (9, 10, 11, 12)))

    page = events.page(order=RECEIVED)
    later = events.page(order=RECEIVED, cursor=page.next_cursor, now=NOW + 2 * SECOND)

    assert (ids(page), page.has_more) == (["12", "11"], False)
    assert ids(later) == ["10", "9"]


def test_client_that_polls_gets_each_event_once(events: EventTables) -> None:
    seen, cursor = [], None
    for number in range(6):
        now = NOW + number * 10 * SECOND
        events.insert(
            {"event_id": f"new-{number}", "created_at": now},
            {"event_id": f"late-{number}", "created_at": now, "event_timestamp": NOW - timedelta(days=40 + number)},
            {"event_id": "new-0", "created_at": now, "received_at": NOW + number * SECOND},
        )
        page = events.page(order=RECEIVED, cursor=cursor, now=now + 5 * SECOND)
        cursor = page.next_cursor
        assert cursor is not None
        seen += ids(page)

    seen += ids(events.page(order=RECEIVED, cursor=cursor, now=NOW + 5 * MINUTE))
    assert sorted(seen) == sorted(f"{kind}-{number}" for kind in ("new", "late") for number in range(6))


def test_received_order_begins_48_hours_ago(events: EventTables) -> None:
    events.insert(
        {"event_id": "before", "created_at": NOW - timedelta(hours=48, seconds=1)},
        {"event_id": "within", "created_at": NOW - timedelta(hours=48)},
    )

    assert ids(events.page(order=RECEIVED)) == ["within"]


def test_old_cursor_reads_48_hours_a_page(events: EventTables) -> None:
    cursor = events.page(order=RECEIVED).next_cursor
    after = NOW + timedelta(days=5)
    events.insert({"event_id": "late", "created_at": after - timedelta(hours=1)})

    pages = []
    for _ in range(3):
        pages.append(events.page(order=RECEIVED, cursor=cursor, now=after))
        cursor = pages[-1].next_cursor

    assert [(ids(page), page.has_more) for page in pages] == [([], True), ([], True), (["late"], False)]


def test_cursor_ahead_of_now_waits(events: EventTables) -> None:
    ahead = events.page(order=RECEIVED, now=NOW + timedelta(days=1)).next_cursor
    events.insert({"event_id": "1"})

    page = events.page(order=RECEIVED, cursor=ahead)

    assert (ids(page), page.has_more, page.next_cursor) == ([], False, ahead)


def test_event_past_the_retention_is_not_listed(events: EventTables) -> None:
    events.insert({"event_id": "kept"}, {"event_id": "old", "event_timestamp": NOW - timedelta(days=200)})
    events.insert({"event_id": "old", "event_timestamp": NOW - timedelta(days=200), "created_at": NOW - MINUTE})

    assert ids(*events.pages()) == ["kept"]
    assert ids(*events.pages(order=RECEIVED)) == ["kept"]


@pytest.mark.parametrize("order", ORDERS)
def test_event_erased_between_two_pages_is_missing(events: EventTables, order: EventOrder) -> None:
    events.insert(*({"event_id": str(number), "event_timestamp": NOW - number * MINUTE} for number in range(1, 5)))
    first = events.page(order=order, limit=1)

    events.databases.clickhouse.command("SYSTEM START MERGES events")
    events.databases.clickhouse.command("DELETE FROM events WHERE event_id IN ('2', '3')")
    rest = ids(events.page(order=order, cursor=first.next_cursor))

    assert rest == (["4"] if order is EventOrder.EVENT_TIMESTAMP else ["1"])


def test_events_of_another_organization_are_not_listed(events: EventTables, globex: Provisioned) -> None:
    other = EventTables(events.databases, globex)
    other.insert({"event_id": "theirs"}, {"event_id": "same"})
    events.insert({"event_id": "same"})

    for order in ORDERS:
        assert ids(*events.pages(order=order)) == ["same"]
        assert ids(*events.pages(EventFilter(event_name="Ordered"), order)) == ["same"]


def test_cursor_of_another_list_of_events_is_refused(events: EventTables, globex: Provisioned) -> None:
    events.insert({"event_id": "1"}, {"event_id": "2"})
    cursor = events.page(limit=1).next_cursor
    received = events.page(order=RECEIVED, limit=1).next_cursor
    other = EventTables(events.databases, globex)
    day = date(2026, 11, 1)

    wrong: list[tuple[EventTables, dict[str, Any]]] = [
        (other, {"cursor": cursor}),
        (other, {"cursor": received, "order": RECEIVED}),
        (events, {"cursor": cursor, "order": RECEIVED}),
        (events, {"cursor": received}),
        (events, {"cursor": cursor, "wanted": EventFilter(event_name="Ordered")}),
        (events, {"cursor": cursor, "wanted": EventFilter(from_day=day)}),
        (events, {"cursor": received, "order": RECEIVED, "wanted": EventFilter(to_day=day)}),
    ]

    for tables, query in wrong:
        with pytest.raises(InvalidError) as refusal:
            tables.page(**query)
        assert refusal.value.errors[0].location == "query/cursor"
    assert ids(events.page(ALL, cursor=cursor)) == ["1"]
