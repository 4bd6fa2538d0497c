"""Documents of usage."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, NamedTuple, TypedDict
from uuid import UUID

from pydantic import Field

from tenancy.gateway.answer_types import Date, PaginationAnswer, Uuid
from tenancy.gateway.documents.held_events import HeldAnswer
from tenancy.gateway.documents.metering import AllowanceAnswer
from tenancy.gateway.late_checks import LateCheck, QueryMembers
from tenancy.gateway.pages import pagination_document
from tenancy.gateway.parameters import Cursor, Day, WholeNumber
from tenancy.gateway.periods import parse_period
from tenancy.rules.cursors import Page, PagedList
from tenancy.rules.quotas import Metric
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import DailyUsage, Period
from tenancy.use_cases.usage.read_usage import UsageReport

MAX_DAYS: Final = 1_000  # of a page of usage: the default and the maximum


class UsageMembers(QueryMembers):
    """The query of GET /v1/usage. The period is in UTC days, by default the current month."""

    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None
    cursor: Cursor | None = None
    limit: Annotated[WholeNumber, Field(ge=1, le=MAX_DAYS)] = MAX_DAYS

    def period_at(self, now: datetime) -> Period:
        """Return the period that is requested at *now*.

        Raises:
            InvalidError: the period is not valid.
        """
        return parse_period(self.from_, self.to, today=now.date())

    LATE_CHECKS: ClassVar = (LateCheck(("from", "to"), period_at),)


class DayPosition(NamedTuple):
    """The position of a day in a list of days."""

    day: date


def days_of(organization_id: UUID, period: Period) -> PagedList[DayPosition]:
    """Return the list of the organization's days with usage in *period*."""
    return PagedList(
        name="usage", organization_id=organization_id, position=DayPosition, parameters=(period.start, period.end)
    )


class PeriodAnswer(TypedDict):
    """A period in UTC days. The end is not included."""

    start: Date
    end: Date


class DayAnswer(TypedDict):
    """The usage of one day."""

    date: Date
    events: int
    api_requests: int
    ingest_requests: int
    storage_bytes: int
    ml_predictions: int
    unique_users: int


class UsageAnswer(TypedDict):
    """The usage of the current month against the quotas, and one page of the days of the period."""

    organization_id: Uuid
    tier: Tier
    period: PeriodAnswer
    quotas: dict[Metric, AllowanceAnswer]
    held: HeldAnswer
    daily: list[DayAnswer]
    pagination: PaginationAnswer


def usage_document(report: UsageReport, *, cursor: str | None, limit: int) -> dict[str, Any]:
    """Return the answer of GET /v1/usage, with at most *limit* days after *cursor*.

    Raises:
        InvalidError: the cursor is invalid.
    """
    listed = days_of(report.organization_id, report.period)
    after = listed.find_position(cursor)
    days = [day for day in report.daily if after is None or day.metric_date > after.day]
    page = Page.of(days, limit, lambda day: listed.format_cursor(DayPosition(day.metric_date)))
    return {
        "organization_id": str(report.organization_id),
        "tier": report.entitlements.tier.value,
        "period": {"start": report.period.start.isoformat(), "end": report.period.end.isoformat()},
        "quotas": {
            metric.value: {"used": allowance.used, "limit": allowance.limit, "remaining": allowance.remaining}
            for metric, allowance in report.quotas.items()
        },
        "held": {"count": sum(report.held.values()), "reasons": dict(report.held)},
        "daily": [_day(day) for day in page.rows],
        "pagination": pagination_document(page),
    }


def _day(day: DailyUsage) -> dict[str, Any]:
    return {
        "date": day.metric_date.isoformat(),
        "events": day.events,
        "api_requests": day.api_requests,
        "ingest_requests": day.ingest_requests,
        "storage_bytes": day.storage_bytes,
        "ml_predictions": day.ml_predictions,
        "unique_users": day.unique_users,
    }
