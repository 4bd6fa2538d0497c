"""Times as whole milliseconds since 1970, as the stores count them."""

from datetime import UTC, date, datetime
from typing import Final

from tenancy.rules.durations import ONE_MILLISECOND

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds_of(moment: datetime) -> int:
    """Return *moment* in milliseconds since 1970. Smaller digits are cut off, as when an event is stored."""
    return (moment - EPOCH) // ONE_MILLISECOND


def first_time_of(day: date) -> int:
    """Return the start of *day* in milliseconds since 1970."""
    return (day - EPOCH.date()) // ONE_MILLISECOND


def time_of(milliseconds: int) -> datetime:
    """Return the time of *milliseconds* since 1970."""
    return EPOCH + milliseconds * ONE_MILLISECOND
