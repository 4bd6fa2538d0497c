"""Amounts of work that fit into a bound. Each check is a query, so few are made."""

from collections.abc import Callable
from typing import Final

SHRINKING: Final = 8  # times smaller after each check


def shrink_until(fits: Callable[[int], bool], amount: int) -> int:
    """Return *amount*, divided by `SHRINKING` until it fits. 1 is returned without a check."""
    while amount > 1 and not fits(amount):
        amount = max(1, amount // SHRINKING)
    return amount
