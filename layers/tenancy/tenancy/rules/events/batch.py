"""Splits the body of a request into the JSON texts of its events.

Decompression is bounded, and no text is decoded twice.
"""

import re
import zlib
from collections.abc import Callable
from typing import Final

import msgspec

from tenancy.errors import InvalidError, MalformedRequestError, TooLargeError
from tenancy.rules.events.repair import repair_json, replace_nul
from tenancy.rules.events.row import MAX_EVENT_BYTES

MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
MAX_EVENTS: Final = 2_500
GZIP_MAGIC: Final = b"\x1f\x8b"
GZIP_WINDOW_BITS: Final = 31
MAX_GZIP_MEMBERS: Final = 32  # each costs a copy of the rest of the body
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
ABSENT: Final = msgspec.Raw(b"null")
BODY_KEY: Final = re.compile(rb'"writeKey"[ \t\r\n]*:[ \t\r\n]*"([^"\\]{1,255})"')


class Batch(msgspec.Struct, frozen=True):
    """The body of POST /v1/events."""

    events: list[msgspec.Raw]
    organization_id: str | None = None


class SegmentBatch(msgspec.Struct, frozen=True):
    """The body of a Segment path that takes many calls. A single call is a batch of one.

    *context* and *integrations* are merged into each call.
    """

    batch: list[msgspec.Raw]
    context: msgspec.Raw = ABSENT
    integrations: msgspec.Raw = ABSENT
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

    The first two bytes tell gzip, because SDKs do not always send `Content-Encoding`. A byte order mark is left out.

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
    return body.removeprefix(BYTE_ORDER_MARK)


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
            return _repaired(lambda text: _decode(_call_decoder, text), body).writeKey
        found = match[1]
    return None if found is None else found.decode()


def parse_segment_text(body: bytes, *, is_batch: bool) -> SegmentBatch:
    """Return the calls in a decoded body of a Segment path, each as JSON text.

    SDKs drop refused batches, so the text is repaired (rules/events/repair.py). A single call that is too large is
    refused later. So its repair is not worth its time.

    Raises:
        MalformedRequestError, InvalidError: as for `parse_segment_batch` and `parse_segment_call`.
    """
    parse: Callable[[bytes], SegmentBatch] = parse_segment_batch if is_batch else parse_segment_call
    if not is_batch and len(body) > MAX_EVENT_BYTES:
        return parse(body)
    return _repaired(parse, replace_nul(body))


def _repaired[T](parse: Callable[[bytes], T], body: bytes) -> T:
    """Parse *body*. Only a body that is no JSON is searched for the cause."""
    try:
        return parse(body)
    except MalformedRequestError:
        repaired = repair_json(body)
        if repaired == body:
            raise
    return parse(repaired)


def parse_segment_batch(body: bytes) -> SegmentBatch:
    """Return the calls of a decoded Segment batch, each as JSON text.

    Raises:
        MalformedRequestError: the body is not valid JSON.
        InvalidError: the body has no list of 1 to 2,500 calls.
    """
    batch = _decode(_segment_decoder, body)
    _check_length(len(batch.batch))
    return batch


def parse_segment_call(body: bytes) -> SegmentBatch:
    """Return the one call of a decoded Segment body as a batch.

    Raises:
        MalformedRequestError: the body is not valid JSON.
        InvalidError: the body is not an object.
    """
    call = _decode(_call_decoder, body)
    return SegmentBatch(batch=[msgspec.Raw(body)], writeKey=call.writeKey)


def _decode[T](decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidError(str(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedRequestError("The body is not valid JSON.") from error


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
