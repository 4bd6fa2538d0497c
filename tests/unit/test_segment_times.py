"""The time of a Segment call: in UTC, and held if no tier accepts it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tenancy.rules.events.row import format_row_time
from tests.unit.segment_calls import NOW, RECEPTION, parse, raw, without


@pytest.mark.parametrize("timestamp", [5, "yesterday", "", "2026-02-30T10:00:00Z", [], 1_700_000_000_000])
def test_unreadable_time_holds_the_call(timestamp: object) -> None:
    row = parse(timestamp=timestamp)

    assert (row.reason, row.event_timestamp) == ("clock", "1900-01-01 00:00:00.000")
    assert json.loads(row.user_properties)["timestamp"] == timestamp


def test_row_has_client_time_and_time_of_receipt() -> None:
    row = parse(timestamp="2026-11-24T13:00:00+01:00", sentAt="2026-11-24T23:00:00Z")
    assert (row.event_timestamp, row.received_at) == ("2026-11-24 12:00:00.000", "2026-11-24 12:00:00.456789")


def test_time_without_a_zone_is_utc() -> None:
    assert parse(timestamp="2026-11-20T10:00:00").event_timestamp == "2026-11-20 10:00:00.000"


@pytest.mark.parametrize("text", [without("timestamp"), raw(timestamp=None)], ids=["missing", "null"])
def test_missing_time_is_the_time_of_receipt(text: bytes) -> None:
    row = parse(text)
    assert (row.event_timestamp, row.reason) == (row.received_at[:23], "")


@pytest.mark.parametrize(
    "text",
    [without("timestamp"), raw(timestamp=None)],
    ids=["missing", "null"],
)
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
    "timestamp",
    [
        (NOW - timedelta(days=730, microseconds=1)).isoformat(),
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "1601-01-01T00:00:00",
        "1970-01-01T00:00:00Z",
        "2001-01-01T00:00:00",
        "2299-12-31T23:59:59.999Z",
        "2299-12-31T23:59:59.9999Z",
        "2300-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:00",
    ],
)
def test_time_that_no_tier_accepts_is_one_fixed_time(timestamp: str) -> None:
    later = replace(RECEPTION, received_at=NOW + timedelta(days=1))

    first, again = (parse(timestamp=timestamp, reception=reception) for reception in (RECEPTION, later))

    assert (first.reason, first.event_timestamp) == ("clock", "1900-01-01 00:00:00.000")
    assert first.identity == again.identity
    assert json.loads(first.user_properties)["timestamp"] == timestamp


@pytest.mark.parametrize("moment", [NOW, NOW - timedelta(days=730), NOW + timedelta(hours=24)], ids=str)
def test_plausible_time_is_not_held(moment: datetime) -> None:
    assert parse(timestamp=moment.isoformat()).reason == ""
