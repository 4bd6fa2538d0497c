"""The refusal of a body names its fault, such as no JSON, compression or deep nesting."""

import gzip
from collections.abc import Callable

import pytest

from tenancy.errors import MalformedRequestError
from tenancy.gateway.bodies import parse_json
from tenancy.gateway.field_errors import NO_BODY_TEXT, list_field_errors
from tenancy.rules.events.batch import decode_body, parse_batch, parse_segment_text
from tenancy.rules.json_faults import DEPTH_TEXT, EMPTY_TEXT, GZIP_TEXT, NO_JSON_TEXT, NOT_UTF8_TEXT, NUMBER_TEXT
from tenancy.rules.json_members import MISSING_TEXT
from tests.members import for_each

READ_LEVELS = 9_900
REFUSED_LEVELS = 10_000
NUMBERS = ["1e400", "-1e999", "9" * 5_000, "[1e400]", '{"b": 1e400}']

type Parse = Callable[[bytes], object]

PARSERS: dict[str, Parse] = {
    "resolver": parse_json,
    "events": lambda body: parse_batch(decode_body(body)),
    "batch": lambda body: parse_segment_text(decode_body(body), is_batch=True),
    "call": lambda body: parse_segment_text(decode_body(body), is_batch=False),
}


def detail_of(parse: Parse, body: bytes) -> str:
    with pytest.raises(MalformedRequestError) as caught:
        parse(body)
    return caught.value.detail


@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t "])
def test_empty_body_is_called_empty(parse: Parse, body: bytes) -> None:
    assert detail_of(parse, body) == EMPTY_TEXT


@for_each("parse", PARSERS.values(), ids=PARSERS)
@for_each("body", [b"{", b'{"a": 01}', b'{"a": "\x01"}', b'{"a": 1e400,}'])
def test_other_text_is_called_invalid_json(parse: Parse, body: bytes) -> None:
    assert detail_of(parse, body) == NO_JSON_TEXT


@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS)
def test_other_encoding_is_named(parse: Parse) -> None:
    assert detail_of(parse, '{"a": "é"}'.encode("latin-1")) == NOT_UTF8_TEXT


@pytest.mark.parametrize("number", NUMBERS)
def test_number_out_of_range_is_named(number: str) -> None:
    assert detail_of(parse_json, f'{{"amount": {number}}}'.encode()) == NUMBER_TEXT


def test_compressed_body_of_another_route_is_named() -> None:
    assert detail_of(parse_json, gzip.compress(b"{}")) == GZIP_TEXT


def test_deep_body_is_read_up_to_the_documented_levels() -> None:
    def nested(levels: int) -> bytes:
        return b'{"events": [{"properties": {"a": ' + b"[" * (levels - 4) + b"]" * (levels - 4) + b"}}]}"

    assert parse_batch(nested(READ_LEVELS)).events
    assert detail_of(parse_batch, nested(REFUSED_LEVELS)) == DEPTH_TEXT
    assert detail_of(parse_json, nested(REFUSED_LEVELS)) == DEPTH_TEXT


def test_missing_body_is_no_missing_member() -> None:
    body, member = list_field_errors(
        [{"type": "missing", "loc": ("body",), "msg": ""}, {"type": "missing", "loc": ("body", "name"), "msg": ""}]
    )

    assert (body.location, body.code, body.message) == ("body", "missing", NO_BODY_TEXT)
    assert member.message == MISSING_TEXT
