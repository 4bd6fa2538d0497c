"""Documents of statistics, and their query."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, NotRequired, TypedDict

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from tenancy.errors import FieldError, InvalidError
from tenancy.gateway.answer_types import Date, Money, PaginationAnswer, Uuid
from tenancy.gateway.late_checks import LateCheck, QueryMembers
from tenancy.gateway.pages import page_document
from tenancy.gateway.parameters import AppId, Cursor, Day, WholeNumber
from tenancy.gateway.periods import parse_period
from tenancy.rules.cursors import Page
from tenancy.rules.statistics import (
    DIMENSIONS,
    DIMENSIONS_TEXT,
    MAX_GROUPS,
    Statistics,
    StatisticsOrder,
    StatisticsQuery,
    parse_dimensions,
)
from tenancy.rules.time_zones import MAX_ZONE_DAYS, UTC_ZONE, is_time_zone, local_day

TIME_ZONE_TEXT: Final = (
    "Expected a name of the IANA time zone database in its own spelling, such as Europe/Berlin or UTC. A fixed offset "
    "has a name such as Etc/GMT-2, which is two hours ahead of UTC."
)


def check_dimensions(text: str) -> str:
    """Return *text* if it is a list of dimensions.

    Raises:
        PydanticCustomError: it names another one.
    """
    if parse_dimensions(text) is None:
        raise PydanticCustomError("unknown", DIMENSIONS_TEXT)
    return text


def check_time_zone(text: str) -> str:
    """Return *text* if it is the name of a time zone.

    Raises:
        PydanticCustomError: it is none.
    """
    if not is_time_zone(text):
        raise PydanticCustomError("unknown", TIME_ZONE_TEXT)
    return text


DIMENSION: Final = f"(?:{'|'.join(DIMENSIONS)})"
GroupBy = Annotated[
    str,
    AfterValidator(check_dimensions),
    WithJsonSchema({"type": "string", "pattern": f"^(?:{DIMENSION}(?:,{DIMENSION})*)?$"}),
]


class StatisticsMembers(QueryMembers):
    """The query of GET /v1/stats. The period is by default the current month of the time zone."""

    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None
    timezone: Annotated[str, AfterValidator(check_time_zone)] = UTC_ZONE
    group_by: GroupBy = "day"
    app_id: AppId | None = None
    order_by: StatisticsOrder = StatisticsOrder.KEY
    cursor: Cursor | None = None
    limit: Annotated[WholeNumber, Field(ge=1, le=MAX_GROUPS)] = MAX_GROUPS

    def at(self, now: datetime) -> StatisticsQuery:
        """Return the statistics that are requested at *now*.

        Raises:
            InvalidError: the period is not valid, or too long for its time zone.
        """
        query = StatisticsQuery(
            period=parse_period(self.from_, self.to, today=local_day(self.timezone, now)),
            group_by=parse_dimensions(self.group_by) or [],
            order=self.order_by,
            app_id=self.app_id,
            zone=self.timezone,
        )
        _require_countable(query)
        return query

    LATE_CHECKS: ClassVar = (LateCheck(("from", "to", "timezone"), at),)


def _require_countable(query: StatisticsQuery) -> None:
    """Refuse a period that is too long to count its events.

    Raises:
        InvalidError: the zone is not UTC, and the period has more than `MAX_ZONE_DAYS` days.
    """
    days = (query.period.end - query.period.start).days
    if query.is_in_utc or days <= MAX_ZONE_DAYS:
        return
    message = (
        f"The period from {query.period.start} to {query.period.end} has {days} days. In another time zone than UTC at "
        f"most {MAX_ZONE_DAYS} are allowed. Shorten the period, or omit `timezone`."
    )
    raise InvalidError(message, errors=[FieldError(location="query/to", code="out_of_range", message=message)])


class StatisticsAnswer(TypedDict):
    """A group of events. It has the dimensions of the request."""

    day: NotRequired[Date | None]
    event_type: NotRequired[str]
    event_name: NotRequired[str]
    platform: NotRequired[str]
    currency: NotRequired[str]
    app_id: NotRequired[Uuid | None]
    events: int
    revenue: dict[str, Money]
    unique_devices: int


class StatisticsPageAnswer(TypedDict):
    """One page of groups, whose days are those of *timezone*."""

    timezone: str
    data: list[StatisticsAnswer]
    pagination: PaginationAnswer


def statistics_document(page: Page[Statistics], query: StatisticsQuery) -> dict[str, Any]:
    """Return the answer of GET /v1/stats. A group shows the dimensions of *query*."""
    return {"timezone": query.zone, **page_document(page, lambda group: _group(group, query.group_by))}


def _group(group: Statistics, dimensions: Collection[str]) -> dict[str, Any]:
    values = {
        "day": group.day.isoformat() if group.day else None,
        "event_type": group.event_type,
        "event_name": group.event_name,
        "platform": group.platform,
        "currency": group.currency,
        "app_id": str(group.app_id) if group.app_id else None,
    }
    return {
        **{name: value for name, value in values.items() if name in dimensions},
        "events": group.events,
        "revenue": {currency: _money(amount) for currency, amount in sorted(group.revenue.items())},
        "unique_devices": group.unique_devices,
    }


def _money(amount: Decimal) -> str:
    """Return *amount* without trailing zeros and without an exponent."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
