"""The period of a query."""

from datetime import date
from typing import Final

from tenancy.errors import FieldError, InvalidError
from tenancy.rules.usage import Period, month_of

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2100, 1, 1)  # ClickHouse's Date ends in 2149


def parse_period(start: date | None, end: date | None, *, today: date) -> Period:
    """Return the days from *start* to before *end*, by default the month of *today*.

    Raises:
        InvalidError: the period ends before it starts, or lies outside `FIRST_DAY` and `LAST_DAY`.
    """
    month = month_of(today)
    period = Period(start=start or month.start, end=end or month.end)
    if not FIRST_DAY <= period.start <= period.end <= LAST_DAY:
        message = (
            f"The period from {period.start} to {period.end} is not valid. `from` must be on or before `to`. "
            f"Both must be between {FIRST_DAY} and {LAST_DAY}. A missing day is taken from the current month."
        )
        location = "query/to" if period.end < period.start else "query/from"
        raise InvalidError(message, errors=[FieldError(location=location, code="out_of_range", message=message)])
    return period
