"""Money: decimal amounts with at most 12 digits before the point and 6 after it."""

import re
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

DIGITS_BEFORE_THE_POINT: Final = 12
STEP: Final = Decimal("0.000001")
LIMIT: Final = Decimal(10) ** DIGITS_BEFORE_THE_POINT

# Python's Decimal also takes underscores, spaces, the digits of other scripts, and words such as NaN.
AMOUNT: Final = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
PLAIN_AMOUNT: Final = re.compile(r"(?:0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?")
BEYOND_ALL: Final = Decimal("Infinity")


def parse_amount(text: str) -> Decimal | None:
    """Return the decimal number in *text*, or None if it is none.

    Its digits are 0 to 9. A number with a longer exponent than Decimal takes is infinite.
    """
    if AMOUNT.fullmatch(text) is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return BEYOND_ALL


def find_plain_amount(text: str) -> str | None:
    """Return *text* as `format_money` writes it, or None if it is not 1 to 12 digits with at most 6 after a point.

    It spares most amounts the way through Decimal, which is five times as long.
    """
    found = PLAIN_AMOUNT.fullmatch(text)
    if found is None:
        return None
    return text.rstrip("0").rstrip(".") if found[1] else text


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
