"""Splits the body of a request into the JSON texts of its events.

Decompression is bounded, and no text is decoded twice.
"""

import re
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from tenancy.errors import BODY, FieldError, InvalidError, MalformedRequestError, TooLargeError
from tenancy.rules.events.event_errors import IGNORED_MEMBERS
from tenancy.rules.events.repair import repair_json, replace_nul
from tenancy.rules.events.row import MAX_EVENT_BYTES
from tenancy.rules.json_faults import GZIP_MAGIC, NOT_UTF8_TEXT, malformed_json
from tenancy.rules.json_members import (
    ESCAPE,
    JSON_NULL,
    KnownMember,
    check_list,
    check_text,
    find_members,
    list_member_errors,
    locate,
    within_body,
)
from tenancy.rules.resolution import ORGANIZATION_MEMBER, find_mentions

MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
MAX_EVENTS: Final = 2_500
GZIP_WINDOW_BITS: Final = 31
MAX_GZIP_MEMBERS: Final = 32  # each costs a copy of the rest of the body
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
WRITE_KEY_MAX_CHARACTERS: Final = 255
RAW_NULL: Final = msgspec.Raw(JSON_NULL)
BODY_KEY_START: Final = b'"writeKey"'
BODY_KEY: Final = re.compile(BODY_KEY_START + rb'[ \t\r\n]*:[ \t\r\n]*"([^"\\]{1,255})"')


class Batch(msgspec.Struct, frozen=True):
    """The body of POST /v1/events, with the *errors* of its own members.

    *has_escapes* is False if none of its texts has a backslash.
    """

    events: list[msgspec.Raw]
    organization_id: str | None = None
    errors: tuple[FieldError, ...] = ()
    has_escapes: bool = True


