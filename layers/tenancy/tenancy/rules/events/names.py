"""How an event names its device and its user besides `device_id`, told when it comes in (docs/api.md, "Data subjects").

An erasure finds rows by these names: a database's own reader of JSON gives up on numbers that are valid JSON and large.
"""

import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

MAX_NAME_CHARACTERS: Final = 255
DEVICE_MEMBERS: Final = frozenset({"anonymousId", "device_id", "previousId"})
USER_MEMBERS: Final = frozenset({"userId", "user_id", "previousId"})
# Told cheaply of most events: no name without one of these. A backslash may spell any letter of it.
SIGNS: Final = (*(f'"{name}"' for name in sorted(DEVICE_MEMBERS | USER_MEMBERS)), "\\")

# All members, also those that an object has twice; a number is the digits that were sent.
_decoder: Final = json.JSONDecoder(object_pairs_hook=list, parse_int=str, parse_float=str)


class SubjectNames(NamedTuple):
    """The names of devices and of users, each once, in order; a `previousId` may be either's."""

    devices: tuple[str, ...]
    users: tuple[str, ...]


NO_NAMES: Final = SubjectNames(devices=(), users=())


def find_names(*objects: str) -> SubjectNames:
    """Return the names at the top level of JSON *objects*: texts and numbers, cut to 255 characters."""
    members = [member for text in objects if any(sign in text for sign in SIGNS) for member in _decoder.decode(text)]
    if not members:
        return NO_NAMES
    return SubjectNames(devices=_named(DEVICE_MEMBERS, members), users=_named(USER_MEMBERS, members))


def _named(names: AbstractSet[str], members: Sequence[tuple[str, object]]) -> tuple[str, ...]:
    found = (value[:MAX_NAME_CHARACTERS] for name, value in members if name in names and isinstance(value, str))
    return tuple(dict.fromkeys(filter(None, found)))
