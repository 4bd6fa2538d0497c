"""The id of a Segment call: its own, or a derived one that is equal on a retry."""

import json
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.events.row import BatchContext
from tests.unit.segment_calls import CALL, GLOBEX, NOW, parse, raw, without


def test_too_long_message_ids_stay_different() -> None:
    first, second = parse(messageId="m" * 300), parse(messageId="m" * 301)
    assert len({first.event_id, second.event_id, parse(messageId="m" * 300).event_id}) == 2


def test_retry_with_a_new_sent_at_is_the_same_event() -> None:
    for members in ((), ("messageId",)):
        first = parse(without(*members))
        again = parse(without(*members).replace(b"11:59:59", b"12:34:56"))
        assert first.identity == again.identity
        assert first == again


def test_message_id_is_the_event_id() -> None:
    assert parse(messageId="m-1", event="A").event_id == parse(messageId="m-1", event="B").event_id == "m-1"


@pytest.mark.parametrize("text", [without("messageId"), raw(messageId=None), raw(messageId="")])
def test_missing_message_id_is_derived_from_the_text(text: bytes) -> None:
    globex = BatchContext(organization_id=GLOBEX, received_at=NOW)

    mine, others = parse(text), parse(text, reception=globex)

    assert UUID(mine.event_id).version == 5
    assert mine.event_id == parse(text).event_id != others.event_id


@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3), st.text(max_size=30), st.text(max_size=60)
)
def test_derived_id_ignores_transport_members(properties: dict[str, str], sent_at: str, key: str) -> None:
    call = {**CALL, "messageId": None, "properties": properties}
    plain = json.dumps({name: value for name, value in call.items() if name != "sentAt"}).encode()
    sent = json.dumps({**json.loads(plain), "sentAt": sent_at, "writeKey": key}).encode()

    expected, actual = parse(msgspec.json.format(plain, indent=-1)), parse(msgspec.json.format(sent, indent=-1))

    assert expected.identity == actual.identity
