"""Usage per UTC day, and the months of quotas and bills."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from tenancy.rules.durations import MONTH_CLOSING_TIME, SETTLING_TIME
from tenancy.rules.entitlements import Entitlements
from tenancy.rules.organization import OrganizationStatus

TOTAL_PERIOD: Final = date(1970, 1, 1)  # the period of metrics that count in total

type EventCounts = tuple[int, int]  # accepted events, and events held for quota


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days from *start* (inclusive) to *end* (exclusive): UTC days, or days of a named zone."""

    start: date
    end: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyEvents:
    """The events of an organization on one UTC day, by first receipt, without duplicates.

    *storage_bytes* is the size of their text. *recent_hours* has the events of each requested hour, by its start (UTC).
    """

    organization_id: UUID
    metric_date: date
    events: int
    unique_users: int
    storage_bytes: int
    recent_hours: Mapping[datetime, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCounts:
    """The numbers of requests of an organization.

    *all* are those of all credentials, *management* those of secret keys and members among them. The others are those
    of write keys. The release before stores only *all*, so it is stored instead of *ingest*.
    """

    all: int
    management: int

    @property
    def ingest(self) -> int:
        """The requests of write keys."""
        return self.all - self.management


NO_REQUESTS: Final = RequestCounts(all=0, management=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSoFar:
    """The use of the current month from PostgreSQL, which seeds new counters in Redis."""

    requests: RequestCounts = NO_REQUESTS
    requests_today: RequestCounts = NO_REQUESTS
    events: int
    held: int
    storage_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedMonth:
    """The use of a month as the last roll-up counted it.

    *recent_from* is the first hour of the month whose events may still have been in the queue then. *recent_hours* has
    the events of each such hour that were counted. They are in *so_far* as well.
    """

    so_far: MonthSoFar
    recent_from: datetime
    recent_hours: Mapping[datetime, EventCounts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedOrganization:
    """An organization with rows since the last roll-up, and their first day of receipt (UTC)."""

    organization_id: UUID
    first_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRollUp:
    """A roll-up that has finished.

    *recent_from* is the first hour that it did not settle. *is_settled* is False if counters or stored bytes may have
    to be corrected without a new row: Redis was unreachable, or retention was applied since. A roll-up of the release
    before has no *recent_from* and is not settled.
    """

    started_at: datetime
    recent_from: datetime | None
    is_settled: bool

    @property
    def changed_since(self) -> datetime:
        """The time after which it may have missed rows and requests, or left their hours unsettled."""
        earliest = self.started_at if self.recent_from is None else min(self.started_at, self.recent_from)
        return earliest - SETTLING_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyUsage:
    """The use of an organization in one UTC month, as the roll-up counted it.

    *storage_bytes* includes all stored events, also those of earlier months.
    """

    organization_id: UUID
    entitlements: Entitlements
    status: OrganizationStatus
    events: int
    requests: RequestCounts
    ml_predictions: int
    storage_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldUsage:
    """The events of an organization that are held for quota.

    *events* counts all of them, *events_of_month* those received in one month, *recent_hours* those of recent hours.
    *past_events* counts the events whose time is past, and *storage_bytes* is the size of all held events: both also
    for those held for another reason.
    """

    organization_id: UUID
    events: int
    events_of_month: int
    past_events: int
    storage_bytes: int
    recent_hours: Mapping[datetime, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyUsage:
    """The usage of an organization on one UTC day.

    A day from before requests were counted apart has only *ingest_requests* (docs/decisions/0048-ingest-rate.md).
    """

    metric_date: date
    events: int = 0
    api_requests: int = 0
    ingest_requests: int = 0
    storage_bytes: int = 0
    ml_predictions: int = 0
    unique_users: int = 0


def month_of(day: date) -> Period:
    """Return the calendar month of *day*."""
    start = day.replace(day=1)
    return Period(start=start, end=(start + timedelta(days=31)).replace(day=1))


def first_recent_hour(arrived_from: datetime | None, now: datetime) -> datetime:
    """Return the first hour whose events may still be in the queue.

    *arrived_from* is the earliest time of receipt among the events that arrived in ClickHouse lately. Events received
    later may still be in the queue. With None no event has arrived yet, so all reserved events may be in the queue.
    """
    if arrived_from is None:
        arrived_from = datetime(1970, 1, 1, tzinfo=UTC)
    return min(now - SETTLING_TIME, arrived_from).replace(minute=0, second=0, microsecond=0)


def first_open_day(now: datetime) -> date:
    """Return the first day of the first month whose bill may still change."""
    return month_of((now - MONTH_CLOSING_TIME).date()).start


def unsettled_since(rolled_up_at: datetime | None) -> datetime:
    """Return the time after which a roll-up at *rolled_up_at* may have missed rows."""
    return rolled_up_at - SETTLING_TIME if rolled_up_at is not None else datetime(1970, 1, 1, tzinfo=UTC)
