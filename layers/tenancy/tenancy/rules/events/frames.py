"""Compresses rows into frames, which go through the queue into ClickHouse unchanged."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import pybase64
import zstandard

from tenancy.rules.events.row import EventRow

MAX_ROWS: Final = 1_000
# SQS counts the text and the attributes of a message. The limit is below 256 KiB, so that small messages share a call.
MAX_TEXT_BYTES: Final = 250 * 1024
ZSTD_LEVEL: Final = 1
MAX_DECODED_BYTES: Final = 128 * 1024 * 1024  # 1,000 rows of 32 KiB, whose properties JSON may escape several times

type EventTable = Literal["events", "held_events"]
TABLES: Final[tuple[EventTable, ...]] = ("events", "held_events")

_encoder: Final = msgspec.json.Encoder()
_kept: Final = threading.local()


@dataclass(frozen=True, slots=True)
class Frame:
    """A zstd frame of JSONEachRow lines as Base64 text, and the number of its rows.

    Concatenated frames are one valid zstd stream.
    """

    text: str
    events: int

    @property
    def bytes(self) -> bytes:
        """The zstd frame as bytes."""
        return pybase64.b64decode(self.text, validate=True)


def encode_frames(rows: Sequence[EventRow]) -> list[Frame]:
    """Return frames of at most 1,000 *rows* and 250 KiB of text each, in order."""
    frames: list[Frame] = []
    if not rows:
        return frames
    for start in range(0, len(rows), MAX_ROWS):
        frames.extend(_split(rows[start : start + MAX_ROWS]))
    return frames


def encode_lines(lines: Sequence[bytes]) -> str:
    """Return the text of one frame with *lines* of JSON."""
    return pybase64.b64encode_as_string(_compressor().compress(b"\n".join([*lines, b""])))


def decode_lines(text: str) -> list[bytes]:
    """Return the lines of JSON in the frame *text*.

    Raises:
        ValueError: *text* is no frame, or has more than `MAX_DECODED_BYTES`.
    """
    try:
        frame = Frame(text, 0).bytes
        with zstandard.ZstdDecompressor().stream_reader(frame, read_across_frames=True) as reader:
            decoded = reader.read(MAX_DECODED_BYTES + 1)
    except zstandard.ZstdError as error:
        raise ValueError("The text is no zstd frame.") from error
    if len(decoded) > MAX_DECODED_BYTES:
        raise ValueError(f"The frame has more than {MAX_DECODED_BYTES} bytes.")
    return decoded.splitlines()


def _split(rows: Sequence[EventRow]) -> list[Frame]:
    text = pybase64.b64encode_as_string(_compressor().compress(_encoder.encode_lines(rows)))
    if len(text) <= MAX_TEXT_BYTES or len(rows) == 1:
        return [Frame(text, len(rows))]
    middle = len(rows) // 2
    return _split(rows[:middle]) + _split(rows[middle:])


def _compressor() -> zstandard.ZstdCompressor:
    """Return the compressor of this thread. To prepare one takes longer than to compress 1,000 rows."""
    if not hasattr(_kept, "compressor"):
        _kept.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
    compressor: zstandard.ZstdCompressor = _kept.compressor
    return compressor
