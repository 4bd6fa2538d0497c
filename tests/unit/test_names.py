"""The names of devices and users in the properties of an event."""

import json

import pytest

from tenancy.rules.events.names import SubjectNames, find_names
from tests.unit.single_events import parse


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


def test_names_are_found_beside_deep_nesting() -> None:
    deep = "[" * 9_000 + "]" * 9_000

    assert parse(properties={"userId": "ann"}).user_names == ("ann",)
    assert find_names(f'{{"a": {deep}, "userId": "ann"}}').users == ("ann",)