class _BatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members of the body of POST /v1/events. The last three are ignored."""

    events: list[msgspec.Raw]
    organization_id: str | None = None
    sentAt: msgspec.Raw = RAW_NULL  # noqa: N815 - the SDKs' spelling
    writeKey: msgspec.Raw = RAW_NULL  # noqa: N815
    context: msgspec.Raw = RAW_NULL


class SegmentBatch(msgspec.Struct, frozen=True):
    """The body of a Segment path that takes many calls. A single call is a batch of one.

    *context* and *integrations* are merged into each call.
    """

    batch: list[msgspec.Raw]
    context: msgspec.Raw = RAW_NULL
    integrations: msgspec.Raw = RAW_NULL
    writeKey: str | None = None  # noqa: N815 - the SDKs' spelling
    organization_id: msgspec.Raw = RAW_NULL


class SegmentCall(msgspec.Struct, frozen=True):
    """The transport members in the body of a Segment path that takes one call."""

    writeKey: str | None = None  # noqa: N815


_call_decoder: Final = msgspec.json.Decoder(SegmentCall)
_batch_decoder: Final = msgspec.json.Decoder(_BatchBody)
_json_decoder: Final = msgspec.json.Decoder(msgspec.Raw)
_list_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])
_segment_decoder: Final = msgspec.json.Decoder(SegmentBatch)

WRITE_KEY: Final = {"writeKey": KnownMember(check=check_text(0, WRITE_KEY_MAX_CHARACTERS))}
SEGMENT_MEMBERS: Final[Mapping[str, KnownMember]] = MappingProxyType(
    {"batch": KnownMember(check=check_list, is_required=True), **WRITE_KEY}
)
BATCH_MEMBERS: Final[Mapping[str, KnownMember]] = MappingProxyType(
    {"events": KnownMember(check=check_list, is_required=True)}
)
INVALID_BODY_TEXT: Final = "The body is not valid. `errors` lists the fields."


def decode_body(body: bytes) -> bytes:
    """Return the decompressed JSON text of *body*.

    The first two bytes tell gzip, because SDKs do not always send `Content-Encoding`. A byte order mark is left out.

    Raises:
        MalformedRequestError: the body is not valid gzip or not UTF-8.
        TooLargeError: the decompressed body exceeds 4 MiB.
    """
    if body.startswith(GZIP_MAGIC):
        body = _gunzip(body)
    if len(body) > MAX_BATCH_BYTES:
        raise TooLargeError(f"The body exceeds {MAX_BATCH_BYTES} bytes.")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequestError(NOT_UTF8_TEXT) from error
    return body.removeprefix(BYTE_ORDER_MARK)


def parse_batch(body: bytes) -> Batch:
    """Return the events of a decoded body of POST /v1/events, each as JSON text.

    Members at fault are in `errors`, because a mismatch of the organization comes first. The caller refuses them.

    Raises:
        MalformedRequestError: the body is not valid JSON (RFC 8259). NaN and lone surrogates are not.
        InvalidError: the body is no object, or has not 1 to 2,500 events.
    """
    try:
        decoded = _decode_json(_batch_decoder, body)
    except msgspec.ValidationError:
        return _explain_batch(body)
    _check_length("events", len(decoded.events))
    return Batch(events=decoded.events, organization_id=decoded.organization_id, has_escapes=ESCAPE in body)


def _explain_batch(body: bytes) -> Batch:
    """Return a refused batch with the errors of all its members."""
    members = _split(body)
    if members is None:
        raise _no_object()
    errors = list_member_errors(members, BATCH_MEMBERS, ignored=IGNORED_MEMBERS | {ORGANIZATION_MEMBER})
    events, named = bytes(members.get("events", b"")), find_mentions(body)
    return Batch(
        events=_list_decoder.decode(events)[:MAX_EVENTS] if events.startswith(b"[") else [],
        organization_id=named[0].text if named else None,
        errors=tuple(within_body(errors)),
    )


def find_body_key(body: bytes) -> str | None:
    """Return the `writeKey` of a decoded Segment body, found by one linear scan.

    The scan does not parse JSON, so a single key may be one inside a call. The caller later compares the result with
    the parsed body. Only a body with several different keys is parsed here, to find the one at its top level.

    Raises:
        MalformedRequestError, InvalidError: the body has several keys, and is no JSON object.
    """
    found: bytes | None = None
    start = body.find(BODY_KEY_START)
    while start >= 0:
        match = BODY_KEY.match(body, start)
        if match is not None and found not in {None, match[1]}:
            return _repaired(lambda text: _decode(_call_decoder, text, WRITE_KEY), body).writeKey
        found = found if match is None else match[1]
        start = body.find(BODY_KEY_START, start + 1 if match is None else match.end())
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
    batch = _decode(_segment_decoder, body, SEGMENT_MEMBERS)
    _check_length("batch", len(batch.batch))
    return batch


def parse_segment_call(body: bytes) -> SegmentBatch:
    """Return the one call of a decoded Segment body as a batch.

    Raises:
        MalformedRequestError: the body is not valid JSON.
        InvalidError: the body is not an object.
    """
    call = _decode(_call_decoder, body, WRITE_KEY)
    return SegmentBatch(batch=[msgspec.Raw(body)], writeKey=call.writeKey)


def split_cloud_events(body: bytes, *, is_batch: bool) -> list[msgspec.Raw]:
    """Return the CloudEvents in a decoded body, each as JSON text.

    They are those of a list, or without *is_batch* the body itself.

    Raises:
        MalformedRequestError: the body is not valid JSON (RFC 8259). NaN and lone surrogates are not.
        InvalidError: the body is no list of 1 to 2,500 events, or without *is_batch* no object.
    """
    if not is_batch:
        if _split(body) is None:
            raise _no_object()
        return [msgspec.Raw(body)]
    try:
        events = _decode_json(_list_decoder, body)
    except msgspec.ValidationError as error:
        _decode_json(_json_decoder, body)  # another fault comes first: the body is no JSON
        text = "The body is not a JSON list."
        raise InvalidError(text, errors=[FieldError(location=BODY, code="invalid_type", message=text)]) from error
    _check_length("", len(events))
    return events


def _decode[T](decoder: msgspec.json.Decoder[T], body: bytes, known: Mapping[str, KnownMember]) -> T:
    """Decode the body of a Segment path, of which *known* members are checked.

    Raises:
        MalformedRequestError: the body is not valid JSON.
        InvalidError: the body is no object, or a known member is not valid.
    """
    try:
        return _decode_json(decoder, body)
    except msgspec.ValidationError as error:
        raise _invalid_members(body, known) from error


def _decode_json[T](decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode *body*.

    Raises:
        msgspec.ValidationError: the body has not the members of the decoder's type. It may be invalid JSON after them.
        MalformedRequestError: the body is not valid JSON.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, RecursionError) as error:
        raise malformed_json(body, error) from error


def _split(body: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the members of *body*, or None if it is no object.

    Raises:
        MalformedRequestError: the body is not valid JSON.
    """
    try:
        return find_members(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise malformed_json(body, error) from error


def _invalid_members(body: bytes, known: Mapping[str, KnownMember]) -> InvalidError:
    """Return the refusal of a Segment body, whose other members are free."""
    members = _split(body)
    if members is None:
        return _no_object()
    errors = list_member_errors({name: members[name] for name in known if name in members}, known)
    return InvalidError(INVALID_BODY_TEXT, errors=within_body(errors))


def _no_object() -> InvalidError:
    text = "The body is not a JSON object."
    return InvalidError(text, errors=[FieldError(location=BODY, code="invalid_type", message=text)])


def _check_length(member: str, count: int) -> None:
    if not 1 <= count <= MAX_EVENTS:
        text = f"A batch must have 1 to {MAX_EVENTS} events. This one has {count}."
        code = "too_long" if count else "too_short"
        raise InvalidError(text, errors=[FieldError(location=locate(BODY, member), code=code, message=text)])


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
