"""Amounts of work that fit into a bound."""

from collections.abc import Callable


def halve_until(fits: Callable[[int], bool], amount: int) -> int:
    """Return *amount*, halved until it fits. 1 is returned without a check."""
    while amount > 1 and not fits(amount):
        amount //= 2
    return amount
