"""The money of an event: an amount that fits its column, in a currency in use."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.events.money import parse_amount
from tests.members import for_each
from tests.unit.single_events import fault, parse, raw, refusal


@for_each(
    ("revenue", "amount"),
    [
        (0, "0"),
        (49.9, "49.9"),
        ("49.90", "49.9"),
        ("-5", "-5"),
        (-0.01, "-0.01"),
        ("0.000001", "0.000001"),
        ("1e3", "1000"),
        ("999999999999.999999", "999999999999.999999"),
        ("-999999999999.999999", "-999999999999.999999"),
        ("1.000000000", "1"),
        ("0e5", "0"),
        ("+5", "5"),
        (".5", "0.5"),
        ("5.", "5"),
        (None, "0"),
    ],
)
def test_money_has_12_digits_before_the_point_and_6_after(revenue: object, amount: str) -> None:
    stored = parse(revenue=revenue).revenue

    assert Decimal(stored) == Decimal(amount)
    assert set("0123456789.-").issuperset(stored)


@for_each(
    "revenue",
    [
        "0.0000001",
        "1.0000001",
        "1000000000000",
        "999999999999.9999999",
        "-1000000000000",
        1e300,
        "1e12",
        "1e999999",
        "1e9999999",
        "-1e999999999999",
        "1e-7",
        "1e-999999",
        "1e-999999999999",
        "1e9999999999999999999999",
        "9" * 100,
    ],
    ids=str,
)
def test_money_beyond_its_scale_is_refused(revenue: object) -> None:
    assert fault(raw(revenue=revenue)) == ("revenue", "out_of_range")


@for_each(
    "revenue",
    [
        *("NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "inf", "much", "", " ", ".", "-", "e5", "1e", "1.2.3", "1,5"),
        *(
            "1_000",
            "1_0.5",
            "\u0661",
            "\uff11",
            "9.99\n",
            " 9.99 ",
            "9.99\u00a0",
            "\t1",
            "0x10",
            "1e\u0665",
            "--1",
            "1\0",
        ),
    ],
    ids=ascii,
)
def test_money_that_is_no_ascii_decimal_is_refused(revenue: str) -> None:
    assert fault(raw(revenue=revenue)) == ("revenue", "invalid")


@pytest.mark.parametrize("revenue", [True, [], {}, ["9.99"]], ids=str)
def test_money_that_is_no_number_is_refused(revenue: object) -> None:
    assert fault(raw(revenue=revenue)) == ("revenue", "invalid_type")


@given(st.text() | st.from_regex(r"[+-]?\d{0,3}[._]?\d{0,3}([eE][+-]?\d{0,2})?\s?", fullmatch=True))
def test_amount_is_read_from_ascii_digits_only(text: str) -> None:
    amount = parse_amount(text)

    if amount is not None:
        assert set(text) <= set("0123456789+-.eE")
        assert amount == Decimal(text)


def test_long_amount_takes_linear_time() -> None:
    assert parse_amount("9" * 1_000_000 + "x") is None


@pytest.mark.parametrize("revenue", ["0e-40", "0e-999", "0e-9999999999999"])
def test_zero_is_stored_in_few_digits(revenue: str) -> None:
    assert len(parse(revenue=revenue).revenue) <= 20


@pytest.mark.parametrize("currency", ["EUR", "USD", "JPY", "XOF"])
def test_currency_in_use_is_accepted(currency: str) -> None:
    assert parse(currency=currency).currency == currency


@pytest.mark.parametrize("currency", ["eur", "Eur", " EUR ", "EUR\n", "\tusd", "jpy\u00a0"])
def test_currency_is_trimmed_and_in_any_case(currency: str) -> None:
    assert parse(currency=currency).currency == currency.strip().upper()


@pytest.mark.parametrize(
    "currency", ["", " ", "EURO", "E UR", "XXX", "BTC", "€", "\uff25UR", "u\u017fd", "\u0131dr", "\u0131qd"]
)
def test_unknown_currency_is_refused(currency: str) -> None:
    error = refusal(raw(currency=currency))
    assert (error.errors[0].location, error.errors[0].code, error.event_id) == ("currency", "unknown", "order-1001")
