"""The time of an event: RFC 3339 with a zone, within the longest retention and 24 hours ahead."""

from datetime import datetime, timedelta

import pytest

from tests.unit.single_events import NOW, fault, parse, raw


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-11-20T10:00:00Z", "2026-11-20 10:00:00.000"),
        ("2026-11-20t10:00:00z", "2026-11-20 10:00:00.000"),
        ("2026-11-20 10:00:00+00:00", "2026-11-20 10:00:00.000"),
        ("2026-11-20T12:00:00.5+02:00", "2026-11-20 10:00:00.500"),
        ("2026-11-20T10:00:00.123999Z", "2026-11-20 10:00:00.123"),
        ("2026-11-20T00:30:00+05:30", "2026-11-19 19:00:00.000"),
    ],
)
def test_times_are_stored_in_utc_to_the_millisecond(text: str, stored: str) -> None:
    assert parse(event_timestamp=text).event_timestamp == stored


@pytest.mark.parametrize(
    "moment", [NOW, NOW - timedelta(days=730), NOW + timedelta(hours=24), NOW - timedelta(seconds=1)], ids=str
)
def test_time_within_bounds_is_accepted(moment: datetime) -> None:
    assert parse(event_timestamp=moment.isoformat())


@pytest.mark.parametrize(
    "text",
    [
        (NOW - timedelta(days=730, microseconds=1)).isoformat(),
        (NOW + timedelta(hours=24, microseconds=1)).isoformat(),
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1899-12-31T23:59:59Z",
        "2299-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "0001-01-01T00:00:00-23:00",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59.999999-23:00",
    ],
)
def test_time_out_of_bounds_is_refused(text: str) -> None:
    assert fault(raw(event_timestamp=text)) == ("event_timestamp", "out_of_range")


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-20T10:00:00",
        "2026-11-20",
        "20.11.2026 10:00",
        "Fri, 20 Nov 2026 10:00:00 GMT",
        "2026-02-30T10:00:00Z",
        "2026-11-20T25:00:00Z",
        "2026-11-20T10:00:60Z",
        "2026-11-20T10:00:00+99:00",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "infinity",
        "now",
        " 2026-11-20T10:00:00Z",
        "2026-11-20T10:00:00Z\n",
        "\uff12026-11-20T10:00:00Z",
    ],
)
def test_time_must_be_rfc_3339_with_a_zone(value: str) -> None:
    assert fault(raw(event_timestamp=value)) == ("event_timestamp", "invalid")


@pytest.mark.parametrize("value", [1795521600, 1795521600.5, None, {}])
def test_time_that_is_no_text_is_refused(value: object) -> None:
    assert fault(raw(event_timestamp=value)) == ("event_timestamp", "invalid_type")
