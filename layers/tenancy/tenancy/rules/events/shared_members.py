"""Merges `context` and `integrations` of a Segment batch into each of its calls.

Few bytes of a batch can be many bytes in all of its calls. So the shared objects are decoded and encoded once. A call
costs as much as its own members, and a copy of the shared text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import msgspec

from tenancy.errors import TooLargeError
from tenancy.rules.events.batch import MAX_BATCH_BYTES, SegmentBatch
from tenancy.rules.events.row import MAX_EVENT_BYTES, encode_member

CONTEXT: Final = "context"
SHARED_NAMES: Final = (CONTEXT, "integrations")
MAX_MERGED_BYTES: Final = 4 * MAX_BATCH_BYTES  # in all calls together
# Values without content. PHP writes an empty object as [].
EMPTY_VALUE: Final = re.compile(rb'null|""|\[[ \t\r\n]*\]')
# The members of `context` that columns of a row have.
COLUMN_PATHS: Final = (("device", "id"), ("device", "type"), ("os", "name"), ("sessionId",))
NO_MEMBERS: Final[Mapping[str, msgspec.Raw]] = MappingProxyType({})

type Members = Mapping[str, msgspec.Raw]
type Path = tuple[str, ...]

_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class SharedObject:
    """A JSON object that is merged into many others. Its *members* are decoded once."""

    def __init__(self, members: Members) -> None:
        """Encode *members*, and remember where each value begins and ends."""
        self.members = members
        self._inner: dict[str, SharedObject] = {}
        self._places: dict[str, tuple[int, int]] = {}
        parts, end = [], 1
        for name, value in members.items():
            part = encode_member(name, value)
            end += len(part)
            self._places[name] = (end - len(bytes(value)), end)
            parts.append(part)
            end += 1
        self._text = b"{" + b",".join(parts) + b"}"

    def inner(self, name: str) -> "SharedObject":
        """Return the object that is the member *name*. Other values have no members."""
        if name not in self._inner:
            self._inner[name] = SharedObject(members_of(self.members.get(name)))
        return self._inner[name]

    def with_members(self, own: Members) -> msgspec.Raw:
        """Return the object with the members *own*, which win."""
        pieces, start = [], 0
        for name in sorted(own.keys() & self._places.keys(), key=self._places.__getitem__):
            value_start, value_end = self._places[name]
            pieces += [self._text[start:value_start], bytes(own[name])]
            start = value_end
        added = b",".join(encode_member(name, value) for name, value in own.items() if name not in self._places)
        comma = b"," if added and self._places else b""
        return msgspec.Raw(b"".join([*pieces, self._text[start:-1], comma, added, b"}"]))


NO_OBJECT: Final = SharedObject(NO_MEMBERS)
NO_MERGED: Final[Mapping[str, "MergedObject"]] = MappingProxyType({})


class MergedObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object of a call over the *shared* one of its batch.

    *own* has the members of the call that win. *merged* has the objects directly inside that both have.
    """

    own: Members
    shared: SharedObject = NO_OBJECT
    merged: Mapping[str, "MergedObject"] = NO_MERGED

    @classmethod
    def of(cls, own: Members, shared: SharedObject) -> "MergedObject":
        """Merge two objects and the objects directly inside them.

        A member without content counts as absent.
        """
        winning: dict[str, msgspec.Raw] = {}
        merged: dict[str, MergedObject] = {}
        for name, value in own.items():
            inherited = shared.members.get(name)
            if is_object(value) and is_object(inherited):
                inner = shared.inner(name)
                merged[name] = cls(own=_present(members_of(value), inner), shared=inner)
                winning[name] = merged[name].text()
            elif inherited is None or not _is_absent(value):
                winning[name] = value
        return cls(own=winning, shared=shared, merged=merged)

    def find(self, name: str) -> msgspec.Raw | None:
        """Return the member *name*, or None without it."""
        return self.own.get(name, self.shared.members.get(name))

    def inner(self, name: str) -> "MergedObject":
        """Return the object that is the member *name*. Other values have no members."""
        if name in self.merged:
            return self.merged[name]
        if name in self.own:
            return MergedObject(own=members_of(self.own[name]))
        return MergedObject(own=NO_MEMBERS, shared=self.shared.inner(name))

    def text(self) -> msgspec.Raw:
        """Return the JSON text."""
        return self.shared.with_members(self.own)


class MergedCall(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a call, those that its batch shares included, and its *context*."""

    members: Members
    context: MergedObject


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedMembers:
    """The shared `context` and `integrations` of a batch, by name.

    Empty objects are left out. *values* are those of `context` that columns have, by path.
    """

    objects: Mapping[str, SharedObject] = field(default_factory=dict)
    values: Mapping[Path, msgspec.Raw | None] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: SegmentBatch) -> "SharedMembers":
        """Return the shared members of *batch*. Values that are no object count as absent.

        Raises:
            TooLargeError: they exceed 32 KiB, or 16 MiB in all calls together.
        """
        shared = {name: members for name in SHARED_NAMES if (members := members_of(getattr(batch, name)))}
        size = sum(len(bytes(getattr(batch, name))) for name in shared)
        if size > MAX_EVENT_BYTES:
            raise TooLargeError(
                f"`context` and `integrations` of the batch exceed {MAX_EVENT_BYTES} bytes. Shorten them."
            )
        if size * len(batch.batch) > MAX_MERGED_BYTES:
            raise TooLargeError(
                f"`context` and `integrations` of the batch have {size} bytes in each of {len(batch.batch)} calls. "
                f"Together they exceed {MAX_MERGED_BYTES} bytes. Send smaller batches."
            )
        objects = {name: SharedObject(members) for name, members in shared.items()}
        context = objects.get(CONTEXT, NO_OBJECT)
        return cls(objects=objects, values={path: _find(context, path) for path in COLUMN_PATHS})

    def find(self, *path: str) -> msgspec.Raw | None:
        """Return the value at *path* in the shared `context`, None without one.

        It counts if the call has a placeholder or a value of another type there.
        """
        return self.values.get(path)

    def merged_into(self, call: Members) -> MergedCall:
        """Return *call* with the shared members.

        Those of the call win, also inside the objects of `context`.

        A member of the call that has another type stays as it is.
        """
        objects = {
            name: MergedObject.of(members_of(own), shared)
            for name, shared in self.objects.items()
            if _is_absent(own := call.get(name)) or is_object(own)
        }
        members = {**call, **{name: merged.text() for name, merged in objects.items()}} if objects else call
        context = objects.get(CONTEXT) or MergedObject(own=members_of(call.get(CONTEXT)))
        return MergedCall(members=members, context=context)


NOTHING_SHARED: Final = SharedMembers()


def is_object(value: msgspec.Raw | None) -> bool:
    """Tell whether *value* is a JSON object."""
    return value is not None and bytes(value)[:1] == b"{"


def members_of(value: msgspec.Raw | None) -> Members:
    """Return the members of a JSON object. Other values have none."""
    return _members_decoder.decode(value) if value is not None and bytes(value)[:1] == b"{" else NO_MEMBERS


def _find(context: SharedObject, path: Path) -> msgspec.Raw | None:
    *outer, last = path
    for name in outer:
        context = context.inner(name)
    return context.members.get(last)


def _present(own: Members, shared: SharedObject) -> Members:
    """Return *own* without the members that have no content and that *shared* has."""
    return {name: value for name, value in own.items() if name not in shared.members or not _is_absent(value)}


def _is_absent(value: msgspec.Raw | None) -> bool:
    return value is None or EMPTY_VALUE.fullmatch(bytes(value)) is not None
