"""A call of a Segment SDK: the column of each member, and the refused calls."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import MalformedRequestError
from tenancy.rules.events.batch import parse_segment_text
from tenancy.rules.events.row import MAX_EVENT_BYTES, EventRow, InvalidEventError
from tenancy.rules.events.segment import BATCH_PATHS, TYPE_OF_PATH
from tests.unit.segment_calls import ACME, CALL, Anything, fault, parse, raw, without


def test_each_member_reaches_its_column() -> None:
    row = parse()

    assert msgspec.structs.replace(row, properties="", user_properties="") == EventRow(
        organization_id=str(ACME),
        event_id="ajs-1001",
        event_type="track",
        event_name="Order Completed",
        device_id="anonymous-1",
        session_id="1764",
        platform="web",
        event_timestamp="2026-11-20 10:00:00.123",
        properties="",
        user_properties="",
        revenue="49.9",
        currency="EUR",
        received_at="2026-11-24 12:00:00.456789",
        device_names=("anonymous-1",),
        user_names=("user-42",),
    )
    assert json.loads(row.properties) == CALL["properties"]
    assert json.loads(row.user_properties) == {
        name: value for name, value in CALL.items() if name not in ("properties", "sentAt")
    }


def test_unknown_members_are_kept() -> None:
    row = parse(_metadata={"bundled": ["Segment.io"]}, traits={"plan": "pro"})

    assert json.loads(row.user_properties)["_metadata"] == {"bundled": ["Segment.io"]}
    assert json.loads(row.user_properties)["traits"] == {"plan": "pro"}


def test_write_key_is_not_stored() -> None:
    assert b"wk_secret" not in msgspec.json.encode(parse(writeKey="wk_secret"))


def test_text_of_a_call_is_unchanged() -> None:
    text = raw().replace(b'"order_id": "1001"', b'"x":1.10,"y":  1e5,"z":"\\u00e9\xc3\xa9"')
    assert '"x":1.10,"y":  1e5,"z":"\\u00e9é"' in parse(text).properties


@pytest.mark.parametrize(
    ("changes", "device_id"),
    [
        ({"context": {"device": {"id": "device-9"}}}, "device-9"),
        ({"context": {"device": {"id": ""}}}, "anonymous-1"),
        ({"context": {"device": {}}}, "anonymous-1"),
        ({"context": {"device": None}}, "anonymous-1"),
        ({"context": None}, "anonymous-1"),
        ({"anonymousId": None}, "user-42"),
        ({"anonymousId": ""}, "user-42"),
        ({"anonymousId": 7}, "7"),
        ({"anonymousId": 0}, "user-42"),
        ({"anonymousId": None, "userId": 1.5}, "1.5"),
        ({"anonymousId": "x" * 300}, "x" * 255),
    ],
    ids=lambda value: str(value)[:48],
)
def test_device_id_is_device_then_anonymous_then_user_id(changes: Anything, device_id: str) -> None:
    assert parse(**changes).device_id == device_id


@pytest.mark.parametrize(
    "changes", [{}, {"anonymousId": None, "userId": None}, {"anonymousId": "", "userId": ""}], ids=str
)
def test_call_without_a_device_is_refused(changes: Anything) -> None:
    text = json.dumps({**json.loads(without("anonymousId", "userId")), **changes}).encode()
    assert fault(text) == ("anonymousId", "missing")


@pytest.mark.parametrize(
    ("changes", "event_name"),
    [
        ({}, "Order Completed"),
        ({"event": None, "name": "Home"}, "Home"),
        ({"event": "", "name": "Home"}, "Home"),
        ({"event": None}, "track"),
        ({"event": "x" * 300}, "x" * 255),
    ],
    ids=lambda value: str(value)[:32],
)
def test_event_name_is_event_then_name_then_type(changes: Anything, event_name: str) -> None:
    assert parse(**changes).event_name == event_name


@pytest.mark.parametrize(
    ("context", "platform"),
    [
        ({"device": {"type": "iOS"}, "os": {"name": "iOS"}}, "ios"),
        ({"os": {"name": "Android"}}, "android"),
        ({"device": {"id": "d"}, "os": {"name": "Android"}, "userAgent": "Dalvik"}, "android"),
        ({"userAgent": "Mozilla/5.0"}, "web"),
        ({"library": {"name": "analytics-python"}}, "server"),
        ({}, "server"),
        (None, "server"),
    ],
    ids=str,
)
def test_platform_comes_from_the_context(context: Anything, platform: str) -> None:
    assert parse(context=context).platform == platform


@pytest.mark.parametrize("call", ["track", "identify", "page", "screen", "group", "alias"])
def test_each_type_of_call_is_accepted(call: str) -> None:
    assert parse(type=call).event_type == call


def test_path_sets_the_type_of_a_call() -> None:
    assert parse(without("type"), event_type="identify").event_type == "identify"
    assert parse(type="track", event_type="page").event_type == "page"


@pytest.mark.parametrize("text", [without("type"), raw(type="purchase"), raw(type=""), raw(type="TRACK")])
def test_call_without_a_known_type_is_refused(text: bytes) -> None:
    assert fault(text) == ("type", "unknown")


@pytest.mark.parametrize("text", [b"null", b"5", b'"track"', b"[]", b'{"type": 5}', b'{"type": null}'], ids=ascii)
def test_call_must_be_an_object(text: bytes) -> None:
    assert fault(text)[1] in {"invalid_type", "unknown"}


@pytest.mark.parametrize(
    "changes",
    [
        {"event": 5},
        {"event": None, "name": 5},
        {"messageId": 5},
        {"messageId": ["m"]},
        {"anonymousId": True, "userId": "u"},
        {"anonymousId": ["a"], "userId": "u"},
        {"userId": {}},
        {"context": []},
        {"context": "web"},
        {"context": {"device": "iPhone"}},
        {"context": {"device": {"id": [], "type": 5}}},
        {"context": {"os": "iOS", "userAgent": ["x"], "sessionId": []}},
        {"properties": []},
        {"userId": 10**300},
    ],
    ids=ascii,
)
def test_optional_member_of_wrong_type_counts_as_absent(changes: dict[str, Any]) -> None:
    row = parse(**changes)

    assert row.device_id
    assert row.event_name
    assert row.event_id
    for name, value in changes.items():
        if name != "properties":
            assert json.loads(row.user_properties)[name] == value


def test_call_has_at_most_32_kib() -> None:
    room = MAX_EVENT_BYTES - len(raw(properties={"note": ""}))

    assert parse(properties={"note": "x" * room}).event_id == "ajs-1001"
    assert fault(raw(properties={"note": "x" * (room + 1)})) == ("", "too_large")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(CALL)), JSON_VALUES)
def test_arbitrary_value_is_a_row_or_refused(member: str, value: Anything) -> None:
    try:
        row = parse(msgspec.json.encode({**CALL, member: value}))
    except InvalidEventError:
        return

    assert msgspec.json.decode(msgspec.json.encode(row), type=EventRow) == row


def test_deep_call_is_a_row_or_refused() -> None:
    outcomes = []

    for depth in (5_000, *range(9_000, 10_010, 3)):
        text = b'{"type":"track","userId":"u","x":' + b"[" * depth + b"]" * depth + b"}"
        try:
            batch = parse_segment_text(text, is_batch=False)
            outcomes.append(parse(bytes(batch.batch[0])).device_id)
        except (MalformedRequestError, InvalidEventError) as error:
            outcomes.append(type(error).__name__)

    assert outcomes[0] == "u"
    assert outcomes[-1] == MalformedRequestError.__name__


def test_paths_are_those_of_the_sdks() -> None:
    assert {"/batch", "/b", "/import"} == BATCH_PATHS
    assert dict(TYPE_OF_PATH) == {
        "/track": "track",
        "/t": "track",
        "/identify": "identify",
        "/i": "identify",
        "/page": "page",
        "/p": "page",
        "/screen": "screen",
        "/s": "screen",
        "/group": "group",
        "/g": "group",
        "/alias": "alias",
        "/a": "alias",
    }
