"""The identity of an event: its id, or an id derived from its text."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tenancy.rules.events.event import parse_event
from tenancy.rules.events.row import BatchContext, derive_event_id
from tests.unit.single_events import ACME, EVENT, GLOBEX, NOW, RECEPTION, parse, raw, without


def test_identity_is_organization_time_device_and_id() -> None:
    row = parse()
    assert row.identity == (str(ACME), "2026-11-20 10:00:00.123", "device-1", "order-1001")


def test_missing_id_is_derived_from_the_text() -> None:
    text = without("event_id")
    later = BatchContext(organization_id=ACME, received_at=NOW + timedelta(hours=5))

    first, again = parse_event(text, RECEPTION), parse_event(text, later)

    assert first.event_id == derive_event_id(ACME, text)
    assert UUID(first.event_id).version == 5
    assert first.identity == again.identity


JSON_OBJECTS = st.dictionaries(
    st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=20), max_size=4
)


@given(JSON_OBJECTS, JSON_OBJECTS)
def test_derived_ids_differ_by_event_and_organization(one: dict[str, Any], other: dict[str, Any]) -> None:
    texts = [json.dumps({**EVENT, "event_id": None, "properties": properties}).encode() for properties in (one, other)]
    globex = BatchContext(organization_id=GLOBEX, received_at=NOW)

    ids = [parse_event(text, RECEPTION).event_id for text in texts]

    assert (ids[0] == ids[1]) == (texts[0] == texts[1])
    assert parse_event(texts[0], globex).event_id not in ids


def test_derived_id_ignores_sent_at() -> None:
    def derived(**members: object) -> str:
        return parse_event(raw(event_id=None, **members), RECEPTION).event_id

    assert derived(sentAt="2026-11-24T11:00:00Z") == derived(sentAt="2026-11-24T12:00:00Z")
    assert derived(sentAt="2026-11-24T11:00:00Z") != derived(sentAt="2026-11-24T11:00:00Z", session_id="other")
