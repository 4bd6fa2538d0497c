"""An event of POST /v1/events: the column of each field, and the refused values."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import TenantMismatchError
from tenancy.rules.events.event import parse_event
from tenancy.rules.events.row import MAX_EVENT_BYTES, EventRow, InvalidEventError
from tenancy.rules.json_members import MAX_MEMBER_ERRORS
from tests.members import for_each
from tests.unit.single_events import ACME, EVENT, GLOBEX, RECEPTION, fault, parse, raw, refusal, without

REQUIRED = ("event_type", "event_name", "device_id", "platform", "event_timestamp")


def test_each_field_reaches_its_column() -> None:
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


def test_optional_fields_have_defaults() -> None:
    row = parse_event(
        without("event_id", "session_id", "properties", "user_properties", "revenue", "currency"), RECEPTION
    )

    assert (row.session_id, row.properties, row.user_properties) == ("", "{}", "{}")
    assert (row.revenue, row.currency, row.reason) == ("0", "USD", "")


@pytest.mark.parametrize("field", ["event_id", "session_id", "properties", "user_properties", "revenue", "currency"])
def test_null_counts_as_absent(field: str) -> None:
    row, bare = parse(**{field: None}), parse_event(without(field), RECEPTION)
    assert msgspec.structs.replace(row, event_id="") == msgspec.structs.replace(bare, event_id="")


@pytest.mark.parametrize("name", ["sentAt", "writeKey", "context"])
def test_members_that_sdks_add_are_ignored(name: str) -> None:
    assert parse(**{name: {"any": [1]}}) == parse()


@pytest.mark.parametrize("name", ["revenu", "Revenue", "", "a/b", "é", "errors", "event_id "])
def test_unknown_member_is_refused_by_name(name: str) -> None:
    assert fault(raw(**{name: 1})) == (name, "unknown_member")


def test_long_name_of_an_unknown_member_is_cut() -> None:
    assert fault(raw(**{"x" * 5000: 1})) == ("x" * 199 + "…", "unknown_member")


def test_all_fields_at_fault_are_named() -> None:
    changes = {"device_id": "", "event_timestamp": "2020-01-01T00:00:00Z", "revenue": "1e99", "currency": "XXX"}
    text = json.dumps({**EVENT, **changes, "properties": [], "event_id": 7, "revenu": 1}).encode()

    faults = {(error.location, error.code) for error in refusal(text.replace(b'"platform": "ios", ', b"")).errors}

    assert faults == {
        ("device_id", "too_short"),
        ("platform", "missing"),
        ("event_timestamp", "out_of_range"),
        ("event_id", "invalid_type"),
        ("properties", "invalid_type"),
        ("revenue", "out_of_range"),
        ("currency", "unknown"),
        ("revenu", "unknown_member"),
    }


def test_errors_of_one_event_are_bounded() -> None:
    assert len(refusal(raw(**{f"unknown_{number}": 1 for number in range(900)})).errors) == MAX_MEMBER_ERRORS


@pytest.mark.parametrize("broken", [{"revenu": 1}, {"device_id": ""}, {"event_timestamp": "x"}, {"currency": "XXX"}])
def test_mismatch_comes_before_all_other_faults(broken: dict[str, object]) -> None:
    with pytest.raises(TenantMismatchError):
        parse(organization_id=str(GLOBEX), **broken)


def test_valid_event_is_not_held() -> None:
    assert b"reason" not in msgspec.json.encode(parse())


@pytest.mark.parametrize("field", REQUIRED)
def test_missing_required_field_is_refused(field: str) -> None:
    error = refusal(without(field))

    [missing] = error.errors
    assert (missing.location, missing.code) == (field, "missing")
    assert error.event_id == "order-1001"


@for_each(
    ("field", "value"),
    [
        *[(field, None) for field in REQUIRED],
        *[(field, 5) for field in (*REQUIRED, "event_id", "session_id", "currency")],
        *[(field, ["x"]) for field in (*REQUIRED, "event_id", "session_id", "revenue", "currency")],
        ("revenue", True),
        ("revenue", {"amount": 1}),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_field_of_wrong_type_is_named(field: str, value: object) -> None:
    assert fault(raw(**{field: value})) == (field, "invalid_type")


@for_each(
    ("field", "value", "code"),
    [
        *[(field, "", "too_short") for field in ("event_type", "event_name", "device_id", "platform", "event_id")],
        *[(field, "x" * 101, "too_long") for field in ("event_type", "platform")],
        *[(field, "x" * 256, "too_long") for field in ("event_name", "device_id", "event_id", "session_id")],
        ("event_timestamp", "", "invalid"),
        *[("revenue", text, "invalid") for text in ("", "much", "0x10")],
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_field_of_wrong_length_or_form_is_named(field: str, value: object, code: str) -> None:
    assert fault(raw(**{field: value})) == (field, code)


def test_length_of_a_text_counts_characters() -> None:
    assert parse(device_id="🦀" * 255).device_id == "🦀" * 255


@pytest.mark.parametrize("field", ["properties", "user_properties"])
@pytest.mark.parametrize("value", [[], [1], "{}", 5, True, False])
def test_properties_must_be_an_object(field: str, value: object) -> None:
    assert fault(raw(**{field: value})) == (field, "invalid_type")


def test_text_of_properties_is_unchanged() -> None:
    text = raw().replace(
        b'{"order_id": "1001"}', b'{"b":1.10,"a":  1e5,"a":"\\u00e9\xc3\xa9","big":12345678901234567890123}'
    )

    assert (
        parse_event(text, RECEPTION).properties == '{"b":1.10,"a":  1e5,"a":"\\u00e9é","big":12345678901234567890123}'
    )


@pytest.mark.parametrize("text", [b"null", b"5", b'"text"', b"[]", b"true"])
def test_event_must_be_an_object(text: bytes) -> None:
    error = refusal(text)
    assert (error.errors[0].code, error.event_id) == ("invalid_type", None)


def test_event_has_at_most_32_kib() -> None:
    room = MAX_EVENT_BYTES - len(raw(properties={"note": ""}))

    assert MAX_EVENT_BYTES == 32 * 1024
    assert parse(properties={"note": "x" * room}).event_id == "order-1001"
    assert fault(raw(properties={"note": "x" * (room + 1)})) == ("", "too_large")
    assert fault(raw(properties={"note": "é" * (room // 2 + 1)})) == ("", "too_large")


@pytest.mark.parametrize("field", ["event_type", "event_name", "device_id", "platform", "event_id", "session_id"])
def test_nul_character_is_refused_by_name(field: str) -> None:
    assert fault(json.dumps({**EVENT, field: "a\0b"}).encode()) == (field, "invalid_characters")


def test_escaped_backslash_before_a_u_is_no_nul() -> None:
    assert parse(device_id="\\u0000").device_id == "\\u0000"


@pytest.mark.parametrize("value", [str(ACME), str(ACME).upper()])
def test_event_may_name_its_own_organization(value: str) -> None:
    assert parse(organization_id=value).organization_id == str(ACME)


@pytest.mark.parametrize("value", [str(GLOBEX), "acme", "", "null", 5, [str(ACME)]])
def test_event_of_another_organization_is_a_mismatch(value: object) -> None:
    with pytest.raises(TenantMismatchError):
        parse(organization_id=value)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*sorted(EVENT), "organization_id"]), JSON_VALUES)
def test_arbitrary_value_is_a_row_or_a_named_error(field: str, value: Any) -> None:  # noqa: ANN401
    text = msgspec.json.encode({**EVENT, field: value})

    try:
        row = parse_event(text, RECEPTION)
    except InvalidEventError as error:
        [at_fault] = {each.location for each in error.errors}
    except TenantMismatchError:
        at_fault = "organization_id"
    else:
        at_fault = field
        assert msgspec.json.decode(msgspec.json.encode(row), type=EventRow) == row

    assert at_fault == field
