"""One event of POST /v1/events: field by field what it becomes, and what is refused."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import TenantMismatchError
from tenancy.rules.events.event import parse_event
from tenancy.rules.events.row import MAX_EVENT_BYTES, EventRow, InvalidEventError
from tests.unit.single_events import ACME, EVENT, GLOBEX, RECEPTION, fault, parse, raw, refusal, without

REQUIRED = ("event_type", "event_name", "device_id", "platform", "event_timestamp")


def test_every_field_reaches_its_column() -> None:
    assert parse() == EventRow(
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
        device_names=(),
        user_names=(),
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
        assert msgspec.json.decode(msgspec.json.encode(row), type=EventRow) == row
    assert at_fault in (field, "")
