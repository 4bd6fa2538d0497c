"""What an event calls its device and its user, wherever the mapping leaves a name."""

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
def test_a_name_is_a_text_or_a_number_at_the_top_level(text: str, names: tuple[tuple[str, ...], ...]) -> None:
    assert find_names(text) == SubjectNames(*names)
    assert find_names("{}", text) == SubjectNames(*names)


def test_a_name_is_cut_where_a_request_for_its_erasure_ends() -> None:
    assert find_names(json.dumps({"userId": "x" * 300})).users == ("x" * 255,)


def test_what_the_parser_of_bodies_takes_can_be_searched_for_names() -> None:
    deep = "[" * 9_000 + "]" * 9_000
    assert parse(properties={"userId": "ann"}).user_names == ("ann",)
    assert find_names(f'{{"a": {deep}, "userId": "ann"}}').users == ("ann",)
