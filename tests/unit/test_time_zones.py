"""Time zones: their names, and the local days of moments."""

from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.time_zones import UTC_ZONES, LocalSpan, is_time_zone, list_local_spans, local_day
from tenancy.rules.usage import Period
from tests.members import for_each

ZONES = sorted(set((files("tzdata") / "zones").read_text().split()) - {"Factory"})
ONE_DAY, ONE_HOUR = timedelta(days=1), timedelta(hours=1)
NO_ZONES = (
    "", " ", "utc", "Utc", "europe/berlin", "EUROPE/BERLIN", "Europe/Berlin ", " Europe/Berlin", "Europe/Berlin\n",
    "Europe/Berlin\0", "Europe", "Europe/", "/Europe/Berlin", "Europe//Berlin", "Europe/../Europe/Berlin", "../zones",
    "/etc/localtime", "/usr/share/zoneinfo/UTC", "posix/Europe/Berlin", "right/UTC", "posixrules", "localtime",
    "Factory", "zones", "tzdata.zi", "zone.tab", "+02:00", "-05:00", "+0200", "02:00", "Z", "UTC+2", "UTC+02:00",
    "GMT+2", "Etc/GMT+13", "Etc/GMT-15", "Etc/GMT+05", "CEST", "PST", "BST", "IST", "Berlin", "Europe/Berlim",
    "Europe\\Berlin", "%", "'", "') OR 1=1 --", "{organization_id:UUID}", "é", "\u017f", "\u041a\u0438\u0457\u0432",
    "x" * 5000,
)  # fmt: skip


def zone_info(name: str) -> ZoneInfo:
    with (files("tzdata") / "zoneinfo" / name).open("rb") as file:
        return ZoneInfo.from_file(file, name)


def days_of(zone: str, period: Period) -> list[timedelta]:
    """Return the length of each local day of *period*."""
    days = (period.end - period.start).days
    starts = [period.start + number * ONE_DAY for number in range(days)]
    spans = [list_local_spans(zone, Period(start=start, end=start + ONE_DAY)) for start in starts]
    return [sum((span.ends_at - span.starts_at for span in each), timedelta()) for each in spans]


def local_date(spans: list[LocalSpan], moment: datetime) -> date | None:
    """Return the day of *moment* as the statement of the statistics computes it."""
    if not spans or not spans[0].starts_at <= moment < spans[-1].ends_at:
        return None
    offset = [span.offset for span in spans if span.starts_at <= moment][-1]
    return (moment + offset).date()


@for_each("name", ZONES)
def test_each_name_of_the_database_is_a_zone(name: str) -> None:
    assert is_time_zone(name)
    assert local_day(name, datetime(2026, 11, 24, 12, tzinfo=UTC))


@for_each("name", NO_ZONES)
def test_other_texts_are_no_zone(name: str) -> None:
    assert not is_time_zone(name)


def test_names_of_utc_are_those_of_the_database() -> None:
    def rules(name: str) -> bytes:
        return (files("tzdata") / "zoneinfo" / name).read_bytes()

    assert {name for name in ZONES if rules(name) in {rules("Etc/UTC"), rules("Etc/GMT")}} == UTC_ZONES


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Africa/Cairo", date(2026, 4, 24), 23),  # the clocks leave midnight out
        ("America/Santiago", date(2026, 4, 4), 25),  # the clocks go back from midnight
        ("Pacific/Kiritimati", date(2026, 11, 24), 24),
        ("Etc/GMT+12", date(2026, 11, 24), 24),
        ("Pacific/Apia", date(2011, 12, 30), 0),  # Samoa left the day out
    ],
)
def test_day_has_the_hours_of_its_clocks(zone: str, day: date, hours: float) -> None:
    assert days_of(zone, Period(start=day, end=day + ONE_DAY)) == [timedelta(hours=hours)]


@pytest.mark.parametrize(
    ("zone", "first", "offset"),
    [
        ("Pacific/Kiritimati", "2026-11-23T10:00:00+00:00", timedelta(hours=14)),
        ("Etc/GMT-14", "2026-11-23T10:00:00+00:00", timedelta(hours=14)),
        ("Etc/GMT+12", "2026-11-24T12:00:00+00:00", timedelta(hours=-12)),
        ("Asia/Kathmandu", "2026-11-23T18:15:00+00:00", timedelta(hours=5, minutes=45)),
        ("Asia/Kolkata", "2026-11-23T18:30:00+00:00", timedelta(hours=5, minutes=30)),
        ("America/St_Johns", "2026-11-24T03:30:00+00:00", timedelta(hours=-3, minutes=-30)),
    ],
)
def test_day_begins_at_local_midnight(zone: str, first: str, offset: timedelta) -> None:
    day = date(2026, 11, 24)

    [span] = list_local_spans(zone, Period(start=day, end=day + ONE_DAY))

    assert span == LocalSpan(datetime.fromisoformat(first), span.starts_at + ONE_DAY, offset)


def test_spans_have_no_gaps_where_clocks_go_back_over_midnight() -> None:
    """At 00:01 of 29 October 2006 clocks showed 23:01 of the day before."""
    day = date(2006, 10, 29)

    before, after = list_local_spans("America/St_Johns", Period(start=day, end=day + ONE_DAY))

    assert before.ends_at == after.starts_at == datetime(2006, 10, 29, 2, 31, tzinfo=UTC)
    shown = [local_date([before, after], before.starts_at + minutes * timedelta(minutes=1)) for minutes in (0, 2, 62)]
    assert shown == [day, day - ONE_DAY, day]


@given(zone=st.sampled_from(ZONES), start=st.dates(date(2000, 1, 2), date(2099, 11, 1)), days=st.integers(0, 31))
def test_empty_period_has_no_span_and_others_no_gap(zone: str, start: date, days: int) -> None:
    spans = list_local_spans(zone, Period(start=start, end=start + days * ONE_DAY))

    assert bool(spans) <= (days > 0)
    assert all(span.starts_at < span.ends_at for span in spans)
    assert [span.ends_at for span in spans[:-1]] == [span.starts_at for span in spans[1:]]


@given(
    zone=st.sampled_from(ZONES),
    start=st.dates(date(2000, 1, 2), date(2099, 11, 1)),
    days=st.integers(1, 31),
    hours=st.integers(-48, 33 * 24),
    rest=st.timedeltas(timedelta(), ONE_HOUR),
)
def test_moment_has_the_day_of_the_clock(zone: str, start: date, days: int, hours: int, rest: timedelta) -> None:
    period = Period(start=start, end=start + days * ONE_DAY)
    moment = datetime(start.year, start.month, start.day, tzinfo=UTC) + hours * ONE_HOUR + rest

    found = local_date(list_local_spans(zone, period), moment)

    expected = moment.astimezone(zone_info(zone)).date()
    assert local_day(zone, moment) == expected
    assert (found == expected) if period.start <= expected < period.end else found in {None, expected}
