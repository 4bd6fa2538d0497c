"""The members of a JSON object that are at fault, with codes and texts for people.

msgspec stops at the first fault and describes it in words of Python. So a refused object is read again, each member
alone. Accepted objects are read once.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final, LiteralString

import msgspec

from tenancy.errors import BODY, FieldError
from tenancy.rules.credentials import redact_text

MAX_MEMBER_ERRORS: Final = 20  # of one object
MISSING_TEXT: Final = "This member is required."
UNKNOWN_MEMBER_TEXT: Final = "This member is unknown. Correct its spelling or omit it."
NO_OBJECT_TEXT: Final = "Expected a JSON object."
NO_LIST_TEXT: Final = "Expected a JSON list."
NUL_TEXT: Final[LiteralString] = "The character U+0000 is not allowed."
JSON_NULL: Final = b"null"
ESCAPE: Final = b"\\"  # the first byte of each escape in a text, which is found sooner than an escape

type Fault = tuple[str, str]
type Check = Callable[[bytes], Fault | None]

_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMember:
    """A member that an object may have.

    *check* returns code and message for a value at fault. null counts as absent if the member is not required.
    """

    check: Check
    is_required: bool = False


def find_members(document: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the members of the JSON text *document*, or None if it is no object.

    The last one of a name counts.

    Raises:
        msgspec.DecodeError, RecursionError: *document* is not valid JSON.
    """
    try:
        return _members_decoder.decode(document)
    except msgspec.ValidationError:
        return None


def decode_valid[T](decoder: msgspec.json.Decoder[T], documents: Sequence[msgspec.Raw]) -> dict[int, T]:
    """Return the values of those JSON texts *documents* that have the type of *decoder*, by index."""
    try:
        return dict(enumerate(map(decoder.decode, documents)))
    except msgspec.ValidationError:
        return dict(_decode_each(decoder, documents))


def list_member_errors(
    members: Mapping[str, msgspec.Raw], known: Mapping[str, KnownMember], *, ignored: Collection[str] = ()
) -> list[FieldError]:
    """Return an error for each of *members* that is at fault, missing or unknown.

    A member is unknown if it is neither in *known* nor in *ignored*. Locations are names of members. At most
    `MAX_MEMBER_ERRORS` are returned.
    """
    at_fault = (error for name, member in known.items() if (error := _find_error(name, members.get(name), member)))
    unknown = (unknown_member(name) for name in members if name not in known and name not in ignored)
    return list(islice(chain(at_fault, unknown), MAX_MEMBER_ERRORS))


def unknown_member(name: str, *, within: str = "") -> FieldError:
    """Return the error for the unknown member *name* of the object at *within*."""
    return FieldError(location=locate(within, name), code="unknown_member", message=UNKNOWN_MEMBER_TEXT)


def locate(*steps: object) -> str:
    """Return the location at the end of *steps*.

    A credential in it is redacted: clients choose the names of members.
    """
    return redact_text("/".join(str(step) for step in steps if step != ""))


def within_body(errors: Iterable[FieldError], *steps: object) -> list[FieldError]:
    """Return *errors* of the object at *steps* with their locations in the body."""
    at = "/".join((BODY, *map(str, steps)))
    return [
        FieldError(location=f"{at}/{error.location}" if error.location else at, code=error.code, message=error.message)
        for error in errors
    ]


def check_text(least: int, most: int) -> Check:
    """Return the check for a text of *least* to *most* characters without U+0000."""
    expected = f"Expected a text of {f'{least} to' if least else 'at most'} {most} characters."

    def check(value: bytes) -> Fault | None:
        if not value.startswith(b'"'):
            return "invalid_type", expected
        text = msgspec.json.decode(value, type=str)
        if not least <= len(text) <= most:
            return "too_long" if len(text) > most else "too_short", expected
        return ("invalid_characters", NUL_TEXT) if "\0" in text else None

    return check


def check_object(value: bytes) -> Fault | None:
    """Return the fault of *value* if it is no JSON object."""
    return None if value.startswith(b"{") else ("invalid_type", NO_OBJECT_TEXT)


def check_list(value: bytes) -> Fault | None:
    """Return the fault of *value* if it is no JSON list."""
    return None if value.startswith(b"[") else ("invalid_type", NO_LIST_TEXT)


def _decode_each[T](decoder: msgspec.json.Decoder[T], documents: Iterable[msgspec.Raw]) -> Iterator[tuple[int, T]]:
    for index, document in enumerate(documents):
        with suppress(msgspec.ValidationError):
            yield index, decoder.decode(document)


def _find_error(name: str, value: msgspec.Raw | None, member: KnownMember) -> FieldError | None:
    text = JSON_NULL if value is None else bytes(value)
    if value is None or (text == JSON_NULL and not member.is_required):
        return FieldError(location=name, code="missing", message=MISSING_TEXT) if member.is_required else None
    fault = member.check(text)
    return FieldError(location=name, code=fault[0], message=fault[1]) if fault else None
