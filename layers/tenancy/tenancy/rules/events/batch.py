"""Splits the body of a request into the JSON texts of its events.

Decompression is bounded, and no text is decoded twice.
"""

import re
import zlib
from typing import Final

import msgspec

from tenancy.errors import InvalidError, MalformedRequestError, TooLargeError
from tenancy.rules.events.row import MAX_EVENT_BYTES

MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
MAX_EVENTS: Final = 2_500
GZIP_MAGIC: Final = b"\x1f\x8b"
GZIP_WINDOW_BITS: Final = 31
MAX_GZIP_MEMBERS: Final = 32  # each costs a copy of the rest of the body
# The escape of a surrogate or of a pair, after an even number of backslashes. After an odd one it is no escape.
SURROGATES: Final = re.compile(
    rb"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
PAIR_BYTES: Final = 12
BODY_KEY: Final = re.compile(rb'"writeKey"[ \t\r\n]*:[ \t\r\n]*"([^"\\]{1,255})"')
MAX_SURROGATES: Final = 100_000


class Batch(msgspec.Struct, frozen=True):
    """The body of POST /v1/events."""

    events: list[msgspec.Raw]
    organization_id: str | None = None


class SegmentBatch(msgspec.Struct, frozen=True):
    """The body of a Segment path that takes many calls. A single call is a batch of one."""

    batch: list[msgspec.Raw]
    writeKey: str | None = None  # noqa: N815 - the SDKs' spelling
    organization_id: msgspec.Raw = msgspec.Raw(b"null")


class SegmentCall(msgspec.Struct, frozen=True):
    """The transport members in the body of a Segment path that takes one call."""

    writeKey: str | None = None  # noqa: N815


_call_decoder: Final = msgspec.json.Decoder(SegmentCall)
_batch_decoder: Final = msgspec.json.Decoder(Batch)
_segment_decoder: Final = msgspec.json.Decoder(SegmentBatch)


def decode_body(body: bytes) -> bytes:
    """Return the decompressed JSON text of *body*.

    The first two bytes tell gzip, because SDKs do not always send `Content-Encoding`.

    Raises:
        MalformedRequestError: the body is not valid gzip or not UTF-8.
        TooLargeError: the decompressed body exceeds 4 MB.
    """
    if body.startswith(GZIP_MAGIC):
        body = _gunzip(body)
    if len(body) > MAX_BATCH_BYTES:
        raise TooLargeError(f"The body exceeds {MAX_BATCH_BYTES} bytes.")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequestError("The body is not UTF-8.") from error
    return body


def parse_batch(body: bytes) -> Batch:
    """Return the events of a decoded body of POST /v1/events, each as JSON text.

    Raises:
        MalformedRequestError: the body is not valid JSON (RFC 8259). NaN and lone surrogates are not.
        InvalidError: the body has no list of 1 to 2,500 events.
    """
    batch = _decode(_batch_decoder, body)
    _check_length(len(batch.events))
    return batch


def find_body_key(body: bytes) -> str | None:
    """Return the `writeKey` of a decoded Segment body, by one linear scan that understands no other JSON.

    Only a body with several different keys is decoded, to tell which one is at its top level. The caller compares the
    result with the parsed body, because a single key may stand inside of a call.

    Raises:
        MalformedRequestError, InvalidError: the body has several keys, and is no JSON object.
    """
    found: bytes | None = None
    for match in BODY_KEY.finditer(body):
        if found not in {None, match[1]}:
            return _decode(_call_decoder, replace_lone_surrogates(body)).writeKey
        found = match[1]
    return None if found is None else found.decode()


def parse_segment_batch(body: bytes) -> SegmentBatch:
    """Return the calls of a decoded Segment batch, each as JSON text.

    A lone surrogate becomes U+FFFD. JavaScript makes one if it cuts a text inside an emoji.

    Raises:
        MalformedRequestError: the body is not valid JSON.
        InvalidError: the body has no list of 1 to 2,500 calls.
    """
    batch = _decode(_segment_decoder, replace_lone_surrogates(body))
    _check_length(len(batch.batch))
    return batch


def parse_segment_call(body: bytes) -> SegmentBatch:
    """Return the one call of a decoded Segment body as a batch.

    Raises:
        MalformedRequestError: the body is not valid JSON.
        InvalidError: the body is not an object.
    """
    # A larger call is refused later. So its surrogates are not worth their time.
    well_formed = replace_lone_surrogates(body) if len(body) <= MAX_EVENT_BYTES else body
    call = _decode(_call_decoder, well_formed)
    return SegmentBatch(batch=[msgspec.Raw(well_formed)], writeKey=call.writeKey)


def _decode[T](decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidError(str(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedRequestError("The body is not valid JSON.") from error


def replace_lone_surrogates(body: bytes) -> bytes:
    """Replace each lone surrogate by U+FFFD, as `String.toWellFormed()` does.

    All other bytes stay. JSON has backslashes in strings only, so no other text matches. A body with more surrogates
    than any SDK sends stays unchanged, because replacing takes time.
    """
    surrogates = body.count(b"\\ud") + body.count(b"\\uD")
    if not 0 < surrogates <= MAX_SURROGATES:
        return body
    return SURROGATES.sub(lambda found: found[0] if len(found[2]) == PAIR_BYTES else found[1] + b"\\ufffd", body)


def _check_length(count: int) -> None:
    if not 1 <= count <= MAX_EVENTS:
        raise InvalidError(f"A batch must have 1 to {MAX_EVENTS} events. This one has {count}.")


def _gunzip(body: bytes) -> bytes:
    """Decompress *body* up to the limit, so that a gzip bomb takes no memory."""
    inflated = bytearray()
    for _ in range(MAX_GZIP_MEMBERS):
        inflater = zlib.decompressobj(GZIP_WINDOW_BITS)
        try:
            inflated += inflater.decompress(body, MAX_BATCH_BYTES + 1 - len(inflated))
        except zlib.error as error:
            raise MalformedRequestError("The body is not valid gzip.") from error
        if len(inflated) > MAX_BATCH_BYTES:
            raise TooLargeError(f"The body exceeds {MAX_BATCH_BYTES} bytes when decompressed.")
        if not inflater.eof:
            raise MalformedRequestError("The gzip body is truncated.")
        body = inflater.unused_data
        if not body:
            return bytes(inflated)
    raise MalformedRequestError(f"The gzip body has more than {MAX_GZIP_MEMBERS} members.")
