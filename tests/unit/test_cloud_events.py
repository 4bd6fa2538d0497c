"""CloudEvents become rows: identity, columns, data and faults."""

import json
from datetime import timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import FieldError
from tenancy.rules.events.row import NOT_VALID, BatchContext, InvalidEventError, join_event_id
from tests.members import for_each
from tests.unit.cloud_events import ACME, CLOUD_EVENT, NOW, faults, parse, raw, without

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
ATTRIBUTES = (*CLOUD_EVENT, "data_base64", "platform", "datacontenttype", "dataschema", "extension")
VALUES: tuple[object, ...] = (
    None, True, False, 0, -1, 1.5, 10**400, "", " ", "1.0", "a", "a\0", "aGk=", "t" * 101, "s" * 256, "s" * 5_000,
    "2026-11-24T00:00:00Z", "2026-11-24T00:00:00", "2016-12-31T23:59:60Z", "0001-01-01T00:00:00+23:00", [], [1], {},
    {"revenue": "1e999999999"}, {"userId": {"a": 1}},
)  # fmt: skip
LATER = BatchContext(organization_id=ACME, received_at=NOW + timedelta(seconds=1))


def test_attributes_become_columns() -> None:
    row = parse()

    assert (row.event_type, row.event_name, row.device_id, row.session_id) == (
        "com.example.order.completed",
        "com.example.order.completed",
        "device-1",
        "",
    )
    assert (row.event_timestamp, row.received_at) == ("2026-11-20 10:00:00.123", "2026-11-24 12:00:00.456789")
    assert (row.revenue, row.currency, row.platform, row.reason) == ("49.9", "EUR", "server", "")
    assert json.loads(row.properties) == CLOUD_EVENT["data"]
    assert json.loads(row.user_properties) == {name: CLOUD_EVENT[name] for name in CLOUD_EVENT if name != "data"}


def test_source_and_id_identify_an_event() -> None:
    assert parse().event_id == '["https://shop.example/orders","order-1001"]'
    assert parse(id='a"b', source="é").event_id == '["é","a\\"b"]'


@pytest.mark.parametrize(
    "pairs", [[("a", "bc"), ("ab", "c"), ("abc", ""), ('a","b', "c"), ("a", 'b","c'), ("a\\", "b")]]
)
def test_no_other_pair_has_the_same_event_id(pairs: list[tuple[str, str]]) -> None:
    for first, second in combinations(pairs, 2):
        assert join_event_id(ACME, *first) != join_event_id(ACME, *second)


@given(first=st.tuples(TEXTS, TEXTS), second=st.tuples(TEXTS, TEXTS))
def test_event_ids_are_equal_only_for_equal_pairs(first: tuple[str, str], second: tuple[str, str]) -> None:
    ids = join_event_id(ACME, *first), join_event_id(ACME, *second)

    assert (ids[0] == ids[1]) == (first == second)
    assert all(0 < len(each) <= 255 for each in ids)


def test_long_source_and_id_become_a_uuid() -> None:
    long = parse(source="s" * 300).event_id

    assert UUID(long).version == 5
    assert long == parse(source="s" * 300).event_id != parse(source="s" * 301).event_id


def test_event_with_a_time_is_the_same_when_sent_again() -> None:
    assert parse().identity == parse(reception=LATER).identity


@pytest.mark.parametrize("text", [without("time"), raw(time=None)])
def test_event_without_a_time_has_that_of_receipt(text: bytes) -> None:
    assert parse(text).event_timestamp == "2026-11-24 12:00:00.456"
    assert parse(text).identity != parse(text, reception=LATER).identity


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2026-11-20t10:00:00+02:00", "2026-11-20 08:00:00.000"),
        ("2026-06-30T23:59:60Z", "2026-06-30 23:59:59.000"),
        ("2026-11-20T10:00:00.1239Z", "2026-11-20 10:00:00.123"),
    ],
)
def test_any_spelling_of_a_time_counts(sent: str, stored: str) -> None:
    assert parse(time=sent).event_timestamp == stored


@pytest.mark.parametrize(
    ("changes", "properties"),
    [
        ({"data": None}, {}),
        ({"data": {}}, {}),
        ({"data": [1, "a"]}, {"data": [1, "a"]}),
        ({"data": "<a/>", "datacontenttype": "application/xml"}, {"data": "<a/>"}),
        ({"data": 1.5}, {"data": 1.5}),
        ({"data": False}, {"data": False}),
        ({"data": None, "data_base64": "aGk="}, {"data_base64": "aGk="}),
    ],
)
def test_no_data_is_lost(changes: dict[str, Any], properties: dict[str, Any]) -> None:
    row = parse(**changes)

    assert json.loads(row.properties) == properties
    assert json.loads(row.user_properties).keys().isdisjoint({"data", "data_base64"})


def test_text_of_the_data_does_not_change() -> None:
    text = raw(data="PLACE").replace(b'"PLACE"', b'{ "n": 1.10, "b": 123456789012345678901234567890, "b": "\\u00e9" }')

    assert parse(text).properties == '{ "n": 1.10, "b": 123456789012345678901234567890, "b": "\\u00e9" }'


