"""A lone surrogate becomes U+FFFD and changes no other event."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import InvalidError, MalformedRequestError
from tenancy.rules.events.batch import SegmentBatch, parse_segment_text
from tenancy.rules.events.row import BatchContext, EventRow, InvalidEventError
from tenancy.rules.events.segment import parse_segment_message
from tests.unit.batch_bodies import LONE_SURROGATES, texts

RECEPTION = BatchContext(
    organization_id=UUID("0a000000-0000-4000-8000-00000000000a"),
    received_at=datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
)
BROKEN = rb'{"type":"track","userId":"u","event":"cut \ud83d"}'
WHOLE: list[dict[str, Any]] = [
    {"type": "track", "userId": "u", "messageId": "m-1", "properties": {"revenue": 1.5}},
    {"type": "page", "anonymousId": "é 🦀", "properties": {"a": [1, None, True], "b": "\\ud800"}},
    {"type": "identify", "userId": 7, "traits": {"n": 1.0, "m": 10**20}},
]


def parse_segment_batch(body: bytes) -> SegmentBatch:
    return parse_segment_text(body, is_batch=True)


def parse_segment_call(body: bytes) -> SegmentBatch:
    return parse_segment_text(body, is_batch=False)


def rows(body: bytes) -> list[EventRow | None]:
    """Parse like ingest, with None for a refused event."""
    parsed: list[EventRow | None] = []
    for text in texts(parse_segment_batch(body).batch):
        try:
            parsed.append(parse_segment_message(text, RECEPTION))
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
def test_lone_surrogate_changes_no_other_event(
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
def test_lone_surrogate_becomes_the_replacement_character(body: bytes) -> None:
    for parse, name in ((parse_segment_batch, b"batch"), (parse_segment_call, b"properties")):
        [text] = texts(parse(body.replace(b"LIST", name)).batch)
        assert "\ufffd" in json.dumps(json.loads(text), ensure_ascii=False)


@given(st.lists(st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from('\\u"d8')), min_size=1))
def test_surrogates_are_replaced_as_in_browsers(sent: list[str]) -> None:
    body = json.dumps({"batch": sent}).encode()
    well_formed = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in sent]
    expected = [text.replace("\0", "\ufffd") for text in well_formed]

    assert [json.loads(text) for text in texts(parse_segment_batch(body).batch)] == expected


@pytest.mark.parametrize("text", [r"\\ud800", r"\\\ud83e\udd80", r"\ud83e\udd80", r"\\u0000", r"\"\n\/"])
def test_escape_that_looks_like_a_surrogate_stays(text: str) -> None:
    body = b'{"batch":[{"x":"\\ud800"},{"x":"%s"}]}' % text.encode()
    assert texts(parse_segment_batch(body).batch)[1] == b'{"x":"%s"}' % text.encode()


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "1" + "0" * 400, "1" + "0" * 5000, "1.10"], ids=lambda text: text[:5]
)
def test_lone_surrogate_changes_no_number(number: str) -> None:
    neighbour = b'{"type":"track","userId":"u","messageId":"m","properties":{"n":%s}}' % number.encode()

    [_, row] = rows(batch_of([BROKEN, neighbour]))

    assert row is not None
    assert row.properties == f'{{"n":{number}}}'


def test_write_key_is_found_beside_a_lone_surrogate() -> None:
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
        rb'{"batch":[{"x":"\ud800"},{"x":NaN1}]}',
    ],
)
def test_lone_surrogate_makes_no_invalid_batch_valid(body: bytes) -> None:
    with pytest.raises((InvalidError, MalformedRequestError)):
        parse_segment_batch(body)
