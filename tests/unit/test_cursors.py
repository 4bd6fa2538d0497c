"""Cursors: a position in one list of one organization, which every other list refuses."""

import base64
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import InvalidError
from tenancy.rules.cursors import MAX_CURSOR_CHARACTERS, TAG_BYTES, Page, PagedList, TimePosition
from tenancy.rules.events.fields import TYPE_MAX_CHARACTERS
from tenancy.rules.statistics import DIMENSIONS, Statistics, StatisticsOrder, StatisticsPosition, StatisticsQuery
from tenancy.rules.stored_events import (
    END_OF_EVENT_TIMES,
    FIRST_EVENT_TIME,
    MAX_SECOND,
    EventFilter,
    EventKey,
    EventQuery,
    ReceivedPosition,
)
from tenancy.rules.texts import NAME_MAX_CHARACTERS
from tenancy.rules.usage import Period
from tests.members import for_each

ACME, GLOBEX = UUID(int=1), UUID(int=2)
LIST = PagedList(name="exports", organization_id=ACME, position=TimePosition, parameters=("a", None, 1))
POSITION = TimePosition(datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC), UUID(int=3))
NOVEMBER = Period(start=date(2026, 11, 1), end=date(2026, 12, 1))


def refused(listed: PagedList[Any], cursor: str) -> str:
    with pytest.raises(InvalidError) as refusal:
        listed.find_position(cursor)
    [error] = refusal.value.errors
    assert (error.location, error.code) == ("query/cursor", "invalid")
    return refusal.value.detail


def forged(listed: PagedList[Any], position: bytes) -> str:
    """Return a cursor of *listed* with another *position*, as any client can make it."""
    cursor = listed.format_cursor(POSITION)
    tag = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[:TAG_BYTES]
    return base64.urlsafe_b64encode(tag + position).decode().rstrip("=")


def test_cursor_leads_back_to_its_position() -> None:
    assert LIST.find_position(LIST.format_cursor(POSITION)) == POSITION
    assert LIST.find_position(None) is None


def test_equal_times_give_equal_cursors() -> None:
    elsewhere = POSITION.moment.astimezone(timezone(timedelta(hours=5)))

    assert LIST.format_cursor(TimePosition.of(elsewhere, POSITION.id)) == LIST.format_cursor(POSITION)


def test_cursor_of_another_list_is_refused() -> None:
    others = [
        replace(LIST, name="erasures"),
        replace(LIST, organization_id=GLOBEX),
        replace(LIST, parameters=("a", None, 2)),
        replace(LIST, parameters=("a", None)),
        replace(LIST, parameters=("a", "None", 1)),
    ]

    details = {refused(LIST, other.format_cursor(POSITION)) for other in others}

    assert len(details) == 1


def test_changed_cursor_is_refused() -> None:
    cursor = LIST.format_cursor(POSITION)

    def encoded(position: bytes) -> str:
        return forged(LIST, position)

    changed = ["", "x", "é", f"{cursor}=", f"{cursor} ", f" {cursor}", f"{cursor}A", cursor[:-1], cursor.upper()]
    changed += [encoded(position) for position in (b"", b"\xff", b"\x92", b"\x91" * 2_000, b"\xdd\xff\xff\xff\xff")]
    wrong: list[object] = [[], None, {}, ["x", "y"], ["2026-11-24T12:00:00", str(POSITION.id)]]  # a time without a zone
    changed += [encoded(msgspec.msgpack.encode(position)) for position in wrong]
    changed += [encoded(msgspec.msgpack.encode(POSITION) + b"\0"), encoded(msgspec.json.encode(POSITION))]

    for each in changed:
        refused(LIST, each)


def test_long_cursor_is_refused_unread() -> None:
    refused(LIST, "A" * (MAX_CURSOR_CHARACTERS + 1))


