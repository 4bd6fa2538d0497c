"""The time of a Segment call: in UTC, and held if it is implausible."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.unit.segment_calls import NOW, RECEPTION, parse, raw, without


@pytest.mark.parametrize("timestamp", [5, "yesterday", "", "2026-02-30T10:00:00Z", [], 1_700_000_000_000])
def test_unreadable_time_holds_the_call(timestamp: object) -> None:
    row = parse(timestamp=timestamp)

    assert (row.reason, row.event_timestamp) == ("clock", "2026-11-24 12:00:00.456")
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
    "timestamp",
    [
        (NOW - timedelta(days=90, microseconds=1)).isoformat(),
        (NOW + timedelta(hours=24, microseconds=1)).isoformat(),
        "1900-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "2001-01-01T00:00:00",
        "2106-02-07T06:28:16Z",
        "2299-12-31T23:59:59Z",
    ],
)
def test_implausible_time_holds_the_call(timestamp: str) -> None:
    row = parse(timestamp=timestamp)

    assert row.reason == "clock"
    assert row.event_timestamp.startswith(timestamp[:4])


@pytest.mark.parametrize(
    ("timestamp", "stored"),
    [
        ("0001-01-01T00:00:00Z", "1900-01-01 00:00:00.000"),
        ("0001-01-01T00:00:00+23:00", "1900-01-01 00:00:00.000"),
        ("1601-01-01T00:00:00", "1900-01-01 00:00:00.000"),
        ("1900-01-01T00:30:00+01:00", "1900-01-01 00:00:00.000"),
        ("2299-12-31T23:59:59.9999Z", "2299-12-31 23:59:59.999"),
        ("2300-01-01T00:00:00Z", "2299-12-31 23:59:59.999"),
        ("9999-12-31T23:59:59Z", "2299-12-31 23:59:59.999"),
        ("9999-12-31T23:59:59-23:00", "2299-12-31 23:59:59.999"),
    ],
)
def test_time_outside_clickhouse_becomes_the_nearest(timestamp: str, stored: str) -> None:
    later = replace(RECEPTION, received_at=NOW + timedelta(days=1))

    first, again = (parse(timestamp=timestamp, reception=reception) for reception in (RECEPTION, later))

    assert (first.reason, first.event_timestamp) == ("clock", stored)
    assert first.identity == again.identity
    assert json.loads(first.user_properties)["timestamp"] == timestamp


@pytest.mark.parametrize("moment", [NOW, NOW - timedelta(days=90), NOW + timedelta(hours=24)], ids=str)
def test_plausible_time_is_not_held(moment: datetime) -> None:
    assert parse(timestamp=moment.isoformat()).reason == ""
