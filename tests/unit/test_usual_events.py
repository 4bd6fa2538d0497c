"""The row of a usual event is the one that `event.py` makes, and a batch has the same result event by event."""

import json
from random import Random

import msgspec
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from tenancy.errors import Refusal, TenantMismatchError
from tenancy.rules.events.batch import Batch
from tenancy.rules.events.event import parse_event
from tenancy.rules.events.names import PLAIN_MAX_CHARACTERS
from tenancy.rules.events.row import BatchContext, EventRow, InvalidEventError, Rejection
from tenancy.rules.events.usual_events import find_usual_events
from tenancy.rules.json_members import within_body
from tenancy.use_cases.ingest.parse_batch import parse_event_batch
from tenancy.use_cases.ingest.parsed_batch import NoValidEventError
from tests.unit.random_events import EVENTS
from tests.unit.single_events import ACME, EVENT, GLOBEX, NOW, raw, without
from tests.unit.test_parsed_events import TENANT

FOREIGN = raw(organization_id=str(GLOBEX))
VALID = st.builds(lambda number: raw(event_id=f"order-{number}", revenue=number), st.integers(0, 20))
BATCHES = st.lists(EVENTS | VALID | VALID | st.just(FOREIGN), min_size=1, max_size=8)

type Outcome = tuple[list[tuple[int, EventRow]], list[Rejection]] | str

WITHOUT_SHRINKING = settings(max_examples=20_000, phases=(Phase.generate,))


def usual_of(raws: list[bytes]) -> dict[int, EventRow]:
    return find_usual_events([*map(msgspec.Raw, raws)], context_of(raws))


def context_of(raws: list[bytes]) -> BatchContext:
    has_escapes = any(b"\\" in each for each in raws)
    return BatchContext(organization_id=ACME, received_at=NOW, has_escapes=has_escapes)


def parsed_one_by_one(raws: list[bytes]) -> Outcome:
    rows, rejected = [], []
    for index, each in enumerate(raws):
        try:
            rows.append((index, parse_event(each, context_of(raws))))
        except TenantMismatchError as error:
            return f"{error.detail} It is at body/events/{index}/organization_id."
        except InvalidEventError as error:
            located = tuple(within_body(error.errors, "events", index))
            rejected.append(Rejection(index=index, event_id=error.event_id, errors=located))
    return rows, rejected


def parsed_together(raws: list[bytes]) -> Outcome:
    batch = Batch([*map(msgspec.Raw, raws)], has_escapes=context_of(raws).has_escapes)
    try:
        parsed = parse_event_batch(TENANT, batch, now=NOW)
    except NoValidEventError as refusal:
        return [], [*refusal.rejected]
    except Refusal as refusal:
        return refusal.detail
    return [*parsed.rows.items()], [*parsed.rejected]


@given(BATCHES)
def test_usual_row_is_the_row_of_the_event(raws: list[bytes]) -> None:
    usual = usual_of(raws)

    assert usual == {index: parse_event(raws[index], context_of(raws)) for index in usual}


@given(BATCHES)
def test_batch_has_the_result_of_its_single_events(raws: list[bytes]) -> None:
    assert parsed_together(raws) == parsed_one_by_one(raws)


def test_random_batches_have_usual_and_other_events() -> None:
    def is_mixed(raws: list[bytes]) -> bool:
        others = {*range(len(raws))} - usual_of(raws).keys()
        outcome = parsed_one_by_one(raws)
        valid = set() if isinstance(outcome, str) else {index for index, _ in outcome[0]}
        return bool(usual_of(raws) and others & valid and others - valid and outcome[1:])

    assert find(BATCHES, is_mixed, settings=WITHOUT_SHRINKING, random=Random(2))  # repeatable, and found early


@pytest.mark.parametrize(
    "event",
    [
        raw(),
        json.dumps(EVENT, indent=4).encode(),
        without("event_id", "session_id", "properties", "user_properties", "revenue", "currency"),
        raw(properties=None, user_properties={"user_id": "ann", "text": 'a"b'}),
        raw(event_timestamp="2026-11-20T10:00:00+02:00", revenue=49.90, currency=" eur "),
        raw(organization_id=str(ACME), sentAt="2026-11-20T10:00:00Z", context={}),
    ],
)
def test_valid_events_are_usual(event: bytes) -> None:
    assert usual_of([event])


@pytest.mark.parametrize(
    "event",
    [
        FOREIGN,
        raw(properties={"text": "x" * PLAIN_MAX_CHARACTERS}),
        raw(event_timestamp="2025-12-31T23:59:60Z"),
        raw(event_timestamp="2020-01-01T00:00:00Z"),
        raw(device_id="a\0b"),
        raw(properties=[]),
        raw(revenue="many"),
        raw(currency="XXX"),
        raw(device_id=""),
        b"[]",
    ],
)
def test_other_events_are_left_out_alone(event: bytes) -> None:
    assert [*usual_of([raw(), event, raw()])] == [0, 2]
