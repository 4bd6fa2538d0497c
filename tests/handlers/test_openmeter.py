"""OpenMeter's unmodified Node SDK sends, and each of its events is stored once."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tenancy.rules.events.row import EventRow
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases
from tests.handlers.client_programs import run_client
from tests.handlers.function_server import serving
from tests.handlers.functions import Function, Start
from tests.handlers.queues import events_in
from tests.use_cases import storing

EVENTS = 120

type Calls = Sequence[Sequence[dict[str, object]]]
type Send = Callable[[Calls, int], Sent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The report of the SDK's program."""

    delivered: int
    unanswered: int
    refusals: list[list[Any]]


@pytest.fixture
def ingest(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("ingest")


@pytest.fixture
def send(start: Start, ingest: Function, acme: Provisioned, node: tuple[str, Path]) -> Send:
    """Send calls of events with the SDK, whose first answers are lost."""
    program, folder = node

    def run(calls: Calls, lost_answers: int = 0) -> Sent:
        with serving(ingest, authorizer=start("authorizer"), lost_answers=range(lost_answers)) as url:
            command = [program, "openmeter.mjs", f"{url}/v1", acme.write_key.text]
            return Sent(**json.loads(run_client(command, folder, given=json.dumps(calls))))

    return run


def usage_event(number: int, **changes: object) -> dict[str, object]:
    """Return an event as OpenMeter's documentation has it. The SDK adds source and specversion."""
    return {
        "id": f"usage-{number}",
        "type": "ai-tokens",
        "subject": f"customer-{number}",
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "data": {"model": "gpt-4", "tokens": number},
        **changes,
    }


def stored_once(databases: Databases, acme: Provisioned, rows: Sequence[EventRow]) -> int:
    """Store the rows of the queue, and return the number of different events."""
    storing.load(databases, rows, written=datetime.now(UTC))
    return storing.count(databases, acme.organization.id)


@pytest.mark.parametrize("lost_answers", [0, 1, 3])
def test_events_of_the_sdk_are_stored_once(
    send: Send, aws: AwsAccount, databases: Databases, acme: Provisioned, lost_answers: int
) -> None:
    single = [[usage_event(number)] for number in range(20)]
    batch = [usage_event(number) for number in range(20, EVENTS)]

    sent = send([*single, batch], lost_answers)

    assert sent == Sent(delivered=EVENTS, unanswered=lost_answers, refusals=[])
    rows = events_in(aws.queue_url)
    assert len(rows) == EVENTS + lost_answers
    assert len({row.identity for row in rows}) == stored_once(databases, acme, rows) == EVENTS


def test_batch_whose_answer_is_lost_is_stored_once(
    send: Send, aws: AwsAccount, databases: Databases, acme: Provisioned
) -> None:
    sent = send([[usage_event(number) for number in range(EVENTS)]], 1)

    assert (sent.delivered, sent.unanswered) == (EVENTS, 1)
    rows = events_in(aws.queue_url)
    assert len(rows) == 2 * EVENTS
    assert stored_once(databases, acme, rows) == EVENTS


def test_attributes_that_the_sdk_adds_are_stored(send: Send, aws: AwsAccount) -> None:
    sent = send([[{"type": "ai-tokens", "subject": "customer-1", "data": {"tokens": 7, "revenue": 0.5}}]], 0)

    assert sent.delivered == 1
    [row] = events_in(aws.queue_url)
    attributes = json.loads(row.user_properties)
    assert (attributes["source"], attributes["specversion"]) == ("@openmeter/sdk", "1.0")
    assert json.loads(row.event_id) == ["@openmeter/sdk", attributes["id"]]
    assert (row.event_type, row.device_id, row.revenue) == ("ai-tokens", "customer-1", "0.5")
    assert json.loads(row.properties) == {"tokens": 7, "revenue": 0.5}


def test_sdk_reports_a_batch_with_an_invalid_event(send: Send, aws: AwsAccount) -> None:
    sent = send([[usage_event(1), usage_event(2, time="yesterday")], [usage_event(3)]], 0)

    [[status, message, errors]] = sent.refusals
    assert (status, sent.delivered) == (422, 1)
    assert "No event of the batch is taken" in str(message)
    assert [each["location"] for each in errors] == ["body/1/time"]
    assert [row.device_id for row in events_in(aws.queue_url)] == ["customer-3"]
