"""The `context` and `integrations` of a batch are merged into each of its calls."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import TooLargeError
from tenancy.rules.events.batch import SegmentBatch, parse_segment_text
from tenancy.rules.events.row import MAX_EVENT_BYTES, EventRow
from tenancy.rules.events.segment import parse_segment_message
from tenancy.rules.events.shared_members import SharedMembers
from tests.members import for_each
from tests.unit.segment_calls import CALL, RECEPTION

type Anything = Any

CALL_WITHOUT_CONTEXT = {name: value for name, value in CALL.items() if name not in ("context", "integrations")}


def batch_of(*calls: Anything, **members: Anything) -> SegmentBatch:
    return parse_segment_text(json.dumps({"batch": calls, **members}).encode(), is_batch=True)


def rows(*calls: Anything, **members: Anything) -> list[EventRow]:
    batch = batch_of(*calls, **members)
    shared = SharedMembers.of(batch)
    return [parse_segment_message(bytes(raw), RECEPTION, shared=shared) for raw in batch.batch]


def user_properties(call: Anything, **members: Anything) -> Anything:
    [row] = rows(call, **members)
    return json.loads(row.user_properties)


def test_call_gets_the_context_of_its_batch() -> None:
    context = {"device": {"id": "device-7", "type": "iOS"}, "sessionId": 17, "ip": "203.0.113.7"}

    first, second = rows(CALL_WITHOUT_CONTEXT, {**CALL_WITHOUT_CONTEXT, "messageId": "m-2"}, context=context)

    for row in (first, second):
        assert (row.device_id, row.platform, row.session_id) == ("device-7", "ios", "17")
        assert json.loads(row.user_properties)["context"] == context


@for_each(
    ("own", "shared", "merged"),
    [
        ({"ip": "mine"}, {"ip": "theirs", "locale": "de"}, {"ip": "mine", "locale": "de"}),
        ({"app": {"name": "a"}}, {"app": {"name": "b", "build": 3}}, {"app": {"name": "a", "build": 3}}),
        ({"app": {"x": {"y": 1}}}, {"app": {"x": {"z": 2}}}, {"app": {"x": {"y": 1}}}),
        ({"app": "mine"}, {"app": {"name": "b"}}, {"app": "mine"}),
        ({"app": {"name": "a"}}, {"app": "theirs"}, {"app": {"name": "a"}}),
        ({"app": None, "ip": ""}, {"app": {"name": "b"}, "ip": "theirs"}, {"app": {"name": "b"}, "ip": "theirs"}),
        ({"app": None}, {"ip": "theirs"}, {"app": None, "ip": "theirs"}),
        ({}, {"ip": "theirs"}, {"ip": "theirs"}),
        (None, {"ip": "theirs"}, {"ip": "theirs"}),
        ([], {"ip": "theirs"}, {"ip": "theirs"}),
        ("web", {"ip": "theirs"}, "web"),
        ({"ip": "mine"}, None, {"ip": "mine"}),
        ({"ip": "mine"}, [], {"ip": "mine"}),
        ({"ip": "mine"}, "web", {"ip": "mine"}),
        ({"ip": "mine"}, 5, {"ip": "mine"}),
        ({"device": {"id": None}}, {"device": {"id": "dev1"}}, {"device": {"id": "dev1"}}),
        (
            {"device": {"id": "", "type": []}},
            {"device": {"id": "a", "type": "b"}},
            {"device": {"id": "a", "type": "b"}},
        ),
        ({"device": {"model": None}}, {"device": {"id": "a"}}, {"device": {"id": "a", "model": None}}),
        ({"device": {"id": False}}, {"device": {"id": "a"}}, {"device": {"id": False}}),
    ],
    ids=str,
)
def test_members_of_the_call_win(own: Anything, shared: Anything, merged: Anything) -> None:
    for name in ("context", "integrations"):
        assert user_properties({**CALL, name: own}, **{name: shared})[name] == merged


@pytest.mark.parametrize("empty", ["null", '""', "[]", "[ ]", "[\n\t]"])
def test_value_without_content_counts_as_absent(empty: str) -> None:
    for own in (f'{{"device":{{"id":{empty}}}}}', f'{{"device":{empty}}}', empty):
        call = f'{{"type":"track","context":{own}}}'.encode()
        batch = parse_segment_text(b'{"context":{"device":{"id":"dev1"}},"batch":[%s]}' % call, is_batch=True)

        row = parse_segment_message(bytes(batch.batch[0]), RECEPTION, shared=SharedMembers.of(batch))

        assert row.device_id == "dev1"
        assert json.loads(row.user_properties)["context"] == {"device": {"id": "dev1"}}


@pytest.mark.parametrize(
    "own",
    [
        *({"device": {"id": text}} for text in ("00000000-0000-0000-0000-000000000000", " ", "unknown", 0, "\ufffd")),
        *({"device": {"id": other}} for other in (True, {}, {"a": 1}, ["a"])),
        {"device": "iPhone"},
        "web",
    ],
    ids=str,
)
def test_device_id_that_is_none_does_not_hide_that_of_the_batch(own: Anything) -> None:
    [row] = rows({"type": "track", "event": "e", "context": own}, context={"device": {"id": "dev1", "type": "iOS"}})

    assert (row.device_id, row.platform) == ("dev1", "ios")


@pytest.mark.parametrize("other", [{}, True, ["a"]], ids=str)
def test_other_type_does_not_hide_a_column_of_the_batch(other: Anything) -> None:
    own = {"device": {"type": other}, "os": {"name": other}, "sessionId": other}

    [typed] = rows({**CALL, "context": own}, context={"device": {"type": "iOS"}, "sessionId": 17})
    [named] = rows({**CALL, "context": own}, context={"os": {"name": "Android"}})

    assert (typed.platform, typed.session_id) == ("ios", "17")
    assert named.platform == "android"


NAMES = st.sampled_from(["device", "os", "userAgent", "sessionId", "id", "type", "name", 'é"\\', "a", ""])
VALUES: st.SearchStrategy[Anything] = st.sampled_from([None, [], "", 0, 1.5, "text", [{}], "\ud7ff"])
EMPTY: tuple[Anything, ...] = (None, [], "")
INNER = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=1), max_size=4)
CONTEXTS = VALUES | st.dictionaries(NAMES, VALUES | INNER, max_size=5)


def merged_simply(shared: Anything, own: Anything) -> Anything:
    """Merge two contexts as the API reference says."""
    if not isinstance(shared, dict) or not shared or (own not in EMPTY and not isinstance(own, dict)):
        return own
    merged = dict(shared)
    for name, value in (own or {}).items():
        inherited = shared.get(name)
        if isinstance(value, dict) and isinstance(inherited, dict):
            present = {inner: each for inner, each in value.items() if inner not in inherited or each not in EMPTY}
            merged[name] = inherited | present
        elif name not in shared or value not in EMPTY:
            merged[name] = value
    return merged


@given(shared=CONTEXTS, own=CONTEXTS)
def test_merged_call_equals_a_call_with_all_members(shared: Anything, own: Anything) -> None:
    expected = {**CALL_WITHOUT_CONTEXT, "context": merged_simply(shared, own)}

    [row], [whole] = rows({**CALL_WITHOUT_CONTEXT, "context": own}, context=shared), rows(expected)

    assert json.loads(row.user_properties) == json.loads(whole.user_properties)
    for name in ("event_id", "event_timestamp"):
        assert getattr(row, name) == getattr(whole, name)


def test_batch_without_shared_members_changes_no_row() -> None:
    assert rows(CALL) == rows(CALL, context={}, integrations={}) == rows(CALL, context=None, integrations=[])


def test_shared_members_are_no_names_of_a_subject() -> None:
    [row] = rows(CALL_WITHOUT_CONTEXT, context={"userId": "other", "traits": {"userId": "third"}})

    assert (row.device_names, row.user_names) == (("anonymous-1",), ("user-42",))


def test_id_is_derived_from_the_text_of_the_call_alone() -> None:
    call = {name: value for name, value in CALL_WITHOUT_CONTEXT.items() if name != "messageId"}
    others = [{**call, "event": f"Other {number}"} for number in range(3)]

    [alone] = rows(call, context={"network": {"carrier": "a"}})
    first, *_ = rows(call, *others, context={"network": {"carrier": "b"}}, integrations={"All": False})
    [bare] = rows(call)

    assert alone.identity == first.identity == bare.identity


def test_shared_members_may_have_32_kib() -> None:
    room = MAX_EVENT_BYTES - len(json.dumps({"x": ""}))

    assert SharedMembers.of(batch_of(CALL, context={"x": "a" * room})).objects
    with pytest.raises(TooLargeError):
        SharedMembers.of(batch_of(CALL, context={"x": "a" * (room + 1)}))


def test_shared_members_of_many_calls_are_bounded() -> None:
    context = {"x": "a" * 16_000}

    assert SharedMembers.of(batch_of(*[{}] * 1000, context=context)).objects
    with pytest.raises(TooLargeError):
        SharedMembers.of(batch_of(*[{}] * 1100, context=context))


def test_merged_call_is_a_row_of_clickhouse() -> None:
    [row] = rows(CALL, context={"note": "\ud800 \0 é", "x": [1, 1.10, None]})

    assert msgspec.json.decode(msgspec.json.encode(row), type=EventRow) == row
