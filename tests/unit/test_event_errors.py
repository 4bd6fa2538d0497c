"""The errors of a batch: all fields at fault, in a bounded number."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tenancy.errors import MAX_ERRORS, FieldError, InvalidError, TenantMismatchError
from tenancy.rules.events.batch import MAX_EVENTS, SegmentBatch, parse_batch, split_cloud_events
from tenancy.rules.events.event_errors import MAX_EXPLAINED, SHORT_TEXT
from tenancy.use_cases.ingest.parse_batch import parse_cloud_events, parse_event_batch, parse_segment_calls
from tests.given import event
from tests.handlers.requests import cloud_event
from tests.handlers.sent_events import ACME
from tests.members import for_each

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


@pytest.mark.parametrize("bad", [{}, 1, None, [], {"a": 1}, {**recent(3), "event_timestamp": "2099-01-01T00:00:00Z"}])
def test_fields_of_the_first_invalid_events_are_listed(bad: object) -> None:
    events = [recent(1), *[bad] * (MAX_EVENTS - 2), recent(2)]

    parsed = parse_event_batch(ACME, parse_batch(batch_of(*events)), now=NOW)

    explained, short = parsed.rejected[:MAX_EXPLAINED], parsed.rejected[MAX_EXPLAINED:]
    assert list(parsed.rows) == [0, MAX_EVENTS - 1]
    assert [each.index for each in parsed.rejected] == list(range(1, MAX_EVENTS - 1))
    assert all(error.message != SHORT_TEXT for each in explained for error in each.errors)
    assert [(each.event_id, each.errors) for each in short] == [
        (None, (FieldError(location=f"body/events/{each.index}", code="invalid", message=SHORT_TEXT),))
        for each in short
    ]


def test_attributes_of_the_first_invalid_cloud_events_are_listed() -> None:
    events = split_cloud_events(json.dumps([cloud_event(1), *[{}] * (MAX_EVENTS - 1)]).encode(), is_batch=True)

    parsed = parse_cloud_events(ACME, events, is_batch=True, now=datetime.now(UTC))

    explained, short = parsed.rejected[:MAX_EXPLAINED], parsed.rejected[MAX_EXPLAINED:]
    assert {len(each.errors) for each in explained} == {5}
    assert {(each.event_id, *(error.message for error in each.errors)) for each in short} == {(None, SHORT_TEXT)}
    assert short[0].errors[0].location == f"body/{MAX_EXPLAINED + 1}"


@for_each("named", ["", "x", 5, True, {}, [], str(UUID(int=7))], ids=str)
@for_each("place", [0, MAX_EXPLAINED, 2 * MAX_EXPLAINED])
def test_any_invalid_event_may_be_a_mismatch(named: object, place: int) -> None:
    events: list[object] = [{}] * (2 * MAX_EXPLAINED + 1)
    events[place] = {"organization_id": named}

    with pytest.raises(TenantMismatchError):
        parse_event_batch(ACME, parse_batch(batch_of(*events)), now=NOW)


@pytest.mark.parametrize("named", [None, str(ACME.organization_id), str(ACME.organization_id).upper()])
def test_own_organization_of_an_invalid_event_is_no_mismatch(named: str | None) -> None:
    events = [recent(1), *[{"organization_id": named}] * (2 * MAX_EXPLAINED)]

    assert len(parse_event_batch(ACME, parse_batch(batch_of(*events)), now=NOW).rejected) == 2 * MAX_EXPLAINED


def test_leap_second_with_an_escape_is_read() -> None:
    text = batch_of(event(1, event_timestamp="2026-06-30T23:59:60Z")).decode()

    for spelled in (text, text.replace(":60Z", "\\u003a60Z"), text.replace(":60Z", ":\\u0036\\u0030Z")):
        assert len(parse_event_batch(ACME, parse_batch(spelled.encode()), now=NOW).rows) == 1


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
