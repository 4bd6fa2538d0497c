"""Converts single fields of an event of POST /v1/events to the text of their column."""

from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Final

import msgspec

from tenancy.rules.events.currencies import find_currency
from tenancy.rules.events.money import find_plain_amount, format_money, parse_amount, round_money
from tenancy.rules.events.row import DEFAULT_CURRENCY, BatchContext, InvalidEventError, format_event_time
from tenancy.rules.json_members import JSON_NULL, NO_OBJECT_TEXT

TYPE_MAX_CHARACTERS: Final = 100
# The first bytes of JSON texts and numbers.
TEXT_START: Final = b'"'
OBJECT_TEXT_START: Final = "{"
EMPTY_OBJECT_TEXT: Final = "{}"
NULL_TEXT: Final = JSON_NULL.decode()
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
    if not reception.earliest <= moment <= reception.latest:
        raise InvalidEventError("event_timestamp", "out_of_range", TIME_OUT_OF_RANGE)
    return format_event_time(moment)


def convert_object(field: str, value: msgspec.Raw) -> str:
    """Return the unchanged JSON text of an object. null is an empty one.

    Raises:
        InvalidEventError: *value* is no JSON object.
    """
    text = str(value, "utf-8")
    if text.startswith(OBJECT_TEXT_START):
        return text
    if text == NULL_TEXT:
        return EMPTY_OBJECT_TEXT
    raise InvalidEventError(field, "invalid_type", NO_OBJECT_TEXT)


def convert_once[T: Hashable](convert: Callable[[T], str], value: T, known: dict[T, str]) -> str:
    """Return *value* as *convert* does. It is called once for equal values, whose results are in *known*."""
    text = known.get(value)
    if text is None:
        text = known[value] = convert(value)
    return text


def convert_revenue(text: bytes) -> str:
    """Return the amount in a JSON value without an exponent. null is zero.

    Raises:
        InvalidEventError: the amount is no decimal number, or has too many digits.
    """
    sent = text.decode()
    if (plain := find_plain_amount(sent.strip('"'))) is not None:
        return plain
    if sent == NULL_TEXT:
        return "0"
    if not text.startswith((TEXT_START, *NUMBER_STARTS)):
        raise InvalidEventError("revenue", "invalid_type", REVENUE_TEXT)
    amount = parse_amount(msgspec.json.decode(text, type=str) if text.startswith(TEXT_START) else sent)
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
