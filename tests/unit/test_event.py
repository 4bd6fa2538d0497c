"""One event of POST /v1/events: field by field what it becomes, and what is refused."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import TenantMismatchError
from tenancy.events.event import parse_event
from tenancy.events.row import MAX_EVENT_BYTES, InvalidEventError, Reception, Row, derived_event_id

NOW = datetime(2026, 11, 24, 12, 0, 0, 456_789, tzinfo=UTC)
ACME = UUID("0a000000-0000-4000-8000-00000000000a")
GLOBEX = UUID("0b000000-0000-4000-8000-00000000000b")
RECEPTION = Reception(organization_id=ACME, received_at=NOW, retention=timedelta(days=90))
EVENT: dict[str, Any] = {
    "event_type": "purchase",
    "event_name": "Order Completed",
    "device_id": "device-1",
    "platform": "ios",
    "event_timestamp": "2026-11-20T10:00:00.123Z",
    "event_id": "order-1001",
    "session_id": "session-7",
    "properties": {"order_id": "1001"},
    "user_properties": {"plan": "pro"},
    "revenue": "49.90",
    "currency": "EUR",
}
REQUIRED = ("event_type", "event_name", "device_id", "platform", "event_timestamp")


def raw(**changes: Any) -> bytes:  # noqa: ANN401 - also what is wrong
    return json.dumps({**EVENT, **changes}, ensure_ascii=False).encode()


def without(*fields: str) -> bytes:
    return json.dumps({name: value for name, value in EVENT.items() if name not in fields}).encode()


def parse(**changes: Any) -> Row:  # noqa: ANN401
    return parse_event(raw(**changes), RECEPTION)


def refusal(text: bytes) -> InvalidEventError:
    with pytest.raises(InvalidEventError) as error:
        parse_event(text, RECEPTION)
    assert error.value.error.message
    return error.value


def fault(text: bytes) -> tuple[str, str]:
    error = refusal(text).error
    return error.location, error.code


def test_every_field_reaches_its_column() -> None:
    assert parse() == Row(
        organization_id=str(ACME),
        event_id="order-1001",
        event_type="purchase",
        event_name="Order Completed",
        device_id="device-1",
        session_id="session-7",
        platform="ios",
        event_timestamp="2026-11-20 10:00:00.123",
        properties='{"order_id": "1001"}',
        user_properties='{"plan": "pro"}',
        revenue="49.9",
        currency="EUR",
        received_at="2026-11-24 12:00:00.456789",
    )


def test_what_is_optional_has_a_default() -> None:
    row = parse_event(
        without("event_id", "session_id", "properties", "user_properties", "revenue", "currency"), RECEPTION
    )
    assert (row.session_id, row.properties, row.user_properties) == ("", "{}", "{}")
    assert (row.revenue, row.currency, row.reason) == ("0", "USD", "")


@pytest.mark.parametrize("field", ["event_id", "session_id", "properties", "user_properties", "revenue", "currency"])
def test_null_is_as_good_as_nothing(field: str) -> None:
    row, bare = parse(**{field: None}), parse_event(without(field), RECEPTION)
    assert msgspec.structs.replace(row, event_id="") == msgspec.structs.replace(bare, event_id="")


def test_members_that_nobody_knows_are_ignored() -> None:
    assert parse(something={"else": [1]}) == parse()


def test_a_row_is_not_held() -> None:
    assert b"reason" not in msgspec.json.encode(parse())


@pytest.mark.parametrize("field", REQUIRED)
def test_no_required_field_may_be_missing(field: str) -> None:
    error = refusal(without(field))
    assert (error.error.location, error.error.code) == (field, "missing")
    assert error.event_id == "order-1001"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[(field, None) for field in REQUIRED],
        *[(field, "") for field in (*REQUIRED, "event_id")],
        *[(field, 5) for field in (*REQUIRED, "session_id", "currency")],
        *[(field, ["x"]) for field in (*REQUIRED, "event_id", "session_id", "revenue", "currency")],
        ("event_type", "x" * 101),
        ("platform", "x" * 101),
        ("event_name", "x" * 256),
        ("device_id", "x" * 256),
        ("event_id", "x" * 256),
        ("session_id", "x" * 256),
        ("event_id", 7),
        ("revenue", ""),
        ("revenue", "much"),
        ("revenue", "0x10"),
        ("revenue", True),
        ("revenue", {"amount": 1}),
        ("organization_id", 5),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_field_of_another_type_or_length_is_named(field: str, value: object) -> None:
    assert fault(raw(**{field: value})) == (field, "invalid")


def test_a_text_counts_in_characters() -> None:
    assert parse(device_id="🦀" * 255).device_id == "🦀" * 255


@pytest.mark.parametrize("field", ["properties", "user_properties"])
@pytest.mark.parametrize("value", [[], [1], "{}", 5, True, False])
def test_properties_are_an_object(field: str, value: object) -> None:
    assert fault(raw(**{field: value})) == (field, "invalid_type")


def test_properties_are_kept_as_they_are_written() -> None:
    text = raw().replace(
        b'{"order_id": "1001"}', b'{"b":1.10,"a":  1e5,"a":"\\u00e9\xc3\xa9","big":12345678901234567890123}'
    )
    assert (
        parse_event(text, RECEPTION).properties == '{"b":1.10,"a":  1e5,"a":"\\u00e9é","big":12345678901234567890123}'
    )


@pytest.mark.parametrize("text", [b"null", b"5", b'"text"', b"[]", b"true"])
def test_an_event_is_an_object(text: bytes) -> None:
    error = refusal(text)
    assert (error.error.code, error.event_id) == ("invalid", None)


def test_an_event_has_at_most_32_kib() -> None:
    room = MAX_EVENT_BYTES - len(raw(properties={"note": ""}))
    assert MAX_EVENT_BYTES == 32 * 1024
    assert parse(properties={"note": "x" * room}).event_id == "order-1001"
    assert fault(raw(properties={"note": "x" * (room + 1)})) == ("", "too_large")
    assert fault(raw(properties={"note": "é" * (room // 2 + 1)})) == ("", "too_large")


# -------------------------------------------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-11-20T10:00:00Z", "2026-11-20 10:00:00.000"),
        ("2026-11-20t10:00:00z", "2026-11-20 10:00:00.000"),
        ("2026-11-20 10:00:00+00:00", "2026-11-20 10:00:00.000"),
        ("2026-11-20T12:00:00.5+02:00", "2026-11-20 10:00:00.500"),
        ("2026-11-20T10:00:00.123999Z", "2026-11-20 10:00:00.123"),
        ("2026-11-20T00:30:00+05:30", "2026-11-19 19:00:00.000"),
    ],
)
def test_times_are_stored_in_utc_to_the_millisecond(text: str, stored: str) -> None:
    assert parse(event_timestamp=text).event_timestamp == stored


@pytest.mark.parametrize(
    "moment", [NOW, NOW - timedelta(days=90), NOW + timedelta(hours=24), NOW - timedelta(seconds=1)], ids=str
)
def test_a_time_within_retention_and_a_day_ahead_is_taken(moment: datetime) -> None:
    assert parse(event_timestamp=moment.isoformat())


@pytest.mark.parametrize(
    "text",
    [
        (NOW - timedelta(days=90, microseconds=1)).isoformat(),
        (NOW + timedelta(hours=24, microseconds=1)).isoformat(),
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1899-12-31T23:59:59Z",
        "2299-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "0001-01-01T00:00:00-23:00",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59.999999-23:00",
    ],
)
def test_a_clock_that_cannot_be_believed_is_refused(text: str) -> None:
    assert fault(raw(event_timestamp=text)) == ("event_timestamp", "out_of_range")


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-20T10:00:00",
        "2026-11-20",
        "20.11.2026 10:00",
        "Fri, 20 Nov 2026 10:00:00 GMT",
        "2026-02-30T10:00:00Z",
        "2026-11-20T25:00:00Z",
        "2026-11-20T10:00:60Z",
        "2026-11-20T10:00:00+99:00",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "infinity",
        "now",
        " 2026-11-20T10:00:00Z",
        "2026-11-20T10:00:00Z\n",
        "\uff12026-11-20T10:00:00Z",
        1795521600,
        1795521600.5,
    ],
)
def test_a_time_is_rfc_3339_with_its_zone(value: object) -> None:
    assert fault(raw(event_timestamp=value)) == ("event_timestamp", "invalid")


# -------------------------------------------------------------------------------------------------------------- money


@pytest.mark.parametrize(
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
    ],
)
def test_money_has_twelve_digits_and_six(revenue: object, amount: str) -> None:
    stored = parse(revenue=revenue).revenue
    assert Decimal(stored) == Decimal(amount)
    assert set("0123456789.-").issuperset(stored)


@pytest.mark.parametrize(
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
        "NaN",
        "-NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "9" * 100,
    ],
    ids=str,
)
def test_money_beyond_its_scale_is_refused(revenue: object) -> None:
    assert fault(raw(revenue=revenue)) == ("revenue", "out_of_range")


@pytest.mark.parametrize("revenue", ["0e-40", "0e-999", "0e-9999999999999"])
def test_nothing_is_stored_in_few_digits_however_it_is_written(revenue: str) -> None:
    assert len(parse(revenue=revenue).revenue) <= 20


@pytest.mark.parametrize("currency", ["EUR", "USD", "JPY", "XOF"])
def test_a_currency_in_use_is_taken(currency: str) -> None:
    assert parse(currency=currency).currency == currency


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "XXX", "BTC", "€", "EUR\n", "\uff25UR"])
def test_a_currency_is_one_of_iso_4217(currency: str) -> None:
    error = refusal(raw(currency=currency))
    assert (error.error.location, error.error.code, error.event_id) == ("currency", "unknown", "order-1001")


# ------------------------------------------------------------------------------------------------- characters, tenants


@pytest.mark.parametrize("field", ["event_type", "event_name", "device_id", "platform", "event_id", "session_id"])
def test_the_nul_character_is_refused_where_it_is(field: str) -> None:
    assert fault(json.dumps({**EVENT, field: "a\0b"}).encode()) == (field, "invalid_characters")


def test_an_escaped_backslash_before_a_u_is_no_nul() -> None:
    assert parse(device_id="\\u0000").device_id == "\\u0000"


@pytest.mark.parametrize("value", [str(ACME), str(ACME).upper()])
def test_an_event_may_name_its_own_organization(value: str) -> None:
    assert parse(organization_id=value).organization_id == str(ACME)


@pytest.mark.parametrize("value", [str(GLOBEX), "acme", "", "null"])
def test_an_event_that_names_another_organization_is_refused_as_a_whole(value: str) -> None:
    with pytest.raises(TenantMismatchError):
        parse(organization_id=value)


# ----------------------------------------------------------------------------------------------------------- identity


def test_identity_is_organization_time_device_and_id() -> None:
    row = parse()
    assert row.identity == (str(ACME), "2026-11-20 10:00:00.123", "device-1", "order-1001")


def test_an_event_without_an_id_gets_one_of_its_own_text() -> None:
    text = without("event_id")
    later = Reception(organization_id=ACME, received_at=NOW + timedelta(hours=5), retention=timedelta(days=90))
    first, again = parse_event(text, RECEPTION), parse_event(text, later)
    assert first.event_id == derived_event_id(ACME, text)
    assert UUID(first.event_id).version == 5
    assert first.identity == again.identity


JSON_OBJECTS = st.dictionaries(
    st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=20), max_size=4
)


@given(JSON_OBJECTS, JSON_OBJECTS)
def test_derived_ids_differ_when_events_do_and_between_organizations(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    texts = [json.dumps({**EVENT, "event_id": None, "properties": properties}).encode() for properties in (one, other)]
    globex = Reception(organization_id=GLOBEX, received_at=NOW, retention=timedelta(days=90))
    ids = [parse_event(text, RECEPTION).event_id for text in texts]
    assert (ids[0] == ids[1]) == (texts[0] == texts[1])
    assert parse_event(texts[0], globex).event_id not in ids


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*sorted(EVENT), "organization_id"]), JSON_VALUES)
def test_whatever_a_field_holds_an_event_is_a_row_or_a_named_error(field: str, value: Any) -> None:  # noqa: ANN401
    text = msgspec.json.encode({**EVENT, field: value})
    try:
        row = parse_event(text, RECEPTION)
    except InvalidEventError as error:
        at_fault = error.error.location
    except TenantMismatchError:
        at_fault = "organization_id"
    else:
        at_fault = field
        assert msgspec.json.decode(msgspec.json.encode(row), type=Row) == row
    assert at_fault in (field, "")


def test_an_event_without_an_id_is_the_same_whenever_it_is_sent() -> None:
    def derived(**members: object) -> str:
        return parse_event(raw(event_id=None, **members), RECEPTION).event_id

    assert derived(sentAt="2026-11-24T11:00:00Z") == derived(sentAt="2026-11-24T12:00:00Z")
    assert derived(sentAt="2026-11-24T11:00:00Z") != derived(sentAt="2026-11-24T11:00:00Z", session_id="other")
