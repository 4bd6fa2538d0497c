"""The bytes of a request: what is no JSON is refused as malformed, and what is broken costs only itself."""

import gzip
import json
import random
import time
import tracemalloc
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import InvalidError, MalformedRequestError, TooLargeError
from tenancy.events.batch import (
    MAX_BODY_BYTES,
    decode_body,
    parse_batch,
    parse_segment_batch,
    parse_segment_call,
)
from tenancy.events.row import InvalidEventError, Reception, Row
from tenancy.events.segment import parse_message

RECEPTION = Reception(
    organization_id=UUID("0a000000-0000-4000-8000-00000000000a"),
    received_at=datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
    retention=timedelta(days=90),
)
DEEP = 100_000


def texts(raws: list[msgspec.Raw]) -> list[bytes]:
    return [bytes(raw) for raw in raws]


# ------------------------------------------------------------------------------------------------------------ decoding


@given(st.text())
def test_gzip_is_told_by_its_first_bytes(text: str) -> None:
    body = text.encode()
    assert decode_body(body) == decode_body(gzip.compress(body)) == body


def test_all_members_of_a_gzip_body_are_read() -> None:
    assert decode_body(gzip.compress(b'{"events":') + gzip.compress(b"") + gzip.compress(b"[1]}")) == b'{"events":[1]}'


BROKEN_GZIP = {
    "nothing after the first bytes": b"\x1f\x8b",
    "no header": b"\x1f\x8b" + b"\0" * 40,
    "another method": b"\x1f\x8b\x07" + b"\0" * 40,
    "truncated": gzip.compress(b'{"events":[]}')[:-1],
    "truncated in the middle": gzip.compress(random.Random(1).randbytes(1000).hex().encode())[:500],
    "second member truncated": gzip.compress(b"{}") + gzip.compress(b"{}")[:-3],
    "second member is none": gzip.compress(b"{}") + b"{}",
    "wrong checksum": gzip.compress(b"{}")[:-8] + b"\0\0\0\0\2\0\0\0",
    "wrong length": gzip.compress(b"{}")[:-4] + b"\7\0\0\0",
    "a byte turned": gzip.compress(b'{"events":[]}' * 9)[:12] + b"\xff" + gzip.compress(b'{"events":[]}' * 9)[13:],
}


@pytest.mark.parametrize("body", BROKEN_GZIP.values(), ids=BROKEN_GZIP)
def test_broken_gzip_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        decode_body(body)


@given(st.binary(max_size=200))
def test_whatever_follows_the_first_bytes_is_a_body_or_malformed(tail: bytes) -> None:
    for body in (tail, b"\x1f\x8b" + tail, gzip.compress(b"{}") + tail, gzip.compress(tail)):
        try:
            decode_body(body).decode()
        except MalformedRequestError:
            continue


@pytest.mark.parametrize("body", [b"\xff", b'{"events":["\xc3"]}', "{}".encode("utf-16"), b"\xed\xa0\x80"])
def test_a_body_is_utf_8(body: bytes) -> None:
    for sent in (body, gzip.compress(body)):
        with pytest.raises(MalformedRequestError):
            decode_body(sent)


def test_a_body_has_at_most_four_megabytes_when_decoded() -> None:
    full = b" " * MAX_BODY_BYTES
    assert MAX_BODY_BYTES == 4 * 1024 * 1024
    assert decode_body(full) == full
    assert decode_body(gzip.compress(full)) == full
    for body in (full + b" ", gzip.compress(full + b" "), gzip.compress(full) + gzip.compress(b" ")):
        with pytest.raises(TooLargeError):
            decode_body(body)


