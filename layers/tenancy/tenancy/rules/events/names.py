"""Extracts the names of devices and users from an event (docs/api.md, "Data subjects").

Ingest stores these names with the row, and an erasure finds rows by them. The database cannot extract them itself: its
JSON parser fails on valid JSON with very large numbers.
"""

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from tenancy.rules.texts import MAX_EXPANSION, NAME_MAX_CHARACTERS, compose, is_cheap

DEVICE_MEMBERS: Final = frozenset({"anonymousId", "device_id", "previousId"})
USER_MEMBERS: Final = frozenset({"userId", "user_id", "previousId"})
# A cheap test: an object without any of these has no name. A backslash may escape a letter of a member's name.
SIGNS: Final = (*(f'"{name}"' for name in sorted(DEVICE_MEMBERS | USER_MEMBERS)), "\\")

# Keeps duplicate members. A number stays the text that was sent.
_decoder: Final = json.JSONDecoder(object_pairs_hook=list, parse_int=str, parse_float=str)


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
    members = [member for text in objects if any(sign in text for sign in SIGNS) for member in _decoder.decode(text)]
    if not members:
        return NO_NAMES
    return SubjectNames(devices=_named(DEVICE_MEMBERS, members), users=_named(USER_MEMBERS, members))


def _named(names: AbstractSet[str], members: Sequence[tuple[str, object]]) -> tuple[str, ...]:
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
