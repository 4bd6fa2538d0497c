"""Money: decimal amounts with at most 12 digits before the point and 6 after it."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

DIGITS_BEFORE_THE_POINT: Final = 12
STEP: Final = Decimal("0.000001")
LIMIT: Final = Decimal(10) ** DIGITS_BEFORE_THE_POINT


def round_money(amount: Decimal) -> Decimal | None:
    """Return *amount* rounded half to even to six digits, None if it is no number or too large.

    The size is checked before any arithmetic, because a short text such as `1e999999999` is a very long number.
    """
    if not amount:
        return Decimal()
    if not amount.is_finite() or amount.adjusted() >= DIGITS_BEFORE_THE_POINT:
        return None
    rounded = amount.quantize(STEP, ROUND_HALF_EVEN)
    return rounded if abs(rounded) < LIMIT else None


def format_money(amount: Decimal) -> str:
    """Return *amount* without an exponent and without trailing zeros."""
    return format(amount.normalize(), "f")
