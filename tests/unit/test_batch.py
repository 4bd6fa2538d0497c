"""The JSON of a request: invalid JSON is malformed, and the text of each event is unchanged."""

import gzip
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import InvalidError, MalformedRequestError
from tenancy.rules.events.batch import (
    decode_body,
    find_body_key,
    parse_batch,
    parse_segment_batch,
    parse_segment_call,
)
from tests.members import for_each
from tests.unit.batch_bodies import LONE_SURROGATES, texts

DEEP = 100_000
NO_JSON = {
    "nothing": b"",
    "white space": b" \n",
    "text": b"hello",
    "truncated": b'{"LIST":[{}',
    "two documents": b'{"LIST":[{}]}{}',
    "trailing comma": b'{"LIST":[{},]}',
    "single quotes": b"{'LIST':[{}]}",
    "comment": b'{"LIST":[{}]} // end',
    "byte order mark after a space": b' \xef\xbb\xbf{"LIST":[{}]}',
    "two byte order marks": b'\xef\xbb\xbf\xef\xbb\xbf{"LIST":[{}]}',
    "NaN": b'{"LIST":[{"x":NaN}]}',
    "Infinity": b'{"LIST":[{"x":Infinity}]}',
    "-Infinity": b'{"LIST":[{"x":-Infinity}]}',
    "leading zero": b'{"LIST":[{"x":01}]}',
    "number that ends early": b'{"LIST":[{"x":1.}]}',
    "hexadecimal": b'{"LIST":[{"x":0x1}]}',
    "control character": b'{"LIST":[{"x":"\n"}]}',
    "NUL": b'{"LIST":[{"x":"\0"}]}',
    "unknown escape": b'{"LIST":[{"x":"\\x41"}]}',
    "short escape": b'{"LIST":[{"x":"\\u12"}]}',
    "array levels": b'{"LIST":' + b"[" * DEEP,
    "balanced array levels": b'{"LIST":[{"x":' + b"[" * DEEP + b"]" * DEEP + b"}]}",
    "object levels": b'{"LIST":[' + b'{"x":' * DEEP + b"1" + b"}" * DEEP + b"]}",
    "levels beside the list": b'{"x":' + b"[" * DEEP + b"]" * DEEP + b',"LIST":[{}]}',
}


def parse_valid_batch(body: bytes) -> None:
    batch = parse_batch(body)
    if batch.errors:
        raise InvalidError(errors=batch.errors)


@for_each("body", (NO_JSON | LONE_SURROGATES).values(), ids=NO_JSON | LONE_SURROGATES)
def test_batch_of_invalid_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse_batch(body.replace(b"LIST", b"events"))


@for_each("body", NO_JSON.values(), ids=NO_JSON)
def test_segment_batch_of_invalid_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse_segment_batch(body.replace(b"LIST", b"batch"))


@for_each("body", NO_JSON.values(), ids=NO_JSON)
def test_segment_call_of_invalid_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse_segment_call(body.replace(b"LIST", b"properties"))


# ---------------------------------------------------------------------------------------------------- JSON of a batch


def test_text_of_each_event_is_unchanged() -> None:
    batch = parse_batch(b'{"context":1,"events":[ {"a": 1.10} ,null,"\\u00e9",[1]],"organization_id":"acme"}')

    assert texts(batch.events) == [b'{"a": 1.10}', b"null", b'"\\u00e9"', b"[1]"]
    assert batch.organization_id == "acme"


@pytest.mark.parametrize("encode", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_byte_order_mark_is_left_out(encode: Callable[[bytes], bytes]) -> None:
    body = encode(b"\xef\xbb\xbf" + b'{"batch":[{}],"events":[{}]}')

    decoded = decode_body(body)

    assert len(parse_batch(decoded).events) == len(parse_segment_batch(decoded).batch) == 1


def test_text_of_each_call_is_unchanged() -> None:
    batch = parse_segment_batch(b'{"batch":[ {"a": 1.10} ,null],"writeKey":"wk","sentAt":"now","context":{}}')

    assert texts(batch.batch) == [b'{"a": 1.10}', b"null"]
    assert batch.writeKey == "wk"


def test_single_call_is_a_batch_of_one() -> None:
    body = b' {"type":"track","writeKey":"wk"} '

    call = parse_segment_call(body)

    assert [text.strip() for text in texts(call.batch)] == [body.strip()]
    assert call.writeKey == "wk"


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b"5",
        b'"LIST"',
        b"{}",
        b'{"LIST":null}',
        b'{"LIST":{}}',
        b'{"LIST":"x"}',
        b'{"LIST":[]}',
        b'{"list":[{}]}',
        b'{"LIST":[' + b",".join([b"{}"] * 2501) + b"]}",
    ],
    ids=lambda body: body[:16].decode(),
)
def test_body_without_1_to_2500_events_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidError):
        parse_valid_batch(body.replace(b"LIST", b"events"))

    with pytest.raises(InvalidError):
        parse_segment_batch(body.replace(b"LIST", b"batch"))


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (b'{"events":[{}],"evnts":1,"x":2}', [("body/evnts", "unknown_member"), ("body/x", "unknown_member")]),
        (b'{"evnts":[{}]}', [("body/events", "missing"), ("body/evnts", "unknown_member")]),
        (b'{"events":{}}', [("body/events", "invalid_type")]),
        (b'{"events":null}', [("body/events", "invalid_type")]),
        (b'{"events":[{}],"sentAt":1,"writeKey":2,"context":3}', []),
    ],
)
def test_members_of_a_batch_at_fault_are_named(body: bytes, faults: list[tuple[str, str]]) -> None:
    batch = parse_batch(body)

    assert [(error.location, error.code) for error in batch.errors] == faults


