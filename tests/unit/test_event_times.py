"""The time of an event: RFC 3339 with a zone, within the longest retention and 24 hours ahead."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.events.event import parse_event
from tenancy.rules.events.row import InvalidEventError
from tests.members import for_each
from tests.unit.single_events import NOW, RECEPTION, fault, parse, raw


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-11-20T10:00:00Z", "2026-11-20 10:00:00.000"),
        ("2026-11-20t10:00:00z", "2026-11-20 10:00:00.000"),
        ("2026-11-20 10:00:00+00:00", "2026-11-20 10:00:00.000"),
        ("2026-11-20T12:00:00.5+02:00", "2026-11-20 10:00:00.500"),
        ("2026-11-20T10:00:00.123999Z", "2026-11-20 10:00:00.123"),
        ("2026-11-20T00:30:00+05:30", "2026-11-19 19:00:00.000"),
        ("2026-11-20T10:00:00-00:00", "2026-11-20 10:00:00.000"),
        ("2026-11-20t10:00:00.1234567890123456789z", "2026-11-20 10:00:00.123"),
        ("2026-11-19T10:01:00-23:59", "2026-11-20 10:00:00.000"),
    ],
)
def test_times_are_stored_in_utc_to_the_millisecond(text: str, stored: str) -> None:
    assert parse(event_timestamp=text).event_timestamp == stored


@given(
    age=st.timedeltas(min_value=timedelta(hours=1), max_value=timedelta(days=80)),
    offset=st.integers(-(24 * 60 - 1), 24 * 60 - 1),
    fraction=st.text("0123456789", max_size=30),
    letters=st.tuples(st.sampled_from("Tt "), st.sampled_from("Zz")),
)
def test_each_spelling_of_rfc_3339_is_accepted(
    age: timedelta, offset: int, fraction: str, letters: tuple[str, str]
) -> None:
    separator, zulu = letters
    moment = (NOW - age).replace(microsecond=0)
    local = moment + timedelta(minutes=offset)
    hours, minutes = divmod(abs(offset), 60)
    zone = f"{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}" if offset else zulu
    text = f"{local:%Y-%m-%d}{separator}{local:%H:%M:%S}{'.' if fraction else ''}{fraction}{zone}"

    stored = datetime.fromisoformat(parse(event_timestamp=text).event_timestamp).replace(tzinfo=UTC)

    assert timedelta() <= stored - moment <= timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-12-31T23:59:60Z", "2026-12-31 23:59:59.000"),
        ("2026-12-31t23:59:60.250z", "2026-12-31 23:59:59.250"),
        ("2026-12-31 15:59:60-08:00", "2026-12-31 23:59:59.000"),
        ("2027-01-01T05:29:60+05:30", "2026-12-31 23:59:59.000"),
    ],
)
def test_leap_second_is_the_last_second_of_its_day(text: str, stored: str) -> None:
    year_end = replace(RECEPTION, received_at=datetime(2027, 1, 1, tzinfo=UTC))

    row = parse_event(raw(event_timestamp=text), year_end)

    assert row.event_timestamp == stored


def test_leap_second_keeps_the_derived_id() -> None:
    times = ("2026-06-30T23:59:60Z", "2026-06-30T23:59:60.0Z", "2026-06-30T23:59:60Z")
    summer = replace(RECEPTION, received_at=datetime(2026, 7, 1, tzinfo=UTC))

    ids = [parse_event(raw(event_timestamp=text, event_id=None), summer).event_id for text in times]

    assert ids[0] == ids[2] != ids[1]


def test_leap_second_is_no_fault_beside_another_one() -> None:
    year_end = replace(RECEPTION, received_at=datetime(2027, 1, 1, tzinfo=UTC))

    with pytest.raises(InvalidEventError) as refusal:
        parse_event(raw(event_timestamp="2026-12-31T23:59:60Z", currency="XXX"), year_end)

    assert [error.location for error in refusal.value.errors] == ["currency"]


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


@for_each(
    "value",
    [
        "2026-11-20T10:00:00",
        "2026-11-20",
        "20.11.2026 10:00",
        "Fri, 20 Nov 2026 10:00:00 GMT",
        "2026-02-30T10:00:00Z",
        "2026-11-20T25:00:00Z",
        "2026-11-20T10:00:60Z",
        "2026-11-20T23:59:60Z",
        "2026-06-30T23:59:61Z",
        "2026-12-31T23:59:60",
        "2026-12-31T23:59:60+00:30",
        "9999-12-31T23:59:60-23:59",
        "0001-01-01T00:00:60+23:59",
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
