"""Bodies of POST /v1/events and the Segment paths that careless code would process slowly."""

import base64
import gzip
import json
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tests.cost.worst_texts import JSON, MARKS, TEXTS, Fill, filled
from tests.handlers.requests import recent_event, segment_call

MEMBER_BYTES = 30_000  # an event has at most 32 KB
MOST_EVENTS = 2_500
GZIP_MEMBERS = 40
THIRTY_MARKS = "a" + "\u0315\u0300" * 15

type Build = Callable[[int], bytes]


def _noise(size: int) -> str:
    """Return text that no compression makes smaller."""
    return base64.b64encode(random.Random(2026).randbytes(size * 3 // 4)).decode()


def _encoded(fill: Fill, size: int) -> bytes:
    return fill(size).encode(errors="surrogateescape")


class WorstBatches:
    """Bodies for one path: a list of *item* under *member*, or with no member one item alone."""

    def __init__(self, member: str, item: Callable[..., dict[str, Any]]) -> None:
        self._member = member
        self._item = item

    def plain(self, size: int) -> bytes:
        """Return ordinary events of together about *size* bytes."""
        return self._batch(size, self._item)

    def all(self) -> Mapping[str, Build]:
        """Return every body of at most the given bytes, by name."""
        bodies: dict[str, Build] = {f"JSON: {name}": partial(_encoded, fill) for name, fill in JSON.items()}
        bodies |= {f"names: {name}": partial(self._with_members, fill) for name, fill in TEXTS.items()}
        return bodies | {
            "bad events": lambda size: self._batch(size, lambda _: {}),
            "events without a type": lambda size: self._batch(size, lambda number: {"n": number}),
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
            "gzip bomb": lambda _: gzip.compress(b" " * 64 * 1024 * 1024),
        }

    def _batch(self, size: int, item: Callable[[int], dict[str, Any]]) -> bytes:
        if not self._member:
            return json.dumps(item(0)).encode().ljust(size)
        length = max(len(json.dumps(item(1))), 2) + 2
        items = [item(number) for number in range(min(size // length, MOST_EVENTS))]
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
