"""Statistics of an organization: the query, and the order of its groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, NamedTuple
from uuid import UUID

import msgspec

from tenancy.rules.cursors import PagedList
from tenancy.rules.time_zones import UTC_ZONE, UTC_ZONES
from tenancy.rules.usage import Period

DIMENSIONS: Final = ("day", "event_type", "event_name", "platform", "currency", "app_id")
DIMENSIONS_TEXT: Final = f"`group_by` must be a comma-separated list of: {', '.join(DIMENSIONS)}."
NO_APP: Final = UUID(int=0)  # stands for the app of events without one
MAX_GROUPS: Final = 1_000  # of a page: the default and the maximum


def parse_dimensions(text: str) -> list[str] | None:
    """Return the dimensions in a *text* joined by commas, each once, or None if one is unknown."""
    names = list(dict.fromkeys(filter(None, text.split(","))))
    return names if set(names) <= set(DIMENSIONS) else None


class StatisticsOrder(StrEnum):
    """The order of groups: by their dimensions, or by a number, the largest first.

    Equal numbers are in the order of the dimensions.
    """

    KEY = "key"
    EVENTS = "events"
    REVENUE = "revenue"
    UNIQUE_DEVICES = "unique_devices"


class Statistics(NamedTuple):
    """The counts of one group, and its dimensions.

    A dimension is None if it was not requested. *app_id* is also None for events without an app.
    """

    day: date | None
    event_type: str | None
    event_name: str | None
    platform: str | None
    currency: str | None
    app_id: UUID | None
    events: int
    revenue: dict[str, Decimal]
    unique_devices: int


class StatisticsPosition(NamedTuple):
    """The position of a group: the number by which groups are sorted, and the dimensions.

    *number* is 0 in the order of the dimensions. A dimension that was not requested is empty. So is *app_id* without an
    app. *day* is an ISO date.
    """

    number: Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,32}(\.[0-9]{1,6})?\Z")]
    day: str
    event_type: str
    event_name: str
    platform: str
    currency: str
    app_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsQuery:
    """The days and the groups of statistics, and the order of the groups.

    Days are those of the time *zone*. *group_by* has names of `DIMENSIONS`. With *app_id* only events of that app are
    counted, with `NO_APP` those without one.
    """

    period: Period
    group_by: Sequence[str]
    order: StatisticsOrder = StatisticsOrder.KEY
    app_id: UUID | None = None
    zone: str = UTC_ZONE

    @property
    def is_in_utc(self) -> bool:
        """Whether the days are UTC days, also under another name."""
        return self.zone in UTC_ZONES

    def groups_of(self, organization_id: UUID) -> PagedList[StatisticsPosition]:
        """Return the list of the organization's groups."""
        grouped = sorted(set(self.group_by))
        return PagedList(
            name="statistics",
            organization_id=organization_id,
            position=StatisticsPosition,
            parameters=(self.period.start, self.period.end, grouped, self.order, self.app_id, self.zone),
        )

    def position_of(self, group: Statistics) -> StatisticsPosition:
        """Return the position of *group* in the order of this query."""
        numbers: dict[StatisticsOrder, int | Decimal] = {
            StatisticsOrder.KEY: 0,
            StatisticsOrder.EVENTS: group.events,
            StatisticsOrder.REVENUE: largest_revenue(group),
            StatisticsOrder.UNIQUE_DEVICES: group.unique_devices,
        }
        return StatisticsPosition(
            number=format(Decimal(numbers[self.order]), "f"),
            day=group.day.isoformat() if group.day else "",
            event_type=group.event_type or "",
            event_name=group.event_name or "",
            platform=group.platform or "",
            currency=group.currency or "",
            app_id=str(group.app_id) if group.app_id else "",
        )


def largest_revenue(group: Statistics) -> Decimal:
    """Return the largest revenue of *group* in one currency.

    Amounts of several currencies have no sum.
    """
    return max(group.revenue.values(), default=Decimal(0))
