"""The bytes of a request -> the JSON texts of its events: decompressed within bounds, split, nothing decoded twice."""

import json
import zlib
from typing import Final

import msgspec

from tenancy.errors import InvalidError, MalformedRequestError, TooLargeError

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
MAX_EVENTS: Final = 2_500
GZIP_MAGIC: Final = b"\x1f\x8b"
GZIP_WINDOW_BITS: Final = 31


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
    if len(body) > MAX_BODY_BYTES:
        raise TooLargeError(f"A body has at most {MAX_BODY_BYTES} bytes.")
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
    try:
        batch = _batch_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidError(str(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedRequestError("The body is not valid JSON.") from error
    _check_length(len(batch.events))
    return batch


def parse_segment_batch(body: bytes) -> SegmentBatch:
    """Return the events of a decoded Segment batch.

    A lone surrogate, which JavaScript writes where a text was cut inside an emoji, costs its own event only.

    Raises:
        MalformedRequestError: no JSON.
        InvalidError: no list of 1 to 2,500 events.
    """
    try:
        batch = _segment_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidError(str(error)) from error
    except msgspec.DecodeError as error:
        batch = _salvage(body, error)
    except RecursionError as error:
        raise MalformedRequestError("The JSON is nested too deeply.") from error
    _check_length(len(batch.batch))
    return batch


def parse_segment_call(body: bytes) -> SegmentBatch:
    """Return a decoded Segment body that is one call, as a batch of one.

    Raises:
        MalformedRequestError: no JSON.
        InvalidError: no object.
    """
    try:
        call = _call_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidError(str(error)) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedRequestError("The body is not valid JSON.") from error
    return SegmentBatch(batch=[msgspec.Raw(body)], writeKey=call.writeKey)


def _salvage(body: bytes, error: msgspec.DecodeError) -> SegmentBatch:
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
        events = [_salvage_event(event) for event in document["batch"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise MalformedRequestError("The body is not valid JSON.") from error
    return SegmentBatch(batch=events, writeKey=document.get("writeKey"))


def _salvage_event(event: object) -> msgspec.Raw:
    """Return the text of *event*; one with a lone surrogate becomes `null`, which is then rejected by its index."""
    try:
        return msgspec.Raw(json.dumps(event, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return msgspec.Raw(b"null")


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _check_length(count: int) -> None:
    if not 1 <= count <= MAX_EVENTS:
        raise InvalidError(f"A batch has 1 to {MAX_EVENTS} events, not {count}.")


def _gunzip(body: bytes) -> bytes:
    """Inflate every member of *body*, never more than the bound, so that a bomb costs no memory."""
    inflated = bytearray()
    while body:
        inflater = zlib.decompressobj(GZIP_WINDOW_BITS)
        try:
            inflated += inflater.decompress(body, MAX_BODY_BYTES + 1 - len(inflated))
        except zlib.error as error:
            raise MalformedRequestError("The body is not valid gzip.") from error
        if len(inflated) > MAX_BODY_BYTES:
            raise TooLargeError(f"A body has at most {MAX_BODY_BYTES} bytes when decoded.")
        if not inflater.eof:
            raise MalformedRequestError("The gzip body ends too early.")
        body = inflater.unused_data
    return bytes(inflated)
