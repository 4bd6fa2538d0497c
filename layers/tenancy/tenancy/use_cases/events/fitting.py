"""Amounts of work that fit into the rows that a page may read. Each check is a query, so few are made."""

from collections.abc import Callable
from typing import Final, NamedTuple

MAX_ROWS_OF_PAGE: Final = 200_000  # of all queries of a page
ROWS_OF_GRANULE: Final = 8_192  # ClickHouse reads no smaller part of a table
WELL_FILLED: Final = 8  # An amount that reads the eighth part of the allowed rows is large enough.
MAX_HALVINGS: Final = 18  # of a range of 48 hours they find the second


class FittingAmount(NamedTuple):
    """An amount of work, the rows that it reads, and the number of checks that found it."""

    amount: int
    rows: int
    checks: int


def find_fitting_amount(estimate: Callable[[int], int], amount: int, *, max_rows: int, divisor: int) -> FittingAmount:
    """Return *amount* if its estimate is at most *max_rows*, otherwise a smaller one.

    The amount is divided by *divisor* until it fits. If it reads few rows then, larger ones are tried. 1 is returned
    even if it reads more rows.
    """
    checks, too_large = 1, None
    while (rows := estimate(amount)) > max_rows and amount > 1:
        amount, too_large = max(1, amount // divisor), amount
        checks += 1
    if too_large is None or rows > max_rows // WELL_FILLED:
        return FittingAmount(amount, rows, checks)
    return _enlarge(estimate, FittingAmount(amount, rows, checks), too_large, max_rows)


def _enlarge(estimate: Callable[[int], int], fitting: FittingAmount, too_large: int, max_rows: int) -> FittingAmount:
    """Search between *fitting* and *too_large* by halves, until the amount reads many rows."""
    amount, rows, checks = fitting
    for _ in range(MAX_HALVINGS):
        middle = (amount + too_large) // 2
        if rows > max_rows // WELL_FILLED or middle == amount:
            break
        checks += 1
        if (rows_of_middle := estimate(middle)) > max_rows:
            too_large = middle
        else:
            amount, rows = middle, rows_of_middle
    return FittingAmount(amount, rows, checks)
