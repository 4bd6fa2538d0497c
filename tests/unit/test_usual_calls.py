"""The row of a usual call is the one that `segment.py` makes."""

import json
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tenancy.rules.events.batch import BODY_KEY, find_body_key
from tenancy.rules.events.names import PLAIN_MAX_CHARACTERS
from tenancy.rules.events.segment import parse_segment_message
from tenancy.rules.events.usual_calls import find_usual_row
from tests.unit.segment_calls import ACME, RECEPTION, Anything, raw, without

IDS: Final[Anything] = st.sampled_from(
    ["device-1", "x" * 255, "x" * 256, "00000000-0000", "Unknown", "", "9774d56d682e549c", "é", "a\0b", 5, 0, None, {}]
)
TEXTS: Final[Anything] = st.sampled_from(["Order", "", "x" * 300, "😀\u0301", 'a"b\\', "\n", 7.50, True, None, []])
TIMES: Final = st.sampled_from(
    [
        "2026-11-20T10:00:00.123Z",
        "2026-11-20 10:00:00.9999+05:30",
        "2026-11-20T10:00:00",
        "2025-12-31T23:59:60Z",
        "2026-11-25T12:00:00.456789Z",
        "2026-11-25T12:00:00.456790Z",
        "1980-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "undefined",
        "",
        None,
        1_764_000_000,
    ]
)
AMOUNTS: Final[Anything] = st.sampled_from(
    ["49.90", " 5 ", "NaN", "", 9.99, 1e300, 0, -3.1234565, 10**20, None, [], "1.0000005"]
)
MEMBERS: Final = st.fixed_dictionaries(
    {},
    optional={
        "revenue": AMOUNTS,
        "currency": st.sampled_from(["EUR", " usd ", "XXX", "", 5, None]),
        "userId": IDS,
        "previousId": IDS,
        "productId": IDS,
        "nested": st.just({"userId": "inner"}),
    },
)
CONTEXTS: Final[Anything] = st.fixed_dictionaries(
    {},
    optional={
        "device": st.sampled_from([{"id": "phone", "type": "iOS"}, {"id": "0"}, {"type": ""}, {"id": 5}, {}, [], None]),
        "os": st.sampled_from([{"name": "Android"}, {"name": None}, {"name": "X" * 300}, "x", None]),
        "sessionId": TEXTS,
        "userAgent": TEXTS,
        "traits": MEMBERS,
    },
)
OTHERS: Final[Anything] = st.sampled_from([None, [], "x", 5])
CALLS: Final[st.SearchStrategy[bytes]] = st.builds(
    lambda members, spaces, is_ascii: json.dumps(members, separators=(spaces, ":"), ensure_ascii=is_ascii).encode(),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["track", "page", "alias", "", "x", None, 5])},
        optional={
            "messageId": IDS,
            "anonymousId": IDS,
            "userId": IDS,
            "previousId": IDS,
            "device_id": IDS,
            "event": TEXTS,
            "name": TEXTS,
            "timestamp": TIMES,
            "originalTimestamp": TIMES,
            "sentAt": TIMES,
            "writeKey": TEXTS,
            "context": CONTEXTS | OTHERS,
            "integrations": OTHERS,
            "properties": MEMBERS | OTHERS,
            "traits": MEMBERS,
        },
    ),
    st.sampled_from([",", " ,\n"]),
    st.booleans(),
)


@given(CALLS, st.sampled_from([None, "track", "group"]))
@example(raw(), None)
@example(raw(properties={}), None)
@example(raw().replace(b'"properties"', b'"properties": {"revenue": 1}, "properties"'), None)
@example(raw().replace(b'"userId": "user-42"', rb'"user\u0049d": "user-42"'), "page")
def test_usual_row_is_the_row_of_the_call(call: bytes, event_type: str | None) -> None:
    row = find_usual_row(call, RECEPTION, event_type)

    assert row is None or row == parse_segment_message(call, RECEPTION, event_type=event_type)


@pytest.mark.parametrize(
    "call", [raw(), without("userId"), without("context"), without("properties"), without("event")]
)
def test_calls_of_sdks_are_usual(call: bytes) -> None:
    assert find_usual_row(call, RECEPTION) is not None


@pytest.mark.parametrize(
    "call",
    [
        raw(organization_id=str(ACME)),
        raw(text="x" * PLAIN_MAX_CHARACTERS),
        raw(messageId="unknown"),
        raw(timestamp=None),
        raw(userId=42),
        without("anonymousId", "userId"),
        b"[]",
    ],
)
def test_other_calls_are_given_up(call: bytes) -> None:
    assert find_usual_row(call, RECEPTION) is None


KEY_PARTS: Final = st.sampled_from(['"writeKey"', ":", " ", '"a"', '"b"', '"a\\', "{", ","])


@given(st.lists(KEY_PARTS, max_size=12).map("".join))
@example('"writeKey":"writeKey":"a"')
def test_key_of_a_body_is_that_of_the_pattern(text: str) -> None:
    keys = {match[1].decode() for match in BODY_KEY.finditer(text.encode())}

    if len(keys) <= 1:
        assert find_body_key(text.encode()) == next(iter(keys), None)
