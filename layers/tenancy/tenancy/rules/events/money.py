"""Money: at most 12 digits before the point and 6 after it, decimal, never binary."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

DIGITS_BEFORE_THE_POINT: Final = 12
STEP: Final = Decimal("0.000001")
LIMIT: Final = Decimal(10) ** DIGITS_BEFORE_THE_POINT


def round_money(amount: Decimal) -> Decimal | None:
    """Return *amount* rounded half to even to the sixth digit; None when it is no number, or too large.

    Its size is looked at before anything is computed: `1e999999999` is a short text and a very long number.
    """
    if not amount:
        return Decimal()
    if not amount.is_finite() or amount.adjusted() >= DIGITS_BEFORE_THE_POINT:
        return None
    rounded = amount.quantize(STEP, ROUND_HALF_EVEN)
    return rounded if abs(rounded) < LIMIT else None


def format_money(amount: Decimal) -> str:
    """Return *amount* without an exponent and without zeros at its end."""
    return format(amount.normalize(), "f")
