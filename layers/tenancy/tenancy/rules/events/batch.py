"""Splits the body of a request into the JSON texts of its events.

Decompression is bounded, and no text is decoded twice.
"""

import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from tenancy.errors import BODY, FieldError, InvalidError, MalformedRequestError, TooLargeError
from tenancy.rules.events.event_errors import IGNORED_MEMBERS
from tenancy.rules.members import KnownMember, check_list, check_text, find_members, list_member_errors, within_body
from tenancy.rules.resolution import ORGANIZATION_MEMBER, find_mentions

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
MAX_SURROGATES: Final = 100_000
KEY_MAX_CHARACTERS: Final = 255


class Batch(msgspec.Struct, frozen=True):
    """The body of POST /v1/events, with the *errors* of its own members."""

    events: list[msgspec.Raw]
    organization_id: str | None = None
    errors: tuple[FieldError, ...] = ()


class _BatchBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members of the body of POST /v1/events. The last three are ignored."""

    events: list[msgspec.Raw]
    organization_id: str | None = None
    sentAt: msgspec.Raw = msgspec.Raw()  # noqa: N815 - the SDKs' spelling
    writeKey: msgspec.Raw = msgspec.Raw()  # noqa: N815
    context: msgspec.Raw = msgspec.Raw()


class SegmentBatch(msgspec.Struct, frozen=True):
    """The body of a Segment path that takes many calls."""

    batch: list[msgspec.Raw]
    writeKey: str | None = None  # noqa: N815 - the SDKs' spelling


class SegmentCall(msgspec.Struct, frozen=True):
    """The transport members in the body of a Segment path that takes one call."""

    writeKey: str | None = None  # noqa: N815


_call_decoder: Final = msgspec.json.Decoder(SegmentCall)
_batch_decoder: Final = msgspec.json.Decoder(_BatchBody)
_list_decoder: Final = msgspec.json.Decoder(list[msgspec.Raw])
_segment_decoder: Final = msgspec.json.Decoder(SegmentBatch)

WRITE_KEY: Final = {"writeKey": KnownMember(check=check_text(0, KEY_MAX_CHARACTERS))}
SEGMENT_MEMBERS: Final[Mapping[str, KnownMember]] = MappingProxyType(
    {"batch": KnownMember(check=check_list, is_required=True), **WRITE_KEY}
)
EVENTS_MEMBER: Final[Mapping[str, KnownMember]] = MappingProxyType(
    {"events": KnownMember(check=check_list, is_required=True)}
)
NO_JSON_TEXT: Final = "The body is not valid JSON."
NOT_VALID_TEXT: Final = "The body is not valid. `errors` lists the members."


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

    Members at fault are in `errors`, because a mismatch of the organization comes first. The caller refuses them.

    Raises:
        MalformedRequestError: the body is not valid JSON (RFC 8259). NaN and lone surrogates are not.
        InvalidError: the body is no object, or has not 1 to 2,500 events.
    """
    try:
        decoded = _decode(_batch_decoder, body)
    except msgspec.ValidationError:
        return _explain_batch(body)
    _check_length("events", len(decoded.events))
    return Batch(events=decoded.events, organization_id=decoded.organization_id)


def _explain_batch(body: bytes) -> Batch:
    """Return a refused batch with the errors of all its members."""
    members = _split(body)
    if members is None:
        raise _no_object()
    errors = list_member_errors(members, EVENTS_MEMBER, ignored=IGNORED_MEMBERS | {ORGANIZATION_MEMBER})
    events, named = bytes(members.get("events", b"")), find_mentions(body)
    return Batch(
        events=_list_decoder.decode(events)[:MAX_EVENTS] if events.startswith(b"[") else [],
        organization_id=named[0].text if named else None,
        errors=tuple(within_body(errors)),
    )


def parse_segment_batch(body: bytes) -> SegmentBatch:
    """Return the calls of a decoded Segment batch, each as JSON text.

    A lone surrogate becomes U+FFFD. JavaScript makes one if it cuts a text inside an emoji.

    Raises:
        MalformedRequestError: the body is not valid JSON.
        InvalidError: the body has no list of 1 to 2,500 calls.
    """
    well_formed = replace_lone_surrogates(body)
    try:
        batch = _decode(_segment_decoder, well_formed)
    except msgspec.ValidationError as error:
        raise _invalid_members(well_formed, SEGMENT_MEMBERS) from error
    _check_length("batch", len(batch.batch))
    return batch


def parse_segment_call(body: bytes) -> SegmentBatch:
    """Return the one call of a decoded Segment body as a batch.

    Raises:
        MalformedRequestError: the body is not valid JSON.
        InvalidError: the body is not an object.
    """
    well_formed = replace_lone_surrogates(body)
    try:
        call = _decode(_call_decoder, well_formed)
    except msgspec.ValidationError as error:
        raise _invalid_members(well_formed, WRITE_KEY) from error
    return SegmentBatch(batch=[msgspec.Raw(well_formed)], writeKey=call.writeKey)


def _decode[T](decoder: msgspec.json.Decoder[T], body: bytes) -> T:
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
        raise MalformedRequestError(NO_JSON_TEXT) from error


def _split(body: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the members of *body*, or None if it is no object.

    Raises:
        MalformedRequestError: the body is not valid JSON.
    """
    try:
        return find_members(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedRequestError(NO_JSON_TEXT) from error


def _invalid_members(body: bytes, known: Mapping[str, KnownMember]) -> InvalidError:
    """Return the refusal of a Segment body, whose other members are free."""
    members = _split(body)
    if members is None:
        return _no_object()
    errors = list_member_errors({name: members[name] for name in known if name in members}, known)
    return InvalidError(NOT_VALID_TEXT, errors=within_body(errors))


def _no_object() -> InvalidError:
    text = "The body is not a JSON object."
    return InvalidError(text, errors=[FieldError(location=BODY, code="invalid_type", message=text)])


def replace_lone_surrogates(body: bytes) -> bytes:
    """Replace each lone surrogate by U+FFFD, as `String.toWellFormed()` does.

    All other bytes stay. JSON has backslashes in strings only, so no other text matches. A body with more surrogates
    than any SDK sends stays unchanged, because replacing takes time.
    """
    surrogates = body.count(b"\\ud") + body.count(b"\\uD")
    if not 0 < surrogates <= MAX_SURROGATES:
        return body
    return SURROGATES.sub(lambda found: found[0] if len(found[2]) == PAIR_BYTES else found[1] + b"\\ufffd", body)


def _check_length(member: str, count: int) -> None:
    if not 1 <= count <= MAX_EVENTS:
        text = f"A batch must have 1 to {MAX_EVENTS} events. This one has {count}."
        code = "too_long" if count else "too_short"
        raise InvalidError(text, errors=[FieldError(location=f"{BODY}/{member}", code=code, message=text)])


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
