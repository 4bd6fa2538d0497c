"""Bodies of POST /v1/events and the Segment paths that careless code would process slowly."""

import base64
import gzip
import json
import random
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from tenancy.rules.events.row import MAX_EVENT_BYTES
from tenancy.rules.events.shared_members import MAX_MERGED_BYTES
from tests.cost.worst_texts import JSON, MARKS, TEXTS, Fill, filled
from tests.handlers.requests import recent_event, segment_call

MEMBER_BYTES = 30_000  # an event has at most 32 KB
MOST_EVENTS = 2_500
GZIP_MEMBERS = 40
THIRTY_MARKS = "a" + "\u0315\u0300" * 15
SAMPLE_BYTES = 250_000
ZIPPED = 4  # one in so many bodies is measured as gzip, too
BOMB_BYTES = 16 * 1024 * 1024
BAD_EVENTS = ("{}", "1", '""', "[]", "null", '{"a":1}', '{"type":"track"}', '{"\\u0061":1}')
# Calls that add their own members to those of their batch.
OWN_MEMBERS: Mapping[str, dict[str, Any]] = {
    "none": {},
    "small": {"context": {"own": 1}},
    "inner": {"context": {"device": {"own": 1}, "os": {"own": 1}}, "integrations": {"own": 1}},
}

type Build = Callable[[int], bytes]


def _noise(size: int) -> str:
    """Return text that no compression makes smaller."""
    return base64.b64encode(random.Random(2026).randbytes(size * 3 // 4)).decode()


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * BOMB_BYTES)


def _many_members(size: int) -> dict[str, Any]:
    """Return an object of about *size* bytes with as many members as possible, two objects among them."""
    inner = {f"{number:x}": 1 for number in range(size // 24)}
    return inner | {"device": inner, "os": inner}


def _encoded(fill: Fill, size: int) -> bytes:
    return fill(size).encode(errors="surrogateescape")


class WorstBatches:
    """Bodies for one path: a list of *item* under *member*, or with no member one item alone."""

    def __init__(self, member: str, item: Callable[..., dict[str, Any]]) -> None:
        self._member = member
        self._item = item

    @property
    def is_list(self) -> bool:
        """Whether the body has many events."""
        return bool(self._member)

    def plain(self, size: int) -> bytes:
        """Return ordinary events of together about *size* bytes."""
        return self._batch(size, self._item)

    def plain_gzip(self, size: int) -> bytes:
        """Return ordinary events that gzip makes about *size* bytes."""
        sample = self.plain(SAMPLE_BYTES)
        return gzip.compress(self.plain(size * len(sample) // len(gzip.compress(sample))))

    def many_small(self) -> Mapping[str, Build]:
        """Return bodies with so many events or members that each must be cheap, by name."""
        if not self.is_list:
            return {}
        many = self._bad_events() | self._shared_members()
        return many | {f"gzip: {name}": partial(self._zipped, build) for name, build in list(many.items())[::ZIPPED]}

    def large(self) -> Mapping[str, Build]:
        """Return bodies of at most the given bytes, by name."""
        bodies: dict[str, Build] = {f"JSON: {name}": partial(_encoded, fill) for name, fill in JSON.items()}
        bodies |= {f"names: {name}": partial(self._with_members, fill) for name, fill in TEXTS.items()}
        return bodies | {
            "bad events: without a type": lambda size: self._batch(size, lambda number: {"n": number}),
            "properties: deep": lambda size: self._raw(size, "[" * 12_000 + "]" * 12_000),
            "properties: long number": lambda size: self._raw(size, '{"revenue":' + "9" * MEMBER_BYTES + "}"),
            "properties: many names": lambda size: self._raw(
                size, filled("{", lambda _: f'"userId":"{MARKS[0]}a"', "}", MEMBER_BYTES)
            ),
            "properties: long names": lambda size: self._raw(
                size, filled("{", lambda _: f'"userId":"{MARKS * 130}"', "}", MEMBER_BYTES // 2)
            ),
            "properties: thirty marks": lambda size: self._raw(
                size, filled("{", lambda _: f'"userId":"{THIRTY_MARKS * 33}"', "}", MEMBER_BYTES // 2)
            ),
            "noise": lambda size: self._batch(
                size, lambda number: self._item(number, properties={"a": _noise(20_000)})
            ),
            "write keys": lambda size: filled("{", lambda number: f'"writeKey":"{number}"', "}", size).encode(),
            "gzip members": lambda size: b"".join([gzip.compress(b" ")] * GZIP_MEMBERS)[: size // 2] + b"\x1f" * size,
            "gzip tail": lambda size: gzip.compress(b"{}") + b"\x1f\x8b" * (size // 2),
            "gzip bomb": lambda _: _bomb(),
        }

    def _bad_events(self) -> dict[str, Build]:
        """Return bodies of as many invalid events as a batch may have, after a valid one or none."""
        first = json.dumps(self._item(0))
        lists = {f"{bad} after a valid event": [first, *[bad] * (MOST_EVENTS - 1)] for bad in BAD_EVENTS}
        lists |= {f"only {bad}": [bad] * MOST_EVENTS for bad in BAD_EVENTS[:2]}
        return {f"bad events: {name}": partial(self._list, items) for name, items in lists.items()}

    def _shared_members(self) -> dict[str, Build]:
        """Return bodies with shared members that are as many bytes in all calls as a batch may have."""
        bodies: dict[str, Build] = {}
        for size in (MAX_EVENT_BYTES // 2, MAX_MERGED_BYTES // MOST_EVENTS, 8):
            shared = _many_members(size)
            members = len(json.dumps(shared, separators=(",", ":")))
            calls = min(MOST_EVENTS, MAX_MERGED_BYTES // members)
            for name, own in OWN_MEMBERS.items():
                items = [json.dumps({"type": "track", "userId": f"u{number}", **own}) for number in range(calls)]
                bodies[f"{members} shared bytes, own: {name}"] = partial(self._list, items, context=shared)
        return bodies

    def _list(self, items: list[str], _: int, **members: object) -> bytes:
        shared = json.dumps(members, separators=(",", ":"))[1:-1]
        return f'{{"{self._member}":[{",".join(items)}]{"," if shared else ""}{shared}}}'.encode()

    def _zipped(self, build: Build, size: int) -> bytes:
        return gzip.compress(build(size))

    def _batch(self, size: int, item: Callable[[int], dict[str, Any]]) -> bytes:
        if not self._member:
            return json.dumps(item(0)).encode().ljust(size)
        length = max(len(json.dumps(item(1))), 2) + 2
        items = [item(number) for number in range(max(1, min(size // length, MOST_EVENTS)))]
        return json.dumps({self._member: items}).encode()

    def _with_members(self, fill: Fill, size: int) -> bytes:
        text = fill(MEMBER_BYTES // 3)
        names = ("userId", "user_id", "previousId")
        return self._batch(
            size,
            lambda number: (
                self._item(number, **{name: text[: len(text) // 3] for name in names}, timestamp=text[:2000])
                | {"properties": {"userId": text, "revenue": text[:2000], "currency": text[:2000]}}
            ),
        )

    def _raw(self, size: int, properties: str) -> bytes:
        """Return a batch whose items have the JSON text *properties*."""
        body = self._batch(size, lambda number: self._item(number, properties="PLACE"))
        text = properties.encode()
        return body.replace(b'"PLACE"', text, max(size // len(text), 1)).replace(b'"PLACE"', b"{}")


EVENTS = WorstBatches("events", recent_event)
SEGMENT_BATCH = WorstBatches("batch", segment_call)
SEGMENT_CALL = WorstBatches("", segment_call)