def test_a_gzip_bomb_costs_no_memory() -> None:
    compressor = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(compressor.compress(bytes(16 * 1024 * 1024)) for _ in range(16)), compressor.flush()])
    assert len(bomb) < 300_000
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        decode_body(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MAX_BODY_BYTES


def test_a_body_of_very_many_gzip_members_costs_no_time() -> None:
    body = gzip.compress(b"") * 100_000
    started = time.perf_counter()
    with suppress(MalformedRequestError):
        decode_body(body)
    assert time.perf_counter() - started < 1


# ------------------------------------------------------------------------------------------------------------- no JSON

NO_JSON = {
    "nothing": b"",
    "white space": b" \n",
    "text": b"hello",
    "truncated": b'{"LIST":[{}',
    "two documents": b'{"LIST":[{}]}{}',
    "trailing comma": b'{"LIST":[{},]}',
    "single quotes": b"{'LIST':[{}]}",
    "comment": b'{"LIST":[{}]} // end',
    "byte order mark": b'\xef\xbb\xbf{"LIST":[{}]}',
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
LONE_SURROGATES = {
    "high": rb'{"LIST":[{"x":"\ud800"}]}',
    "low": rb'{"LIST":[{"x":"\udc00"}]}',
    "wrong order": rb'{"LIST":[{"x":"\udc00\ud800"}]}',
    "high before a letter": rb'{"LIST":[{"x":"\ud800a"}]}',
    "two high": rb'{"LIST":[{"x":"\ud800\ud800"}]}',
    "in a name": rb'{"LIST":[{"\ud800":1}]}',
}


@pytest.mark.parametrize("body", (NO_JSON | LONE_SURROGATES).values(), ids=NO_JSON | LONE_SURROGATES)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse_batch(body.replace(b"LIST", b"events"))


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_a_segment_batch_that_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse_segment_batch(body.replace(b"LIST", b"batch"))


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_a_single_call_that_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse_segment_call(body.replace(b"LIST", b"properties"))


# ---------------------------------------------------------------------------------------------------- JSON of a batch


def test_each_event_stays_as_it_is_written() -> None:
    batch = parse_batch(b'{"x":1,"events":[ {"a": 1.10} ,null,"\\u00e9",[1]],"organization_id":"acme"}')
    assert texts(batch.events) == [b'{"a": 1.10}', b"null", b'"\\u00e9"', b"[1]"]
    assert batch.organization_id == "acme"


def test_each_call_stays_as_it_is_written() -> None:
    batch = parse_segment_batch(b'{"batch":[ {"a": 1.10} ,null],"writeKey":"wk","sentAt":"now","context":{}}')
    assert texts(batch.batch) == [b'{"a": 1.10}', b"null"]
    assert batch.writeKey == "wk"


def test_a_single_call_is_a_batch_of_one() -> None:
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
def test_well_formed_but_no_list_of_1_to_2500_events_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidError):
        parse_batch(body.replace(b"LIST", b"events"))
    with pytest.raises(InvalidError):
        parse_segment_batch(body.replace(b"LIST", b"batch"))


def test_2500_events_are_taken() -> None:
    assert len(parse_batch(b'{"events":[' + b",".join([b"{}"] * 2500) + b"]}").events) == 2500
    assert len(parse_segment_batch(b'{"batch":[' + b",".join([b"{}"] * 2500) + b"]}").batch) == 2500


@pytest.mark.parametrize("body", [b"null", b"[]", b'"track"', b'{"writeKey":5}'])
def test_a_single_call_is_an_object(body: bytes) -> None:
    with pytest.raises(InvalidError):
        parse_segment_call(body)


@pytest.mark.parametrize("key", [b"5", b"{}", b"[]", b"true"])
def test_a_write_key_is_a_text(key: bytes) -> None:
    for events in (b"{}", rb'{"x":"\ud800"}'):
        with pytest.raises((InvalidError, MalformedRequestError)):
            parse_segment_batch(b'{"batch":[' + events + b'],"writeKey":' + key + b"}")


# ------------------------------------------------------------------------------------------------------------ salvage

BROKEN = rb'{"type":"track","userId":"u","event":"cut \ud83d"}'
WHOLE: list[dict[str, Any]] = [
    {"type": "track", "userId": "u", "messageId": "m-1", "properties": {"revenue": 1.5}},
    {"type": "page", "anonymousId": "é 🦀", "properties": {"a": [1, None, True], "b": "\\ud800"}},
    {"type": "identify", "userId": 7, "traits": {"n": 1.0, "m": 10**20}},
]


def rows(body: bytes) -> list[Row | None]:
    """Parse like ingest: None where an event is refused."""
    parsed: list[Row | None] = []
    for text in texts(parse_segment_batch(body).batch):
        try:
            parsed.append(parse_message(text, RECEPTION))
        except InvalidEventError:
            parsed.append(None)
    return parsed


def batch_of(events: list[bytes]) -> bytes:
    return b'{"batch":[' + b",".join(events) + b'],"writeKey":"wk"}'


@given(
    st.lists(st.sampled_from(WHOLE), min_size=1, max_size=5),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.sampled_from([None, (",", ":")]),
    st.booleans(),
)
def test_a_lone_surrogate_costs_one_character_and_changes_no_other_event(
    events: list[dict[str, Any]],
    broken: list[bool],
    separators: tuple[str, str] | None,
    ensure_ascii: bool,  # noqa: FBT001
) -> None:
    whole = [json.dumps(event, separators=separators, ensure_ascii=ensure_ascii).encode() for event in events]
    mixed = [text for at, event in enumerate(whole) for text in ([BROKEN, event] if broken[at] else [event])]
    parsed = rows(batch_of(mixed))
    assert [row for row in parsed if row and row.event_name != "cut \ufffd"] == rows(batch_of(whole))
    assert [row.event_name for row in parsed if row].count("cut \ufffd") == mixed.count(BROKEN)


@pytest.mark.parametrize("body", LONE_SURROGATES.values(), ids=LONE_SURROGATES)
def test_half_a_surrogate_pair_becomes_the_replacement_character(body: bytes) -> None:
    for parse, name in ((parse_segment_batch, b"batch"), (parse_segment_call, b"properties")):
        [text] = texts(parse(body.replace(b"LIST", name)).batch)
        assert "\ufffd" in json.dumps(json.loads(text), ensure_ascii=False)


@given(st.lists(st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from('\\u"d8')), min_size=1))
def test_every_text_arrives_as_browsers_would_mend_it(sent: list[str]) -> None:
    body = json.dumps({"batch": sent}).encode()
    mended = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in sent]
    assert [json.loads(text) for text in texts(parse_segment_batch(body).batch)] == mended


