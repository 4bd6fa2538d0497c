"""The row of a usual call is the one that `segment.py` makes."""

import json
from random import Random
from typing import Final

import msgspec
import pytest
from hypothesis import example, find, given
from hypothesis import strategies as st

from tenancy.rules.events.batch import BODY_KEY, find_body_key
from tenancy.rules.events.names import PLAIN_MAX_CHARACTERS
from tenancy.rules.events.row import EventRow
from tenancy.rules.events.segment import parse_segment_message
from tenancy.rules.events.usual_calls import find_usual_calls
from tests.unit.segment_calls import ACME, CALL, RECEPTION, Anything, raw, without

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
VALUES: Final[dict[str, Anything]] = {
    "type": st.sampled_from(["track", "page", "alias", "", "x", None, 5]),
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
    "organization_id": st.sampled_from([None, str(ACME)]),
    "context": CONTEXTS | OTHERS,
    "integrations": OTHERS,
    "properties": MEMBERS | OTHERS,
    "traits": MEMBERS,
}


@st.composite
def calls(draw: st.DrawFn) -> bytes:
    """Return a call that an SDK sends, without a few members, and with other values for a few."""
    absent, changed = (draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=most)) for most in (2, 4))
    sent = {name: value for name, value in CALL.items() if name not in absent}
    members = sent | {name: draw(VALUES[name]) for name in changed}
    separators = draw(st.sampled_from([",", " ,\n"])), ":"
    return json.dumps(members, separators=separators, ensure_ascii=draw(st.booleans())).encode()


def usual_of(sent: list[bytes], event_type: str | None = None) -> dict[int, EventRow]:
    return find_usual_calls([*map(msgspec.Raw, sent)], RECEPTION, event_type)


@given(st.lists(calls(), max_size=4), st.sampled_from([None, "track", "group"]))
@example([raw(), raw(properties={})], None)
@example([raw().replace(b'"properties"', b'"properties": {"revenue": 1}, "properties"')], None)
@example([raw().replace(b'"userId": "user-42"', rb'"user\u0049d": "user-42"')], "page")
def test_usual_row_is_the_row_of_the_call(sent: list[bytes], event_type: str | None) -> None:
    rows = usual_of(sent, event_type)

    assert rows == {index: parse_segment_message(sent[index], RECEPTION, event_type=event_type) for index in rows}


def test_random_calls_are_usual_or_not() -> None:
    assert find(st.lists(calls()), lambda sent: 0 < len(usual_of(sent)) < len(sent), random=Random(1))  # repeatable


@pytest.mark.parametrize(
    "call", [raw(), without("userId"), without("context"), without("properties"), without("event")]
)
def test_calls_of_sdks_are_usual(call: bytes) -> None:
    assert usual_of([call])


@pytest.mark.parametrize(
    "call",
    [
        raw(organization_id=str(ACME)),
        raw(text="x" * PLAIN_MAX_CHARACTERS),
        raw(messageId="unknown"),
        raw(timestamp=None),
        raw(userId=42),
        raw(userId="x" * 256),
        without("anonymousId", "userId"),
        b"[]",
    ],
)
def test_other_calls_are_left_out_alone(call: bytes) -> None:
    assert [*usual_of([raw(), call, raw()])] == [0, 2]


KEY_PARTS: Final = st.sampled_from(['"writeKey"', ":", " ", '"a"', '"b"', '"a\\', "{", ","])


@given(st.lists(KEY_PARTS, max_size=12).map("".join))
@example('"writeKey":"writeKey":"a"')
def test_key_of_a_body_is_that_of_the_pattern(text: str) -> None:
    keys = {match[1].decode() for match in BODY_KEY.finditer(text.encode())}

    if len(keys) <= 1:
        assert find_body_key(text.encode()) == next(iter(keys), None)
