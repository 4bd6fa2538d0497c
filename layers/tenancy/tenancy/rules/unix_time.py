"""Times as whole milliseconds since 1970, as the stores count them."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


def milliseconds_of(moment: datetime) -> int:
    """Return *moment* in milliseconds since 1970. Smaller digits are cut off, as when an event is stored."""
    return (moment - EPOCH) // MILLISECOND


def first_time_of(day: date) -> int:
    """Return the start of *day* in milliseconds since 1970."""
    return (day - EPOCH.date()) // MILLISECOND


def time_of(milliseconds: int) -> datetime:
    """Return the time of *milliseconds* since 1970."""
    return EPOCH + milliseconds * MILLISECOND