@pytest.mark.parametrize("text", [r"\\ud800", r"\\\ud83e\udd80", r"\ud83e\udd80", r"\u0000", r"\"\n\/"])
def test_what_only_looks_like_half_a_pair_stays(text: str) -> None:
    body = b'{"batch":[{"x":"\\ud800"},{"x":"%s"}]}' % text.encode()
    assert texts(parse_segment_batch(body).batch)[1] == b'{"x":"%s"}' % text.encode()


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "1" + "0" * 400, "1" + "0" * 5000, "1.10"], ids=lambda text: text[:5]
)
def test_a_lone_surrogate_does_not_change_the_numbers_of_its_neighbours(number: str) -> None:
    neighbour = b'{"type":"track","userId":"u","messageId":"m","properties":{"n":%s}}' % number.encode()
    [_, row] = rows(batch_of([BROKEN, neighbour]))
    assert row is not None
    assert row.properties == f'{{"n":{number}}}'


def test_the_write_key_is_found_beside_a_lone_surrogate() -> None:
    assert parse_segment_batch(batch_of([BROKEN])).writeKey == "wk"


@pytest.mark.parametrize(
    "body",
    [
        rb'["\ud800"]',
        rb'"\ud800"',
        rb'{"x":"\ud800"}',
        rb'{"batch":5,"x":"\ud800"}',
        rb'{"batch":null,"x":"\ud800"}',
        rb'{"batch":{"x":"\ud800"}}',
        rb'{"batch":"\ud800"}',
        rb'{"batch":[],"x":"\ud800"}',
        rb'{"batch":[{"x":"\ud800"},{"x":NaN}]}',
    ],
)
def test_a_lone_surrogate_saves_no_body_that_is_no_batch(body: bytes) -> None:
    with pytest.raises((InvalidError, MalformedRequestError)):
        parse_segment_batch(body)


@given(
    st.binary(max_size=60), st.sampled_from([b'{"batch":[%s]}', b'{"events":[%s]}', b'{"batch":[{"x":"%s"}]}', b"%s"])
)
def test_no_bytes_are_refused_in_another_way(inner: bytes, around: bytes) -> None:
    for parse in (parse_batch, parse_segment_batch, parse_segment_call):
        try:
            body = decode_body(around % inner)
            parse(body)
        except (InvalidError, MalformedRequestError):
            continue
