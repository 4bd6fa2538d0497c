"""The errors of a batch: all fields at fault, in a bounded number."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tenancy.errors import MAX_ERRORS, InvalidError
from tenancy.rules.events.batch import MAX_EVENTS, SegmentBatch, parse_batch
from tenancy.use_cases.ingest.parse_batch import parse_event_batch, parse_segment_calls
from tests.given import event
from tests.handlers.sent_events import ACME

NOW = datetime.now(UTC)
TOO_OLD_FOR_STARTER = NOW - timedelta(days=100)


def batch_of(*events: object, **members: object) -> bytes:
    return json.dumps({"events": events, **members}).encode()


def recent(number: int) -> dict[str, object]:
    return event(number, event_timestamp=NOW.isoformat())


def test_rejected_event_has_all_its_errors_with_locations_in_the_body() -> None:
    broken = {**recent(2), "revenu": 1, "currency": "XXX"}

    parsed = parse_event_batch(ACME, parse_batch(batch_of(recent(1), broken, 5)), now=NOW)

    assert [[error.location for error in each.errors] for each in parsed.rejected] == [
        ["body/events/1/currency", "body/events/1/revenu"],
        ["body/events/2"],
    ]


def test_errors_of_a_refused_batch_are_bounded() -> None:
    with pytest.raises(InvalidError) as refusal:
        parse_event_batch(ACME, parse_batch(batch_of(*[{}] * MAX_EVENTS, teir=1)), now=NOW)

    assert len(refusal.value.errors) == MAX_ERRORS
    assert refusal.value.errors[0].location == "body/teir"


def test_valid_events_of_a_batch_with_an_unknown_member_are_refused() -> None:
    with pytest.raises(InvalidError) as refusal:
        parse_event_batch(ACME, parse_batch(batch_of(recent(1), teir=1)), now=NOW)

    assert [error.location for error in refusal.value.errors] == ["body/teir"]


@pytest.mark.parametrize(("event_type", "location"), [(None, "body/batch/0/type"), ("track", "body/anonymousId")])
def test_segment_call_at_fault_has_a_location_in_the_body(event_type: str | None, location: str) -> None:
    [call] = parse_batch(batch_of({})).events

    with pytest.raises(InvalidError) as refusal:
        parse_segment_calls(ACME, SegmentBatch(batch=[call]), event_type=event_type, now=NOW)

    assert [error.location for error in refusal.value.errors] == [location]


def test_event_past_the_retention_has_a_location_in_the_body() -> None:
    old = event(2, event_timestamp=TOO_OLD_FOR_STARTER.isoformat())
    parsed = parse_event_batch(ACME, parse_batch(batch_of(recent(1), old)), now=NOW)

    rejected = parsed.reject_past(90).rejected

    assert [error.location for each in rejected for error in each.errors] == ["body/events/1/event_timestamp"]
