"""The money of a Segment call: an amount that fits its column, or none."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.members import for_each
from tests.unit.segment_calls import Anything, parse, raw


@pytest.mark.parametrize(
    ("properties", "money"),
    [
        ({}, ("0", "USD")),
        ({"revenue": 49.9}, ("49.9", "USD")),
        ({"revenue": "49.90", "currency": "eur"}, ("49.9", "EUR")),
        ({"revenue": -5, "currency": "JPY"}, ("-5", "JPY")),
        ({"revenue": 0}, ("0", "USD")),
        ({"revenue": None, "currency": "EUR"}, ("0", "EUR")),
        ({"revenue": 0.1234565, "currency": None}, ("0.123456", "USD")),
        ({"revenue": "999999999999.999999"}, ("999999999999.999999", "USD")),
        ({"revenue": " 9.99 "}, ("9.99", "USD")),
        ({"revenue": "9.99\n", "currency": "EUR"}, ("9.99", "EUR")),
    ],
    ids=str,
)
def test_money_comes_from_the_properties(properties: Anything, money: tuple[str, str]) -> None:
    row = parse(properties=properties)
    assert (Decimal(row.revenue), row.currency) == (Decimal(money[0]), money[1])


@for_each(
    "properties",
    [
        {"revenue": "much"},
        {"revenue": ""},
        {"revenue": True},
        {"revenue": []},
        {"revenue": {"amount": 5}},
        {"revenue": "NaN"},
        {"revenue": "sNaN"},
        {"revenue": "Infinity"},
        {"revenue": "1_000"},
        {"revenue": "\u0661"},
        {"revenue": "1 000"},
        {"revenue": "\uff11"},
        {"revenue": "-inf"},
        {"revenue": "1e99999999999999999999999"},
        {"revenue": 1e300},
        {"revenue": 10**12},
        {"revenue": "1e999999999999"},
        {"revenue": "1e-999999999999"},
        {"revenue": "0e-9999999999999"},
        {"revenue": 5, "currency": "credits"},
        {"revenue": 5, "currency": 978},
        {"revenue": 5, "currency": ["EUR"]},
        {"revenue": 5, "currency": "X" * 1000},
        [],
        "text",
        5,
        None,
    ],
    ids=lambda value: ascii(value)[:32],
)
def test_invalid_money_counts_as_none(properties: Anything) -> None:
    row = parse(properties=properties)

    assert (Decimal(row.revenue), row.currency) == (Decimal(), "USD")
    assert len(row.revenue) <= 20


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400, "1" + "0" * 5000], ids=lambda text: text[:5])
def test_huge_number_counts_as_no_money(number: str) -> None:
    row = parse(raw(properties={"revenue": 7}).replace(b"7}", f"{number}}}".encode()))

    assert (Decimal(row.revenue), row.currency) == (Decimal(), "USD")
    assert number in row.properties


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8) | st.floats(allow_nan=False) | st.integers())
def test_money_always_fits_its_column(revenue: Decimal | float) -> None:
    stored = parse(properties={"revenue": str(revenue)}).revenue

    assert abs(Decimal(stored)) < 10**12
    assert len(stored.partition(".")[2]) <= 6


@pytest.mark.parametrize("revenue", ["999999999999.9999995", "-999999999999.9999999"])
def test_money_rounded_to_13_digits_counts_as_none(revenue: str) -> None:
    assert Decimal(parse(properties={"revenue": revenue}).revenue) == 0
