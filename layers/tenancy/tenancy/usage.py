"""What is counted: usage per UTC day, and the month that quotas and bills go by."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

# Rows whose insert had begun before a roll-up started may become visible after it: each run, and each read of what
# is not rolled up yet, looks back this far. Longer than any insert may take (docs/operations.md).
SETTLING_TIME: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days from *start* (inclusive) to *end* (exclusive), UTC."""

    start: date
    end: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyEvents:
    """An organization's events of one UTC day by first receipt, each counted once; *storage_bytes* is their text."""

    organization_id: UUID
    metric_date: date
    events: int
    unique_users: int
    storage_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """An organization with rows written since the last roll-up, and the first day of receipt among them (UTC)."""

    organization_id: UUID
    first_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyUsage:
    """One row of usage: a UTC day of one organization."""

    metric_date: date
    events: int = 0
    api_requests: int = 0
    storage_bytes: int = 0
    ml_predictions: int = 0
    unique_users: int = 0


def month_of(day: date) -> Period:
    """Return the calendar month that *day* lies in."""
    start = day.replace(day=1)
    return Period(start=start, end=(start + timedelta(days=31)).replace(day=1))


def unsettled_since(rolled_up_at: datetime | None) -> datetime:
    """Return from when on written rows may be missing in what a roll-up of *rolled_up_at* counted."""
    return rolled_up_at - SETTLING_TIME if rolled_up_at is not None else datetime(1970, 1, 1, tzinfo=UTC)
