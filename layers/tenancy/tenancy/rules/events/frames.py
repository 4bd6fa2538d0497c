"""Rows -> frames: the compressed pieces that travel through the queue and into ClickHouse as they are."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import zstandard

from tenancy.rules.events.row import EventRow

MAX_ROWS: Final = 1_000
# SQS counts a message's text and attributes; well below 256 KiB, so that ten small messages share a call.
MAX_TEXT_BYTES: Final = 250 * 1024
ZSTD_LEVEL: Final = 1

type EventTable = Literal["events", "held_events"]
TABLES: Final[tuple[EventTable, ...]] = ("events", "held_events")

_encoder: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Frame:
    """Base64 text of one zstd frame of JSONEachRow lines, and the number of its rows.

    Frames joined byte by byte are one valid zstd stream.
    """

    text: str
    events: int

    @property
    def bytes(self) -> bytes:
        """The zstd frame itself."""
        return base64.b64decode(self.text, validate=True)


def encode_frames(rows: Sequence[EventRow]) -> list[Frame]:
    """Return frames of at most 1,000 *rows* and 250 KiB of text each, in order."""
    frames: list[Frame] = []
    if not rows:
        return frames
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
    for start in range(0, len(rows), MAX_ROWS):
        frames.extend(_cut(rows[start : start + MAX_ROWS], compressor))
    return frames


def _cut(rows: Sequence[EventRow], compressor: zstandard.ZstdCompressor) -> list[Frame]:
    text = base64.b64encode(compressor.compress(_encoder.encode_lines(rows))).decode()
    if len(text) <= MAX_TEXT_BYTES or len(rows) == 1:
        return [Frame(text, len(rows))]
    middle = len(rows) // 2
    return _cut(rows[:middle], compressor) + _cut(rows[middle:], compressor)
