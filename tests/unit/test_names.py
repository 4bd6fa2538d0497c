"""The names of devices and users in the properties of an event."""

import json
import unicodedata
from typing import Any

import pytest

from tenancy.rules.events.batch import parse_segment_text
from tenancy.rules.events.names import SubjectNames, find_names
from tenancy.rules.events.segment import parse_segment_message
from tenancy.rules.events.shared_members import SharedMembers
from tests.unit import segment_calls
from tests.unit.single_events import parse

HANGUL = "\ud55c\uad6d" * 60
LONG_NFD = unicodedata.normalize("NFD", HANGUL)
WITHOUT_IDS: dict[str, Any] = {"anonymousId": None, "userId": None}
# Each place of a device id in a call.
LONG_DEVICES = {
    "device": {"context": {"device": {"id": LONG_NFD}}},
    "anonymous": {"anonymousId": LONG_NFD},
    "user": {"userId": LONG_NFD},
}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{}", ((), ())),
        ('{"anonymousId": "a", "device_id": "b", "userId": "c", "user_id": "d"}', (("a", "b"), ("c", "d"))),
        ('{"previousId": "a"}', (("a",), ("a",))),
        ('{"userId": 42}', ((), ("42",))),
        ('{"userId": 123456789012345678901234567890}', ((), ("123456789012345678901234567890",))),
        ('{"userId": "ann", "total": 123456789012345678901, "rate": 1e400}', ((), ("ann",))),
        ('{"userId": "ann", "userId": "bob"}', ((), ("ann", "bob"))),
        ('{"user\\u0049d": "\\u00e4nn"}', ((), ("\u00e4nn",))),
        ('{"userId": "ann", "user_id": "ann"}', ((), ("ann",))),
        ('{"userId": ""}', ((), ())),
        ('{"userId": null, "user_id": true, "anonymousId": ["a"], "device_id": {"userId": "a"}}', ((), ())),
        ('{"traits": {"userId": "ann"}, "note": "\\"userId\\": 1"}', ((), ())),
    ],
)
def test_name_is_a_text_or_a_number_at_the_top_level(text: str, names: tuple[tuple[str, ...], ...]) -> None:
    assert find_names(text) == SubjectNames(*names)
    assert find_names("{}", text) == SubjectNames(*names)


def test_name_is_cut_to_255_characters() -> None:
    assert find_names(json.dumps({"userId": "x" * 300})).users == ("x" * 255,)


def test_all_spellings_of_a_long_name_are_cut_at_one_place() -> None:
    composed = "\u00e9" * 300
    decomposed = "e\u0301" * 300

    assert find_names(json.dumps({"userId": decomposed})) == find_names(json.dumps({"userId": composed}))


@pytest.mark.parametrize("members", LONG_DEVICES.values(), ids=LONG_DEVICES)
def test_long_device_id_is_a_composed_name(members: dict[str, Any]) -> None:
    row = segment_calls.parse(**(WITHOUT_IDS | members))

    assert row.device_id == LONG_NFD[:255]
    assert row.device_names == (HANGUL,)


def test_long_device_id_of_a_batch_is_a_composed_name() -> None:
    call = segment_calls.CALL | WITHOUT_IDS
    body = json.dumps({"batch": [call], "context": {"device": {"id": LONG_NFD}}}).encode()
    batch = parse_segment_text(body, is_batch=True)

    row = parse_segment_message(bytes(batch.batch[0]), segment_calls.RECEPTION, shared=SharedMembers.of(batch))

    assert row.device_names == (HANGUL,)


@pytest.mark.parametrize("text", ["x" * 255, "e\u0301" * 100, "7"])
def test_device_id_that_is_not_cut_is_no_name(text: str) -> None:
    row = segment_calls.parse(**(WITHOUT_IDS | {"context": {"device": {"id": text}}}))

    assert (row.device_id, row.device_names) == (text[:255], ())


def test_names_are_found_beside_deep_nesting() -> None:
    deep = "[" * 9_000 + "]" * 9_000

    assert parse(properties={"userId": "ann"}).user_names == ("ann",)
    assert find_names(f'{{"a": {deep}, "userId": "ann"}}').users == ("ann",)