def test_extensions_are_kept_whatever_their_values() -> None:
    extensions: dict[str, Any] = {
        "traceparent": "00-1",
        "sampled": True,
        "n": 7,
        "nested": {"a": [1]},
        "Upper_Case": None,
    }

    assert json.loads(parse(**extensions).user_properties).items() >= extensions.items()


def test_platform_is_an_extension() -> None:
    assert parse(platform="ios").platform == "ios"
    assert parse(platform=None).platform == "server"


@pytest.mark.parametrize(
    ("data", "money"),
    [
        ({"revenue": 9.99}, ("9.99", "USD")),
        ({"revenue": " 1e2 ", "currency": " eur "}, ("100", "EUR")),
        ({"revenue": {"amount": 1}, "currency": "EUR"}, ("0", "EUR")),
        ({"revenue": "much"}, ("0", "USD")),
        ({"revenue": 1, "currency": "points"}, ("0", "USD")),
        ({"revenue": "1000000000000"}, ("0", "USD")),
        (["revenue"], ("0", "USD")),
    ],
)
def test_revenue_of_the_data_counts_if_it_is_money(data: object, money: tuple[str, str]) -> None:
    row = parse(data=data)

    assert (row.revenue, row.currency) == money


def test_names_of_devices_and_users_are_found_in_the_data() -> None:
    row = parse(data={"userId": "user-1", "device_id": "device-2"})

    assert (row.device_names, row.user_names) == (("device-2",), ("user-1",))


@pytest.mark.parametrize("member", ["specversion", "id", "source", "type", "subject"])
def test_attribute_is_required(member: str) -> None:
    assert faults(without(member)) == [(member, "missing")]
    assert faults(raw(**{member: None})) == [(member, "invalid_type")]
    assert faults(raw(**{member: 1})) == [(member, "invalid_type")]


@pytest.mark.parametrize("member", ["id", "source", "type", "subject", "platform"])
def test_text_is_neither_empty_nor_has_nul(member: str) -> None:
    assert faults(raw(**{member: ""})) == [(member, "too_short")]
    assert faults(raw(**{member: "a\0"})) == [(member, "invalid_characters")]


@for_each(
    ("changes", "fault"),
    [
        ({"specversion": "0.3"}, ("specversion", "unknown")),
        ({"specversion": "1.0 "}, ("specversion", "unknown")),
        ({"type": "t" * 101}, ("type", "too_long")),
        ({"subject": "s" * 256}, ("subject", "too_long")),
        ({"platform": "p" * 101}, ("platform", "too_long")),
        ({"platform": 3}, ("platform", "invalid_type")),
        ({"time": 1_795_521_600}, ("time", "invalid_type")),
        ({"time": "yesterday"}, ("time", "invalid")),
        ({"time": ""}, ("time", "invalid")),
        ({"time": "2026-11-24T12:00:00"}, ("time", "invalid")),
        ({"time": "2026-11-26T12:00:00Z"}, ("time", "out_of_range")),
        ({"time": "2020-11-26T12:00:00Z"}, ("time", "out_of_range")),
        ({"data_base64": "aGk="}, ("data_base64", "invalid")),
        ({"data": None, "data_base64": "%"}, ("data_base64", "invalid")),
        ({"data": None, "data_base64": 1}, ("data_base64", "invalid_type")),
        ({"data": {"a": "x" * 33_000}}, ("", "too_large")),
    ],
)
def test_invalid_attribute_is_named(changes: dict[str, Any], fault: tuple[str, str]) -> None:
    assert faults(raw(**changes)) == [fault]


@given(changes=st.dictionaries(st.sampled_from(ATTRIBUTES), st.sampled_from(VALUES)))
def test_refused_event_names_its_faults(changes: dict[str, object]) -> None:
    errors: tuple[FieldError, ...] = ()
    try:
        parse(raw(**changes))
    except InvalidEventError as error:
        errors = error.errors

    assert NOT_VALID[0] not in errors
    assert {each.location for each in errors} <= {*changes, ""}  # the event itself, if it is too large


@pytest.mark.parametrize("text", [b"1", b"[]", b"null", b'"x"', b"true"])
def test_event_must_be_an_object(text: bytes) -> None:
    assert faults(text) == [("", "invalid_type")]


def test_write_key_among_the_attributes_is_not_stored() -> None:
    row = parse(writeKey="wk_1", sentAt="2026-11-24")

    assert "wk_1" not in row.user_properties
    assert json.loads(row.user_properties)["sentAt"] == "2026-11-24"


def test_all_attributes_at_fault_are_named() -> None:
    assert faults(b'{"time":1,"data":1,"data_base64":2}') == [
        *((name, "missing") for name in ("specversion", "id", "source", "type", "subject")),
        ("time", "invalid_type"),
        ("data_base64", "invalid"),
    ]


def test_last_one_of_repeated_attributes_counts() -> None:
    text = raw().replace(b'"device-1"', b'"device-1", "subject": "device-2"')

    row = parse(text)

    assert (row.device_id, json.loads(row.user_properties)["subject"]) == ("device-2", "device-2")


@pytest.mark.parametrize("depth", [10, 500, 900])
def test_nested_data_is_taken(depth: int) -> None:
    text = raw(data="PLACE").replace(b'"PLACE"', b'{"userId":' + b"[" * depth + b"]" * depth + b"}")

    assert parse(text).user_names == ()
