"""What is counted: usage per UTC day, and the month that quotas and bills go by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.rules.durations import MONTH_CLOSING_TIME, SETTLING_TIME
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.tiers import Tier

TOTAL_PERIOD: Final = date(1970, 1, 1)  # the period of what does not begin anew each month


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days from *start* (inclusive) to *end* (exclusive), UTC."""

    start: date
    end: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyEvents:
    """An organization's events of one UTC day by first receipt, each counted once; *storage_bytes* is their text.

    *recent_hours* has the events of each hour that the roll-up was asked for, by its start (UTC).
    """

    organization_id: UUID
    metric_date: date
    events: int
    unique_users: int
    storage_bytes: int
    recent_hours: Mapping[datetime, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSoFar:
    """What the database knows of an organization's month, when its counters have to begin anew."""

    requests: int
    requests_today: int
    events: int
    held: int
    storage_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedOrganization:
    """An organization with rows written since the last roll-up, and the first day of receipt among them (UTC)."""

    organization_id: UUID
    first_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyUsage:
    """What an organization used in one UTC month, as the roll-up counted it; *storage_bytes* is all that is stored."""

    organization_id: UUID
    tier: Tier
    status: OrganizationStatus
    events: int
    api_requests: int
    ml_predictions: int
    storage_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldUsage:
    """An organization's events that are held for want of quota: all, those received in one month, and by recent hour.

    *storage_bytes* are those of all held events.
    """

    organization_id: UUID
    events: int
    events_of_month: int
    storage_bytes: int
    recent_hours: Mapping[datetime, int] = field(default_factory=dict)


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


def first_recent_hour(arrived_from: datetime | None, now: datetime) -> datetime:
    """Return the first hour whose events may still be on their way to ClickHouse.

    Those that have arrived lately were received *arrived_from* then on: what was received later may be in the queue.
    None without any that ever arrived: whatever was reserved is on its way.
    """
    if arrived_from is None:
        arrived_from = datetime(1970, 1, 1, tzinfo=UTC)
    return min(now - SETTLING_TIME, arrived_from).replace(minute=0, second=0, microsecond=0)


def first_open_day(now: datetime) -> date:
    """Return the first day whose bill may still change."""
    return month_of((now - MONTH_CLOSING_TIME).date()).start


def unsettled_since(rolled_up_at: datetime | None) -> datetime:
    """Return from when on written rows may be missing in what a roll-up of *rolled_up_at* counted."""
    return rolled_up_at - SETTLING_TIME if rolled_up_at is not None else datetime(1970, 1, 1, tzinfo=UTC)
