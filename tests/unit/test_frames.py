"""Frames: rows survive them, and joined they are one stream."""

import io
import random
from collections.abc import Sequence

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.events.frames import MAX_ROWS, MAX_TEXT_BYTES, Frame, encode_frames
from tenancy.rules.events.row import EventRow

TEXTS = st.text(max_size=40)
NAMES = st.lists(TEXTS, max_size=2).map(tuple)
FIELDS = {name: NAMES if name.endswith("_names") else TEXTS for name in EventRow.__struct_fields__}
ROWS: st.SearchStrategy[EventRow] = st.builds(EventRow, **FIELDS)


def row(number: int, properties: str = "{}") -> EventRow:
    fields = {name: [] if name.endswith("_names") else "" for name in EventRow.__struct_fields__}
    return msgspec.convert({**fields, "event_id": f"event-{number}", "properties": properties}, EventRow)


def read(stream: bytes) -> list[EventRow]:
    """Read *stream* as ClickHouse does: one zstd stream, one JSON object a line."""
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(stream), read_across_frames=True) as reader:
        return [msgspec.json.decode(line, type=EventRow) for line in reader.read().splitlines()]


def joined(frames: Sequence[Frame]) -> bytes:
    return b"".join(frame.bytes for frame in frames)


@given(st.lists(ROWS, max_size=20))
def test_rows_survive_the_frames(rows: list[EventRow]) -> None:
    frames = encode_frames(rows)
    assert read(joined(frames)) == rows
    assert sum(frame.events for frame in frames) == len(rows)


@given(st.lists(st.lists(ROWS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_frames_of_several_requests_are_one_stream(batches: list[list[EventRow]]) -> None:
    frames = [frame for rows in batches for frame in encode_frames(rows)]
    assert read(joined(frames)) == [row for rows in batches for row in rows]


@given(st.lists(ROWS, min_size=1, max_size=10))
def test_the_same_rows_make_the_same_bytes(rows: list[EventRow]) -> None:
    assert encode_frames(rows) == encode_frames(list(rows))


def test_no_rows_make_no_frame() -> None:
    assert encode_frames([]) == []


@pytest.mark.parametrize(
    ("count", "events"), [(1, [1]), (1_000, [1_000]), (1_001, [1_000, 1]), (2_500, [1_000, 1_000, 500])]
)
def test_a_frame_has_at_most_a_thousand_rows(count: int, events: list[int]) -> None:
    frames = encode_frames([row(number) for number in range(count)])
    assert [frame.events for frame in frames] == events
    assert MAX_ROWS == 1_000


def test_a_frame_is_smaller_than_a_message_of_the_queue_may_be() -> None:
    noise = random.Random(7)
    rows = [row(number, noise.randbytes(15_000).hex()) for number in range(130)]
    frames = encode_frames(rows)
    assert len(frames) > 8
    assert all(len(frame.text) <= MAX_TEXT_BYTES < 256 * 1024 for frame in frames)
    assert [frame.events for frame in frames] == [len(read(frame.bytes)) for frame in frames]
    assert read(joined(frames)) == rows


def test_a_frame_notices_a_byte_that_was_turned() -> None:
    [frame] = encode_frames([row(1, "x" * 100)])
    assert frame.bytes[:4] == b"\x28\xb5\x2f\xfd"
    broken = frame.bytes[:-1] + bytes([frame.bytes[-1] ^ 1])
    with pytest.raises(zstandard.ZstdError):
        read(broken)
