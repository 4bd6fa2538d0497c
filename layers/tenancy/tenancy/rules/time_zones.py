"""Time zones: their names, and the days of their local clocks.

Names and offsets come from the package tzdata alone, never from the operating system, so every process has the same
ones. ClickHouse gets offsets and no names (docs/decisions/0052-time-zones.md).
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from tenancy.rules.durations import OFFSET_SEARCH_STEP, ONE_DAY, ONE_SECOND
from tenancy.rules.usage import Period

UTC_ZONE: Final = "UTC"
# The names of Etc/UTC and Etc/GMT. Their clocks never differ from UTC. A test compares them with tzdata.
UTC_ZONES: Final = frozenset(
    {
        "Etc/GMT", "Etc/GMT+0", "Etc/GMT-0", "Etc/GMT0", "Etc/Greenwich", "Etc/UCT", "Etc/UTC", "Etc/Universal",
        "Etc/Zulu", "GMT", "GMT+0", "GMT-0", "GMT0", "Greenwich", "UCT", UTC_ZONE, "Universal", "Zulu",
    }
)  # fmt: skip
NO_ZONE: Final = "Factory"  # the name of a clock whose zone was never set
MAX_ZONE_DAYS: Final = 31  # of a period in another zone: its events are counted one by one
PACKAGE: Final = "tzdata"


class LocalSpan(NamedTuple):
    """A time in which local clocks have one *offset* from UTC.

    It lasts from *starts_at* to before *ends_at*, both in UTC.
    """

    starts_at: datetime
    ends_at: datetime
    offset: timedelta


def is_time_zone(name: str) -> bool:
    """Tell whether *name* is a time zone of the IANA database, in its spelling."""
    return name in UTC_ZONES or name in _list_zones()


def local_day(zone: str, moment: datetime) -> date:
    """Return the day that the clocks of *zone* show at *moment*."""
    return moment.astimezone(_load_zone(zone)).date()


def list_local_spans(zone: str, period: Period) -> list[LocalSpan]:
    """Return the spans of *period* on the clocks of *zone*, without gaps.

    A span ends where the offset changes. The local day there is shorter or longer than 24 hours. Where clocks are set
    back over midnight, a span also has time of a day outside *period*. If the clocks show no moment of *period*, as for
    a day that was left out, the list is empty.
    """
    starts_at = datetime.combine(period.start, time(), tzinfo=UTC)
    ends_at = datetime.combine(period.end, time(), tzinfo=UTC)
    spans = [
        span
        for span in _list_offsets(_load_zone(zone), starts_at - ONE_DAY, ends_at + ONE_DAY)
        if span.starts_at + span.offset < ends_at and span.ends_at + span.offset > starts_at
    ]
    if not spans or starts_at == ends_at:
        return []
    spans[0] = spans[0]._replace(starts_at=max(spans[0].starts_at, starts_at - spans[0].offset))
    spans[-1] = spans[-1]._replace(ends_at=min(spans[-1].ends_at, ends_at - spans[-1].offset))
    return spans


def _list_offsets(zone: ZoneInfo | timezone, starts_at: datetime, ends_at: datetime) -> Iterator[LocalSpan]:
    """Yield each span from *starts_at* to *ends_at* with one offset."""
    begun, moment, offset = starts_at, starts_at, _offset_at(zone, starts_at)
    while moment < ends_at:
        following = min(moment + OFFSET_SEARCH_STEP, ends_at)
        if (changed := _offset_at(zone, following)) != offset:
            change = _find_change(zone, moment, following)
            yield LocalSpan(begun, change, offset)
            begun, offset = change, changed
        moment = following
    yield LocalSpan(begun, ends_at, offset)


def _find_change(zone: ZoneInfo | timezone, before: datetime, after: datetime) -> datetime:
    """Return the second after *before*, and not after *after*, at which the offset changes."""
    old = _offset_at(zone, before)
    while (seconds := (after - before) // ONE_SECOND) > 1:
        middle = before + seconds // 2 * ONE_SECOND
        before, after = (middle, after) if _offset_at(zone, middle) == old else (before, middle)
    return after


def _offset_at(zone: ZoneInfo | timezone, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


@cache
def _list_zones() -> frozenset[str]:
    return frozenset((files(PACKAGE) / "zones").read_text(encoding="utf-8").split()) - {NO_ZONE}


@cache  # of known names only
def _load_zone(name: str) -> ZoneInfo | timezone:
    if name in UTC_ZONES:
        return UTC
    with (files(PACKAGE) / "zoneinfo" / name).open("rb") as file:
        return ZoneInfo.from_file(file, name)
