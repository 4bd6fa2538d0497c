"""One call of a Segment SDK: how its words become a row, and which calls are held or refused."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.events.row import MAX_EVENT_BYTES, InvalidEventError, Reception, Row
from tenancy.events.segment import BATCH_PATHS, TYPE_OF_PATH, parse_message

NOW = datetime(2026, 11, 24, 12, 0, 0, 456_789, tzinfo=UTC)
ACME = UUID("0a000000-0000-4000-8000-00000000000a")
GLOBEX = UUID("0b000000-0000-4000-8000-00000000000b")
RECEPTION = Reception(organization_id=ACME, received_at=NOW, retention=timedelta(days=90))
CALL: dict[str, Any] = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "ajs-1001",
    "anonymousId": "anonymous-1",
    "userId": "user-42",
    "timestamp": "2026-11-20T10:00:00.123Z",
    "sentAt": "2026-11-24T11:59:59.000Z",
    "context": {"userAgent": "Mozilla/5.0", "sessionId": 1764},
    "integrations": {},
    "properties": {"revenue": 49.9, "currency": "EUR", "order_id": "1001"},
}
type Anything = Any


def raw(**changes: Anything) -> bytes:
    return json.dumps({**CALL, **changes}, ensure_ascii=False).encode()


def without(*members: str) -> bytes:
    return json.dumps({name: value for name, value in CALL.items() if name not in members}).encode()


def parse(
    text: bytes = b"", *, event_type: str | None = None, reception: Reception = RECEPTION, **changes: Anything
) -> Row:
    return parse_message(text or raw(**changes), reception, event_type=event_type)


def fault(text: bytes, *, event_type: str | None = None) -> tuple[str, str]:
    with pytest.raises(InvalidEventError) as error:
        parse(text, event_type=event_type)
    assert error.value.error.message
    return error.value.error.location, error.value.error.code


def test_every_member_reaches_its_column() -> None:
    row = parse()
    assert msgspec.structs.replace(row, properties="", user_properties="") == Row(
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
    )
    assert json.loads(row.properties) == CALL["properties"]
    assert json.loads(row.user_properties) == {
        name: value for name, value in CALL.items() if name not in ("properties", "sentAt")
    }


def test_unknown_members_are_kept() -> None:
    row = parse(_metadata={"bundled": ["Segment.io"]}, traits={"plan": "pro"})
    assert json.loads(row.user_properties)["_metadata"] == {"bundled": ["Segment.io"]}
    assert json.loads(row.user_properties)["traits"] == {"plan": "pro"}


def test_the_write_key_is_kept_nowhere() -> None:
    assert b"wk_secret" not in msgspec.json.encode(parse(writeKey="wk_secret"))


def test_texts_are_kept_as_they_are_written() -> None:
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
        ({"anonymousId": 0}, "0"),
        ({"anonymousId": None, "userId": 1.5}, "1.5"),
        ({"anonymousId": "x" * 300}, "x" * 255),
    ],
    ids=lambda value: str(value)[:48],
)
def test_the_device_is_named_by_device_then_anonymous_then_user_id(changes: Anything, device_id: str) -> None:
    assert parse(**changes).device_id == device_id


@pytest.mark.parametrize(
    "changes", [{}, {"anonymousId": None, "userId": None}, {"anonymousId": "", "userId": ""}], ids=str
)
def test_a_call_without_a_device_is_refused(changes: Anything) -> None:
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
def test_the_name_is_the_events_or_the_pages_or_the_calls(changes: Anything, event_name: str) -> None:
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
def test_the_platform_is_told_by_the_context(context: Anything, platform: str) -> None:
    assert parse(context=context).platform == platform


@pytest.mark.parametrize("call", ["track", "identify", "page", "screen", "group", "alias"])
def test_each_type_of_call_is_taken(call: str) -> None:
    assert parse(type=call).event_type == call


def test_the_path_says_what_a_single_call_is() -> None:
    assert parse(without("type"), event_type="identify").event_type == "identify"
    assert parse(type="track", event_type="page").event_type == "page"


@pytest.mark.parametrize("text", [without("type"), raw(type="purchase"), raw(type=""), raw(type="TRACK")])
def test_a_call_of_no_type_is_refused(text: bytes) -> None:
    assert fault(text) == ("type", "unknown")


@pytest.mark.parametrize("text", [b"null", b"5", b'"track"', b"[]", b'{"type": 5}', b'{"type": null}'], ids=ascii)
def test_what_is_no_call_is_refused(text: bytes) -> None:
    assert fault(text)[1] in {"invalid", "unknown"}


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
def test_an_optional_member_of_another_kind_loses_no_call(changes: dict[str, Any]) -> None:
    row = parse(**changes)
    assert row.device_id
    assert row.event_name
    assert row.event_id
    for name, value in changes.items():
        if name != "properties":
            assert json.loads(row.user_properties)[name] == value


@pytest.mark.parametrize("timestamp", [5, "yesterday", "", "2026-02-30T10:00:00Z", [], 1_700_000_000_000])
def test_a_time_that_cannot_be_read_holds_the_call(timestamp: object) -> None:
    row = parse(timestamp=timestamp)
    assert (row.reason, row.event_timestamp) == ("clock", "2026-11-24 12:00:00.456")
    assert json.loads(row.user_properties)["timestamp"] == timestamp


def test_a_message_id_that_is_too_long_is_not_cut_into_anothers() -> None:
    first, second = parse(messageId="m" * 300), parse(messageId="m" * 301)
    assert len({first.event_id, second.event_id, parse(messageId="m" * 300).event_id}) == 2


def test_a_call_has_at_most_32_kib() -> None:
    room = MAX_EVENT_BYTES - len(raw(properties={"note": ""}))
    assert parse(properties={"note": "x" * room}).event_id == "ajs-1001"
    assert fault(raw(properties={"note": "x" * (room + 1)})) == ("", "too_large")


@pytest.mark.parametrize("member", ["messageId", "event", "anonymousId"])
def test_the_nul_character_is_refused_where_it_is(member: str) -> None:
    assert fault(json.dumps({**CALL, member: "a\0b"}).encode()) == (member, "invalid_characters")


# -------------------------------------------------------------------------------------------------------------- times


def test_the_clients_time_stays_and_the_server_adds_its_own() -> None:
    row = parse(timestamp="2026-11-24T13:00:00+01:00", sentAt="2026-11-24T23:00:00Z")
    assert (row.event_timestamp, row.received_at) == ("2026-11-24 12:00:00.000", "2026-11-24 12:00:00.456789")


def test_a_time_without_a_zone_is_utc() -> None:
    assert parse(timestamp="2026-11-20T10:00:00").event_timestamp == "2026-11-20 10:00:00.000"


@pytest.mark.parametrize("text", [without("timestamp"), raw(timestamp=None)], ids=["missing", "null"])
def test_without_a_time_it_happened_when_it_was_received(text: bytes) -> None:
    row = parse(text)
    assert (row.event_timestamp, row.reason) == (row.received_at[:23], "")


@pytest.mark.parametrize(
    "timestamp",
    [
        (NOW - timedelta(days=90, microseconds=1)).isoformat(),
        (NOW + timedelta(hours=24, microseconds=1)).isoformat(),
        "1970-01-01T00:00:00Z",
        "2001-01-01T00:00:00",
        "1601-01-01T00:00:00Z",
        "2106-02-07T06:28:16Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
    ],
)
def test_a_clock_that_cannot_be_believed_holds_the_event(timestamp: str) -> None:
    row = parse(timestamp=timestamp)
    assert row.reason == "clock"
    assert row.event_timestamp.startswith(timestamp[:4])


@pytest.mark.parametrize("timestamp", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_time_that_utc_does_not_have_holds_the_event(timestamp: str) -> None:
    assert parse(timestamp=timestamp).reason == "clock"


@pytest.mark.parametrize("moment", [NOW, NOW - timedelta(days=90), NOW + timedelta(hours=24)], ids=str)
def test_an_event_in_time_is_not_held(moment: datetime) -> None:
    assert parse(timestamp=moment.isoformat()).reason == ""


# -------------------------------------------------------------------------------------------------------------- money


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
    ],
    ids=str,
)
def test_money_comes_from_the_properties(properties: Anything, money: tuple[str, str]) -> None:
    row = parse(properties=properties)
    assert (Decimal(row.revenue), row.currency) == (Decimal(money[0]), money[1])


@pytest.mark.parametrize(
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
def test_what_is_no_amount_of_a_known_currency_counts_as_none(properties: Anything) -> None:
    row = parse(properties=properties)
    assert (Decimal(row.revenue), row.currency) == (Decimal(), "USD")
    assert len(row.revenue) <= 20


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400, "1" + "0" * 5000], ids=lambda text: text[:5])
def test_a_number_beyond_all_bounds_counts_as_no_money(number: str) -> None:
    row = parse(raw(properties={"revenue": 7}).replace(b"7}", f"{number}}}".encode()))
    assert (Decimal(row.revenue), row.currency) == (Decimal(), "USD")
    assert number in row.properties


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8) | st.floats(allow_nan=False) | st.integers())
def test_money_always_fits_its_column(revenue: Decimal | float) -> None:
    stored = parse(properties={"revenue": str(revenue)}).revenue
    assert abs(Decimal(stored)) < 10**12
    assert len(stored.partition(".")[2]) <= 6


@pytest.mark.parametrize("revenue", ["999999999999.9999995", "-999999999999.9999999"])
def test_money_that_would_round_to_thirteen_digits_counts_as_none(revenue: str) -> None:
    assert Decimal(parse(properties={"revenue": revenue}).revenue) == 0


# ----------------------------------------------------------------------------------------------------------- identity


def test_a_retry_with_a_new_sent_at_is_the_same_event() -> None:
    for members in ((), ("messageId",)):
        first = parse(without(*members))
        again = parse(without(*members).replace(b"11:59:59", b"12:34:56"))
        assert first.identity == again.identity
        assert first == again


def test_a_message_id_is_the_events_id() -> None:
    assert parse(messageId="m-1", event="A").event_id == parse(messageId="m-1", event="B").event_id == "m-1"


@pytest.mark.parametrize("text", [without("messageId"), raw(messageId=None), raw(messageId="")])
def test_without_a_message_id_the_text_makes_one(text: bytes) -> None:
    globex = Reception(organization_id=GLOBEX, received_at=NOW, retention=timedelta(days=90))
    mine, others = parse(text), parse(text, reception=globex)
    assert UUID(mine.event_id).version == 5
    assert mine.event_id == parse(text).event_id != others.event_id


@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3), st.text(max_size=30), st.text(max_size=60)
)
def test_derived_ids_ignore_what_the_transport_adds(properties: dict[str, str], sent_at: str, key: str) -> None:
    call = {**CALL, "messageId": None, "properties": properties}
    plain = json.dumps({name: value for name, value in call.items() if name != "sentAt"}).encode()
    sent = json.dumps({**json.loads(plain), "sentAt": sent_at, "writeKey": key}).encode()
    expected, actual = parse(msgspec.json.format(plain, indent=-1)), parse(msgspec.json.format(sent, indent=-1))
    assert expected.identity == actual.identity


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(CALL)), JSON_VALUES)
def test_whatever_a_member_holds_a_call_is_a_row_or_refused(member: str, value: Anything) -> None:
    try:
        row = parse(msgspec.json.encode({**CALL, member: value}))
    except InvalidEventError:
        return
    assert msgspec.json.decode(msgspec.json.encode(row), type=Row) == row


def test_the_paths_are_those_of_the_sdks() -> None:
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
