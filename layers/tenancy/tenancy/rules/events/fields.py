"""Converts single fields of an event of POST /v1/events to the text of their column."""

from datetime import datetime
from typing import Final

import msgspec

from tenancy.rules.events.currencies import find_currency
from tenancy.rules.events.money import format_money, parse_amount, round_money
from tenancy.rules.events.row import DEFAULT_CURRENCY, BatchContext, InvalidEventError, format_row_time
from tenancy.rules.json_members import JSON_NULL, check_object

TYPE_MAX_CHARACTERS: Final = 100
# The first bytes of JSON texts and numbers.
TEXT_START: Final = b'"'
NUMBER_STARTS: Final = (b"-", *(str(digit).encode() for digit in range(10)))
REVENUE_TEXT: Final = "Expected a decimal number, such as 9.99, as JSON number or text."
TIME_OUT_OF_RANGE: Final = (
    "Expected a time at most 24 hours ahead and within the data retention of the organization, which "
    "GET /v1/organizations/current shows."
)


def convert_time(moment: datetime, reception: BatchContext) -> str:
    """Return the time of an event as ClickHouse reads it.

    Raises:
        InvalidEventError: *moment* is older than the longest retention, or more than 24 hours ahead.
    """
    if reception.is_ahead(moment) or reception.is_outdated(moment):
        raise InvalidEventError("event_timestamp", "out_of_range", TIME_OUT_OF_RANGE)
    return format_row_time(moment)


def convert_object(field: str, value: msgspec.Raw) -> str:
    """Return the unchanged JSON text of an object. null is an empty one.

    Raises:
        InvalidEventError: *value* is no JSON object.
    """
    text = bytes(value)
    if text == JSON_NULL:
        return "{}"
    if fault := check_object(text):
        raise InvalidEventError(field, *fault)
    return text.decode()


def convert_revenue(value: msgspec.Raw) -> str:
    """Return an amount without an exponent. null is zero.

    Raises:
        InvalidEventError: the amount is no decimal number, or has too many digits.
    """
    text = bytes(value)
    if text == JSON_NULL:
        return "0"
    if not text.startswith((TEXT_START, *NUMBER_STARTS)):
        raise InvalidEventError("revenue", "invalid_type", REVENUE_TEXT)
    amount = parse_amount(msgspec.json.decode(text, type=str) if text.startswith(TEXT_START) else text.decode())
    if amount is None:
        raise InvalidEventError("revenue", "invalid", REVENUE_TEXT)
    money = round_money(amount)
    if money is None or money != amount:
        raise InvalidEventError(
            "revenue", "out_of_range", "Expected at most 12 digits before the decimal point and 6 after."
        )
    return format_money(money)


def convert_currency(currency: str | None) -> str:
    """Return a currency code in upper case without outer spaces. None is the default.

    Raises:
        InvalidEventError: the currency is unknown.
    """
    if currency is None:
        return DEFAULT_CURRENCY
    code = find_currency(currency)
    if code is None:
        raise InvalidEventError("currency", "unknown", "Expected an ISO 4217 currency code, such as EUR.")
    return code