@pytest.mark.parametrize("value", [b"5", b"[]", b'"globex"'])
def test_organization_of_a_batch_at_fault_is_kept(value: bytes) -> None:
    batch = parse_batch(b'{"evnts":1,"organization_id":' + value + b"}")

    assert batch.organization_id == value.decode().strip('"')


@pytest.mark.parametrize(
    ("parse", "body", "location"),
    [
        (parse_segment_batch, b"[]", "body"),
        (parse_segment_batch, b'{"writeKey":"wk"}', "body/batch"),
        (parse_segment_batch, b'{"batch":{}}', "body/batch"),
        (parse_segment_batch, b'{"batch":[]}', "body/batch"),
        (parse_segment_batch, b'{"batch":[{}],"writeKey":5}', "body/writeKey"),
        (parse_segment_call, b"[]", "body"),
        (parse_segment_call, b'{"writeKey":5}', "body/writeKey"),
    ],
)
def test_members_of_a_segment_body_at_fault_are_named(
    parse: Callable[[bytes], object], body: bytes, location: str
) -> None:
    with pytest.raises(InvalidError) as refusal:
        parse(body)

    assert [error.location for error in refusal.value.errors] == [location]


def test_2500_events_are_accepted() -> None:
    assert len(parse_batch(b'{"events":[' + b",".join([b"{}"] * 2500) + b"]}").events) == 2500
    assert len(parse_segment_batch(b'{"batch":[' + b",".join([b"{}"] * 2500) + b"]}").batch) == 2500


@pytest.mark.parametrize("body", [b"null", b"[]", b'"track"', b'{"writeKey":5}'])
def test_segment_call_must_be_an_object(body: bytes) -> None:
    with pytest.raises(InvalidError):
        parse_segment_call(body)


@pytest.mark.parametrize("key", [b"5", b"{}", b"[]", b"true"])
def test_write_key_must_be_a_text(key: bytes) -> None:
    for events in (b"{}", rb'{"x":"\ud800"}'):
        with pytest.raises((InvalidError, MalformedRequestError)):
            parse_segment_batch(b'{"batch":[' + events + b'],"writeKey":' + key + b"}")


@given(
    st.binary(max_size=60), st.sampled_from([b'{"batch":[%s]}', b'{"events":[%s]}', b'{"batch":[{"x":"%s"}]}', b"%s"])
)
def test_arbitrary_bytes_are_parsed_or_refused(inner: bytes, around: bytes) -> None:
    for parse in (parse_batch, parse_segment_batch, parse_segment_call):
        try:
            body = decode_body(around % inner)
            parse(body)
        except (InvalidError, MalformedRequestError):
            continue


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"batch":[],"writeKey":"wk_a"}', "wk_a"),
        (b'{"writeKey" :\n"wk_a","batch":[NaN,"\\ud83d"}', "wk_a"),
        (b'{"batch":[{"writeKey":"wk_b"}],"writeKey":"wk_a"}', "wk_a"),
        (b'{"writeKey":"wk_b","writeKey":"wk_a"}', "wk_a"),
        (b'{"batch":[{"writeKey":"wk_a"},{"writeKey":"wk_a"}]}', "wk_a"),
        (b'{"batch":[{"writeKey":"wk_a"},{"writeKey":"wk_b"}]}', None),
        (b'{"writeKey":5}', None),
        (b'{"writeKey":null}', None),
        (b'{"writeKey":""}', None),
        (b'{"write\\u004bey":"wk_a"}', None),
        (b"", None),
        (b"[]", None),
    ],
)
def test_write_key_is_found_by_one_scan(body: bytes, key: str | None) -> None:
    assert find_body_key(body) == key