def test_valid_position_that_is_too_long_is_refused() -> None:
    groups = StatisticsQuery(period=NOVEMBER, group_by=["event_name"]).groups_of(ACME)
    short, long = (
        StatisticsPosition("0", "", "", "x" * length, "", "", "") for length in (1_000, MAX_CURSOR_CHARACTERS)
    )

    assert groups.find_position(groups.format_cursor(short)) == short
    refused(groups, groups.format_cursor(long))


@given(st.text(max_size=300))
def test_no_text_is_a_cursor_by_accident(text: str) -> None:
    refused(LIST, text)


@for_each("character", ["\1", '"', "\\", "é", "\ufffd", "😀"])
@for_each("order", StatisticsOrder)
def test_largest_group_has_a_cursor(order: StatisticsOrder, character: str) -> None:
    kind, name = character * TYPE_MAX_CHARACTERS, character * NAME_MAX_CHARACTERS
    revenue = {"EUR": Decimal("-99999999999999999999999999999999.999999")}
    group = Statistics(date(2026, 11, 24), kind, name, name, "EUR", uuid4(), 2**63, revenue, 2**63)
    query = StatisticsQuery(period=NOVEMBER, group_by=DIMENSIONS, order=order)
    groups = query.groups_of(uuid4())

    cursor = groups.format_cursor(query.position_of(group))

    assert groups.find_position(cursor) == query.position_of(group)


def test_cursor_of_statistics_is_bound_to_its_time_zone() -> None:
    names = ("UTC", "Etc/UTC", "Europe/Berlin", "Europe/Rome")
    lists = [StatisticsQuery(period=NOVEMBER, group_by=["day"], zone=name).groups_of(ACME) for name in names]
    position = StatisticsPosition("0", "2026-11-24", "", "", "", "", "")

    for groups in lists:
        for other in lists:
            if other is groups:
                assert other.find_position(groups.format_cursor(position)) == position
            else:
                refused(other, groups.format_cursor(position))


def test_page_has_a_cursor_only_if_rows_follow() -> None:
    full, whole = Page.of([1, 2, 3], 2, str), Page.of([1, 2], 2, str)

    assert (full.rows, full.has_more, full.next_cursor) == ([1, 2], True, "2")
    assert (whole.rows, whole.has_more, whole.next_cursor) == ([1, 2], False, None)


def test_page_that_ends_early_leads_to_the_rest() -> None:
    page = Page.of([1, 2, 3], 3, str)

    assert (page.first(1).rows, page.first(1).next_cursor) == ([1], "1")
    assert page.first(3) == page


@pytest.mark.parametrize("character", ["\1", '"', "\\", "é", "😀"])
def test_longest_event_has_a_cursor(character: str) -> None:
    key = EventKey(FIRST_EVENT_TIME, character * NAME_MAX_CHARACTERS, character * NAME_MAX_CHARACTERS)
    position = ReceivedPosition(MAX_SECOND, *key)
    query = EventQuery(wanted=EventFilter(event_name=character))
    newest, received = query.newest_of(ACME), query.received_of(ACME)

    assert newest.find_position(newest.format_cursor(key)) == key
    assert received.find_position(received.format_cursor(position)) == position


@pytest.mark.parametrize("time", [FIRST_EVENT_TIME - 1, END_OF_EVENT_TIMES + 1, 2**63, "0", None, 0.5])
def test_forged_position_of_an_event_is_refused(time: object) -> None:
    query = EventQuery(wanted=EventFilter())

    refused(query.newest_of(ACME), forged(query.newest_of(ACME), msgspec.msgpack.encode([time, "", ""])))
    refused(query.received_of(ACME), forged(query.received_of(ACME), msgspec.msgpack.encode([0, time, "", ""])))
    refused(query.received_of(ACME), forged(query.received_of(ACME), msgspec.msgpack.encode([2**32, 0, "", ""])))
    refused(query.received_of(ACME), forged(query.received_of(ACME), msgspec.msgpack.encode([-1, 0, "", ""])))
