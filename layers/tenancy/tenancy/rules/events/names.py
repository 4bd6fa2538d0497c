"""Extracts the names of devices and users from an event (docs/api.md, "Data subjects").

Ingest stores these names with the row, and an erasure finds rows by them. The database cannot extract them itself: its
JSON parser fails on valid JSON with very large numbers.
"""

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

import msgspec

from tenancy.rules.events.property_money import scalar_text
from tenancy.rules.json_members import JSON_NULL
from tenancy.rules.texts import MAX_EXPANSION, NAME_MAX_CHARACTERS, compose, is_cheap

DEVICE_MEMBERS: Final = frozenset({"anonymousId", "device_id", "previousId"})
USER_MEMBERS: Final = frozenset({"userId", "user_id", "previousId"})
# A text without any of these signs has no name, and neither has one without any of their ends, which are found sooner.
NAMED_MEMBERS: Final = DEVICE_MEMBERS | USER_MEMBERS
SIGNS: Final = tuple(f'"{name}"' for name in sorted(NAMED_MEMBERS))
TEXT_ESCAPE: Final = "\\"  # it may escape a letter of a member's name
# A text of so many characters is not nested too deeply for either decoder.
PLAIN_MAX_CHARACTERS: Final = 4_000
NULL_VALUE: Final = msgspec.Raw(JSON_NULL)

type Member = tuple[str, object]

# Keeps duplicate members. A number stays the text that was sent.
_decoder: Final = json.JSONDecoder(object_pairs_hook=list, parse_int=str, parse_float=str)


class _Named(msgspec.Struct, gc=False):
    anonymousId: msgspec.Raw = NULL_VALUE  # noqa: N815 - the SDKs' spelling
    device_id: msgspec.Raw = NULL_VALUE
    previousId: msgspec.Raw = NULL_VALUE  # noqa: N815
    userId: msgspec.Raw = NULL_VALUE  # noqa: N815
    user_id: msgspec.Raw = NULL_VALUE


_plain_decoder: Final = msgspec.json.Decoder(_Named)


class SubjectNames(NamedTuple):
    """The names of devices and users, each once, in order.

    A `previousId` counts as both.
    """

    devices: tuple[str, ...]
    users: tuple[str, ...]


NO_NAMES: Final = SubjectNames(devices=(), users=())


def find_names(*objects: str) -> SubjectNames:
    """Return the names at the top level of JSON *objects*, cut to 255 characters.

    A name is a text or a number. Names of at most 255 characters stay as they were sent.
    """
    if not may_have_names("".join(objects)):
        return NO_NAMES
    members = [member for text in objects for member in _list_members(text)]
    return SubjectNames(devices=_named(DEVICE_MEMBERS, members), users=_named(USER_MEMBERS, members))


def may_have_names(text: str) -> bool:
    """Whether the object *text*, or one of several in a row, may have a name. False for most of those without one."""
    return TEXT_ESCAPE in text or 'Id"' in text or '_id"' in text


def _list_members(text: str) -> Sequence[Member]:
    """Return the members of the object *text* that may be names, in order. Others may be among them.

    Most texts have no escapes, and each sign at most once. Then only the names are decoded.
    """
    if TEXT_ESCAPE not in text:
        signs = [sign for sign in SIGNS if sign in text]
        if not signs:
            return ()
        if len(text) <= PLAIN_MAX_CHARACTERS and all(text.count(sign) == 1 for sign in signs):
            named = _plain_decoder.decode(text)
            names = (sign.strip('"') for sign in sorted(signs, key=text.index))
            return [(name, scalar_text(getattr(named, name))) for name in names]
    members: Sequence[Member] = _decoder.decode(text)
    return members


def _named(names: AbstractSet[str], members: Sequence[Member]) -> tuple[str, ...]:
    found = (cut_name(value) for name, value in members if name in names and isinstance(value, str))
    return tuple(dict.fromkeys(filter(None, found)))


def cut_name(name: str) -> str:
    """Return *name* cut to 255 characters, the form in which names are stored and compared.

    Only a longer name is composed (NFC) before the cut, so that all its spellings are cut at one place.
    """
    if len(name) <= NAME_MAX_CHARACTERS:
        return name
    start = name[: MAX_EXPANSION * NAME_MAX_CHARACTERS]
    return (compose(start) if is_cheap(start) else start)[:NAME_MAX_CHARACTERS]
