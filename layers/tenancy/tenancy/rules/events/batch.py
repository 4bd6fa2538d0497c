"""The bytes of a request -> the JSON texts of its events: decompressed within bounds, split, nothing decoded twice."""

import re
import zlib
from typing import Final

import msgspec

from tenancy.errors import InvalidError, MalformedRequestError, TooLargeError

MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
MAX_EVENTS: Final = 2_500
GZIP_MAGIC: Final = b"\x1f\x8b"
GZIP_WINDOW_BITS: Final = 31
MAX_GZIP_MEMBERS: Final = 32  # each costs a copy of what follows it
# A surrogate's escape, or a pair of them, after an even number of backslashes: an odd one would be escaped itself.
SURROGATES: Final = re.compile(
    rb"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
PAIR_BYTES: Final = 12
MAX_SURROGATES: Final = 100_000


class Batch(msgspec.Struct, frozen=True):
    """The body of POST /v1/events."""

    events: list[msgspec.Raw]
    organization_id: str | None = None


class SegmentBatch(msgspec.Struct, frozen=True):
    """The body of the Segment paths that take many events."""

    batch: list[msgspec.Raw]
    writeKey: str | None = None  # noqa: N815 - the SDKs' spelling


class SegmentCall(msgspec.Struct, frozen=True):
    """What the transport reads in the body of a Segment path that takes one call: the call itself is the body."""

    writeKey: str | None = None  # noqa: N815


_call_decoder: Final = msgspec.json.Decoder(SegmentCall)
_batch_decoder: Final = msgspec.json.Decoder(Batch)
_segment_decoder: Final = msgspec.json.Decoder(SegmentBatch)


def decode_body(body: bytes) -> bytes:
    """Return the JSON text of *body*; gzip is told by its first two bytes, because SDKs do not always say it.

    Raises:
        MalformedRequestError: broken gzip, or bytes that are no UTF-8.
        TooLargeError: more than 4 MB when decoded.
    """
    if body.startswith(GZIP_MAGIC):
        body = _gunzip(body)
    if len(body) > MAX_BATCH_BYTES:
        raise TooLargeError(f"A body has at most {MAX_BATCH_BYTES} bytes.")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequestError("The body is not UTF-8.") from error
    return body


def parse_batch(body: bytes) -> Batch:
    """Return the events of a decoded POST /v1/events body, each still as JSON text.

    Raises:
        MalformedRequestError: no JSON (RFC 8259), which includes NaN and lone surrogates.
        InvalidError: no list of 1 to 2,500 events.
    """
    batch = _decode(_batch_decoder, body)
    _check_length(len(batch.events))
    return batch


def parse_segment_batch(body: bytes) -> SegmentBatch:
    """Return the events of a decoded Segment batch.

    A lone surrogate, which JavaScript writes where a text was cut inside an emoji, becomes U+FFFD.

    Raises:
        MalformedRequestError: no JSON.
        InvalidError: no list of 1 to 2,500 events.
    """
    batch = _decode(_segment_decoder, replace_lone_surrogates(body))
    _check_length(len(batch.batch))
    return batch


def parse_segment_call(body: bytes) -> SegmentBatch:
    """Return a decoded Segment body that is one call, as a batch of one.

    Raises:
        MalformedRequestError: no JSON.
        InvalidError: no object.
    """
    mended = replace_lone_surrogates(body)
    call = _decode(_call_decoder, mended)
    return SegmentBatch(batch=[msgspec.Raw(mended)], writeKey=call.writeKey)


def _decode[T](decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidError(str(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedRequestError("The body is not valid JSON.") from error


def replace_lone_surrogates(body: bytes) -> bytes:
    """Put U+FFFD where half a surrogate pair stands, as `String.toWellFormed()` does; every other byte stays.

    In JSON a backslash stands in strings only, so that this finds exactly these. A body with more surrogates than any
    SDK sends is left as it is: mending costs time.
    """
    surrogates = body.count(b"\\ud") + body.count(b"\\uD")
    if not 0 < surrogates <= MAX_SURROGATES:
        return body
    return SURROGATES.sub(lambda found: found[0] if len(found[2]) == PAIR_BYTES else found[1] + b"\\ufffd", body)


def _check_length(count: int) -> None:
    if not 1 <= count <= MAX_EVENTS:
        raise InvalidError(f"A batch has 1 to {MAX_EVENTS} events, not {count}.")


def _gunzip(body: bytes) -> bytes:
    """Inflate every member of *body*, never more than the bound, so that a bomb costs no memory."""
    inflated = bytearray()
    for _ in range(MAX_GZIP_MEMBERS):
        inflater = zlib.decompressobj(GZIP_WINDOW_BITS)
        try:
            inflated += inflater.decompress(body, MAX_BATCH_BYTES + 1 - len(inflated))
        except zlib.error as error:
            raise MalformedRequestError("The body is not valid gzip.") from error
        if len(inflated) > MAX_BATCH_BYTES:
            raise TooLargeError(f"A body has at most {MAX_BATCH_BYTES} bytes when decoded.")
        if not inflater.eof:
            raise MalformedRequestError("The gzip body ends too early.")
        body = inflater.unused_data
        if not body:
            return bytes(inflated)
    raise MalformedRequestError(f"A gzip body has at most {MAX_GZIP_MEMBERS} members.")
