"""Reads money from properties of any content: of Segment calls, and data of CloudEvents."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tenancy.rules.events.currencies import find_currency
from tenancy.rules.events.fields import NUMBER_STARTS, TEXT_START
from tenancy.rules.events.money import find_plain_amount, format_money, parse_amount, round_money
from tenancy.rules.events.row import DEFAULT_CURRENCY
from tenancy.rules.json_members import JSON_NULL

NO_MONEY: Final = ("0", DEFAULT_CURRENCY)


def find_money(properties: Mapping[str, msgspec.Raw]) -> tuple[str, str]:
    """Return revenue and currency, or `NO_MONEY` if one of them is not valid.

    Spaces around them are removed. The original values stay in the properties.
    """
    named = properties.get("currency")
    currency = None if named is None or bytes(named) == JSON_NULL else scalar_text(named)
    return convert_money(properties.get("revenue"), currency)


def convert_money(revenue: msgspec.Raw | None, currency_name: str | None) -> tuple[str, str]:
    """Return revenue and currency as `find_money` does.

    Without *revenue* the revenue is 0. Without *currency_name* the currency is `DEFAULT_CURRENCY`.
    """
    currency = DEFAULT_CURRENCY if currency_name is None else find_currency(currency_name)
    text = scalar_text(revenue).strip()
    plain = find_plain_amount(text) if text else "0"
    if plain is not None:
        return NO_MONEY if currency is None else (plain, currency)
    amount = parse_amount(text)
    money = None if amount is None else round_money(amount)
    return NO_MONEY if money is None or currency is None else (format_money(money), currency)


def scalar_text(value: msgspec.Raw | None) -> str:
    """Return a JSON string, or a number with all its digits, as text.

    Other values are empty.
    """
    text = b"" if value is None else bytes(value)
    if text.startswith(TEXT_START):
        return str(msgspec.json.decode(text))
    return text.decode() if text.startswith(NUMBER_STARTS) else ""
