"""The time of a Segment call: the client's own in UTC, and held if no tier accepts it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tenancy.rules.events.row import format_row_time
from tests.unit import single_events
from tests.unit.segment_calls import CALL, NOW, RECEPTION, parse, raw, without


@pytest.mark.parametrize(
    "timestamp",
    [5, "yesterday", "2026-02-30T10:00:00Z", "2026-11-20T10:00:60Z", "2026-06-30T23:59:61Z", [], 1_700_000_000_000],
)
def test_unreadable_time_holds_the_call(timestamp: object) -> None:
    row = parse(timestamp=timestamp)

    assert (row.reason, row.event_timestamp) == ("clock", "1900-01-01 00:00:00.000")
    assert json.loads(row.user_properties)["timestamp"] == timestamp


def test_row_has_client_time_and_time_of_receipt() -> None:
    row = parse(timestamp="2026-11-24T13:00:00+01:00", sentAt="2026-11-24T23:00:00Z")
    assert (row.event_timestamp, row.received_at) == ("2026-11-24 12:00:00.000", "2026-11-24 12:00:00.456789")


def test_time_without_a_zone_is_utc() -> None:
    assert parse(timestamp="2026-11-20T10:00:00").event_timestamp == "2026-11-20 10:00:00.000"


@pytest.mark.parametrize(
    ("timestamp", "stored"),
    [
        ("2026-06-30T23:59:60Z", "2026-06-30 23:59:59.000"),
        ("2026-06-30t23:59:60.250z", "2026-06-30 23:59:59.250"),
        ("2026-06-30T15:59:60-08:00", "2026-06-30 23:59:59.000"),
        ("2026-06-30T23:59:60", "2026-06-30 23:59:59.000"),
    ],
)
@pytest.mark.parametrize("member", ["timestamp", "originalTimestamp"])
def test_leap_second_is_the_last_second_of_its_day(member: str, timestamp: str, stored: str) -> None:
    row = parse(json.dumps({**CALL, "timestamp": None, member: timestamp}).encode())
    assert (row.event_timestamp, row.reason) == (stored, "")


@pytest.mark.parametrize("text", ["2026-06-30T23:59:60Z", "2026-11-20 10:00:00+00:00", "2026-11-20t10:00:00.1239z"])
def test_one_text_is_one_time_on_every_path(text: str) -> None:
    event = single_events.parse(event_timestamp=text)
    assert parse(timestamp=text).event_timestamp == event.event_timestamp


ABSENT = [without("timestamp"), *(raw(timestamp=blank) for blank in (None, "", " \t", "undefined", "NULL", "0"))]


@pytest.mark.parametrize("text", ABSENT)
def test_missing_time_is_the_time_of_receipt(text: bytes) -> None:
    row = parse(text)
    assert (row.event_timestamp, row.reason) == (row.received_at[:23], "")


@pytest.mark.parametrize("text", ABSENT)
def test_original_timestamp_counts_without_a_timestamp(text: bytes) -> None:
    call = json.loads(text) | {"originalTimestamp": "2026-11-20T10:00:00.123Z"}

    row = parse(json.dumps(call).encode())

    assert (row.event_timestamp, row.reason) == ("2026-11-20 10:00:00.123", "")


def test_timestamp_counts_beside_an_original_one() -> None:
    row = parse(timestamp="2026-11-20T10:00:00Z", originalTimestamp="2026-11-19T10:00:00Z")
    assert row.event_timestamp == "2026-11-20 10:00:00.000"


@pytest.mark.parametrize(
    "moment",
    [
        NOW + timedelta(hours=24, microseconds=1),
        datetime(2106, 2, 7, 6, 28, 16, tzinfo=UTC),
        datetime(2299, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2299, 12, 31, 23, 59, 59, 998_999, tzinfo=UTC),
    ],
    ids=str,
)
def test_time_ahead_is_held_and_stays_the_own_time(moment: datetime) -> None:
    row = parse(timestamp=moment.isoformat())
    assert (row.reason, row.event_timestamp) == ("clock", format_row_time(moment))


@pytest.mark.parametrize(
    "moment",
    [
        NOW - timedelta(days=730, microseconds=1),
        datetime(2001, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1900, 1, 1, tzinfo=UTC),
    ],
    ids=str,
)
def test_time_before_every_retention_is_held_as_the_own_time(moment: datetime) -> None:
    row = parse(timestamp=moment.isoformat())
    assert (row.reason, row.event_timestamp) == ("clock", format_row_time(moment))


def test_time_is_the_same_before_and_after_it_becomes_too_old() -> None:
    timestamp = (NOW - timedelta(days=729, hours=23)).isoformat()
    later = replace(RECEPTION, received_at=NOW + timedelta(days=1))

    first, again = (parse(timestamp=timestamp, reception=reception) for reception in (RECEPTION, later))

    assert (first.reason, again.reason) == ("", "clock")
    assert first.identity == again.identity


@pytest.mark.parametrize(
    "timestamp",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "1601-01-01T00:00:00",
        "1899-12-31T23:59:59.999Z",
        "2299-12-31T23:59:59.999Z",
        "2299-12-31T23:59:59.9999Z",
        "2300-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:00",
    ],
)
def test_time_that_cannot_be_stored_is_one_fixed_time(timestamp: str) -> None:
    later = replace(RECEPTION, received_at=NOW + timedelta(days=1))

    first, again = (parse(timestamp=timestamp, reception=reception) for reception in (RECEPTION, later))

    assert (first.reason, first.event_timestamp) == ("clock", "1900-01-01 00:00:00.000")
    assert first.identity == again.identity
    assert json.loads(first.user_properties)["timestamp"] == timestamp


@pytest.mark.parametrize("moment", [NOW, NOW - timedelta(days=730), NOW + timedelta(hours=24)], ids=str)
def test_plausible_time_is_not_held(moment: datetime) -> None:
    assert parse(timestamp=moment.isoformat()).reason == ""
