"""Merges `context` and `integrations` of a Segment batch into each of its calls."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import msgspec

from tenancy.errors import TooLargeError
from tenancy.rules.events.batch import MAX_BATCH_BYTES, SegmentBatch
from tenancy.rules.events.row import MAX_EVENT_BYTES, join_members

SHARED_NAMES: Final = ("context", "integrations")
MAX_MERGED_BYTES: Final = 4 * MAX_BATCH_BYTES  # in all calls together
# Values without content. PHP writes an empty object as [].
EMPTY_VALUE: Final = re.compile(rb'null|""|\[[ \t\r\n]*\]')
# The members of `context` that columns of a row have.
COLUMN_PATHS: Final = (("device", "id"), ("device", "type"), ("os", "name"), ("sessionId",))
NO_MEMBERS: Final[Mapping[str, msgspec.Raw]] = MappingProxyType({})

type Members = Mapping[str, msgspec.Raw]
type Path = tuple[str, ...]

_members_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedMembers:
    """The members of the shared `context` and `integrations` of a batch, by name.

    Empty objects are left out. *values* are those of `context` that columns have, by path.
    """

    objects: Mapping[str, Members] = field(default_factory=dict)
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
        context = shared.get("context", NO_MEMBERS)
        return cls(objects=shared, values={path: _find(context, path) for path in COLUMN_PATHS})

    def find(self, *path: str) -> msgspec.Raw | None:
        """Return the value at *path* in the shared `context`, None without one.

        It counts if the call has a placeholder or a value of another type there.
        """
        return self.values.get(path)

    def merged_into(self, call: Members) -> Members:
        """Return *call* with the shared members.

        Those of the call win, also inside the objects of `context`.

        A member of the call that has another type stays as it is.
        """
        if not self.objects:
            return call
        merged = dict(call)
        for name, shared in self.objects.items():
            own = call.get(name)
            if _is_absent(own) or is_object(own):
                merged[name] = _join(_merge(shared, members_of(own)))
        return merged


NOTHING_SHARED: Final = SharedMembers()


def is_object(value: msgspec.Raw | None) -> bool:
    """Tell whether *value* is a JSON object."""
    return value is not None and bytes(value)[:1] == b"{"


def members_of(value: msgspec.Raw | None) -> Members:
    """Return the members of a JSON object. Other values have none."""
    return _members_decoder.decode(value) if value is not None and bytes(value)[:1] == b"{" else NO_MEMBERS


def _find(context: Members, path: Path) -> msgspec.Raw | None:
    *outer, last = path
    for name in outer:
        context = members_of(context.get(name))
    return context.get(last)


def _merge(shared: Members, own: Members) -> Members:
    """Merge two objects and the objects directly inside them.

    A member without content counts as absent.
    """
    merged = dict(shared)
    for name, value in own.items():
        inherited = shared.get(name)
        if is_object(value) and is_object(inherited):
            merged[name] = _join(_merge_inner(members_of(inherited), members_of(value)))
        elif inherited is None or not _is_absent(value):
            merged[name] = value
    return merged


def _merge_inner(inherited: Members, own: Members) -> Members:
    """Merge two objects. A member without content counts as absent."""
    present = {name: value for name, value in own.items() if name not in inherited or not _is_absent(value)}
    return {**inherited, **present}


def _join(members: Members) -> msgspec.Raw:
    return msgspec.Raw(join_members(members, frozenset()))


def _is_absent(value: msgspec.Raw | None) -> bool:
    return value is None or EMPTY_VALUE.fullmatch(bytes(value)) is not None
