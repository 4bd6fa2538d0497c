"""Repaired JSON: NaN and infinite numbers become null, U+0000 becomes U+FFFD, and nothing else changes."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import MalformedRequestError
from tenancy.rules.events.batch import MAX_BATCH_BYTES, MAX_EVENTS, parse_segment_text
from tenancy.rules.events.repair import repair_json, replace_non_finite_numbers, replace_nul
from tenancy.rules.events.row import MAX_EVENT_BYTES

type Anything = Any

WORDS = ["NaN", "Infinity", "-Infinity"]
TEXTS = st.text() | st.sampled_from([*WORDS, '"NaN"', "\\NaN", '\\"NaN', "\\\\", "\0", "\\u0000", "\\\0", "a\\\\\0"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
FRAGMENTS = st.lists(
    st.sampled_from([*WORDS, '"', "\\", "{", "}", "[", "]", ":", ",", " ", "null", "1", "-", "a", "\\u0000", "\0"])
)


def finite(value: Anything) -> Anything:
    """Return *value* with None for each number that is not finite."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case list():
            return [finite(each) for each in value]
        case dict():
            return {name: finite(each) for name, each in value.items()}
    return value


def without_nul(value: Anything) -> Anything:
    match value:
        case str():
            return value.replace("\0", "\ufffd")
        case list():
            return [without_nul(each) for each in value]
        case dict():
            return {without_nul(name): without_nul(each) for name, each in value.items()}
    return value


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_non_finite_numbers_become_null(value: Anything, ensure_ascii: bool, indent: int | None) -> None:  # noqa: FBT001
    body = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent).encode(errors="surrogatepass")

    assert json.loads(replace_non_finite_numbers(body)) == finite(value)


@given(VALUES, st.booleans())
def test_nul_becomes_the_replacement_character(value: Anything, ensure_ascii: bool) -> None:  # noqa: FBT001
    body = json.dumps(finite(value), ensure_ascii=ensure_ascii).encode(errors="surrogatepass")

    assert json.loads(replace_nul(body)) == without_nul(finite(value))


@given(FRAGMENTS)
def test_repair_makes_no_other_text_valid(fragments: list[str]) -> None:
    body = "".join(fragments).encode()
    repaired = replace_nul(repair_json(body))

    try:
        expected = without_nul(finite(json.loads(body)))
    except ValueError:
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(repaired)
    else:
        assert json.loads(repaired) == expected


@pytest.mark.parametrize("number", ["1e999", "1" + "0" * 400, "1.10", "-0.0", "1E+2"], ids=lambda text: text[:5])
def test_other_numbers_keep_their_text(number: str) -> None:
    body = b'{"batch":[{"x":NaN,"y":%s}]}' % number.encode()

    batch = parse_segment_text(body, is_batch=True)

    assert bytes(batch.batch[0]) == b'{"x":null,"y":%s}' % number.encode()


def test_words_in_a_text_stay() -> None:
    body = b'{"batch":[{"x":"NaN and -Infinity"}]}'

    assert bytes(parse_segment_text(body, is_batch=True).batch[0]) == b'{"x":"NaN and -Infinity"}'


@pytest.mark.parametrize(
    "token", ["nan", "inf", "+Infinity", "--Infinity", "NaN1", "1NaN", "NaNNaN", "undefined", "'x'"]
)
def test_other_words_stay_malformed(token: str) -> None:
    with pytest.raises(MalformedRequestError):
        parse_segment_text(b'{"batch":[{"x":%s}]}' % token.encode(), is_batch=True)


PAIRS = rb"\ud83d\ude00" * 25
MANY_PAIRS = [b'{"event":"%s"}' % PAIRS] * 2_399
MANY_NUMBERS = [b'{"x":[%s]}' % b",".join([b"NaN", b"Infinity", b"-Infinity"] * 27)] * MAX_EVENTS
LARGEST = {
    "halves of surrogates": rb"\ud83d",
    "other halves": rb"\uDE00",
    "halves after backslashes": rb"\\\ud83d",
    "NaN in a text": b"NaN",
    "NaN": b'",NaN,"',
    "negative numbers": b'",-Infinity,"',
}


def batch_of(calls: list[bytes]) -> bytes:
    return b'{"batch":[%s]}' % b",".join(calls)


@pytest.mark.parametrize("calls", [[*MANY_PAIRS, rb'{"event":"\ud83d"}'], MANY_NUMBERS], ids=["pairs", "numbers"])
def test_no_number_of_repairs_loses_a_batch(calls: list[bytes]) -> None:
    batch = parse_segment_text(batch_of(calls), is_batch=True)

    assert [json.loads(bytes(call)) for call in batch.batch[:-1]] == [finite(json.loads(call)) for call in calls[:-1]]


@pytest.mark.parametrize("place", LARGEST.values(), ids=LARGEST)
def test_largest_body_is_repaired_in_every_place(place: bytes) -> None:
    room = MAX_BATCH_BYTES - len(rb'{"batch":[{"x":["\ud800",NaN,""]}]}')
    body = rb'{"batch":[{"x":["\ud800",NaN,"%s"]}]}' % (place * (room // len(place)))

    [call] = parse_segment_text(body, is_batch=True).batch

    assert len(body) <= MAX_BATCH_BYTES
    assert json.loads(bytes(call))["x"] == expected_values(body)


def expected_values(body: bytes) -> Anything:
    values = finite(json.loads(body))["batch"][0]["x"]
    return [each and each.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for each in values]


@pytest.mark.parametrize("fault", [rb'"\ud83d"', b"NaN"])
def test_call_over_its_limit_is_not_repaired(fault: bytes) -> None:
    room = MAX_EVENT_BYTES - len(b'{"a":"","x":%s}' % fault)
    largest = b'{"a":"%s","x":%s}' % (b"a" * room, fault)

    assert parse_segment_text(largest, is_batch=False).batch
    with pytest.raises(MalformedRequestError):
        parse_segment_text(largest.replace(b"a", b"aa", 1), is_batch=False)


def test_surrogate_and_non_finite_number_are_repaired() -> None:
    body = rb'{"batch":[{"event":"\ud83d NaN \u0000","properties":{"x":-Infinity}}]}'

    batch = parse_segment_text(body, is_batch=True)

    assert json.loads(bytes(batch.batch[0])) == {"event": "\ufffd NaN \ufffd", "properties": {"x": None}}
