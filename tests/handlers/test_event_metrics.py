"""Metrics of events: accepted, held, rejected, refused, stored, and the time between the queue and ClickHouse."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.functions import Function, Start
from tests.handlers.requests import answer_of, cloud_event, recent_event, segment_call
from tests.handlers.sent_events import post_cloud_events, post_events, segment_batch
from tests.handlers.test_load import delivery, rows

LAG_SECONDS = 90
INVALID = {"event_name": ""}


@pytest.fixture
def ingest(start: Start) -> Function:
    return start("ingest")


def counted(capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, str], float]:
    """Return the sums of the metrics that were printed since the last call, by name and cause."""
    sums: dict[tuple[str, str], float] = {}
    for text in capsys.readouterr().out.splitlines():
        line = json.loads(text)
        for each in line.get("_aws", {}).get("CloudWatchMetrics", [{}])[0].get("Metrics", []):
            key = (each["Name"], line.get("cause", ""))
            sums[key] = sums.get(key, 0) + sum(line[each["Name"]])
    return sums


def test_accepted_held_and_rejected_events_are_counted(
    ingest: Function, set_remaining: Callable[[int, int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    set_remaining(2, 1)

    answer = answer_of(ingest(post_events(recent_event(1), INVALID, recent_event(2), recent_event(3))))

    [rejected] = answer.document["rejected"]
    assert counted(capsys) == {
        ("EventsAccepted", ""): 2,
        ("EventsHeld", ""): 1,
        ("EventsRejected", rejected["errors"][0]["code"]): 1,
    }


def test_events_of_a_refused_batch_are_counted(ingest: Function, capsys: pytest.CaptureFixture[str]) -> None:
    answer = answer_of(ingest(post_events(INVALID, INVALID)))

    assert answer.status == 422
    assert sum(counted(capsys).values()) == 2


def test_whole_batch_counts_its_invalid_events(ingest: Function, capsys: pytest.CaptureFixture[str]) -> None:
    invalid = {**cloud_event(2), "specversion": "0.3"}

    answer = answer_of(ingest(post_cloud_events([cloud_event(1), invalid], case="openmeter_events")))

    assert answer.status == 422
    assert sum(counted(capsys).values()) == 1


def test_calls_of_segment_are_counted_as_events(
    ingest: Function,
    secrets: None,  # noqa: ARG001
    acme: Provisioned,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ingest(segment_batch(segment_call(1), key=acme.write_key))

    assert counted(capsys)["EventsAccepted", ""] == 1


def test_refusal_is_counted_by_its_code(
    ingest: Function, set_remaining: Callable[[int, int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    set_remaining(0, 0)

    answer = answer_of(ingest(post_events(recent_event(1))))

    assert answer.status == 402
    assert counted(capsys)["RequestsRefused", "quota_exceeded"] == 1


def test_invalid_request_is_no_counted_refusal(ingest: Function, capsys: pytest.CaptureFixture[str]) -> None:
    answer = answer_of(ingest({**post_events(), "body": "no JSON"}))

    assert answer.status == 400
    assert counted(capsys) == {}


def test_stored_events_are_counted_with_their_time_in_the_queue(
    start: Start,
    secrets: None,  # noqa: ARG001
    capsys: pytest.CaptureFixture[str],
) -> None:
    sent = sent_ago(delivery(rows(1, 2)), LAG_SECONDS)

    start("load")(sent)

    metrics = counted(capsys)
    assert metrics["EventsStored", ""] == 2
    assert LAG_SECONDS <= metrics["StorageLag", ""] < LAG_SECONDS + 3600  # a slow machine adds its own time


def test_time_of_each_message_counts(
    start: Start,
    secrets: None,  # noqa: ARG001
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = {"Records": [record for _ in range(101) for record in delivery(rows(1))["Records"]]}
    for number, record in enumerate(many["Records"]):
        record["messageId"] = f"message-{number}"

    start("load")(sent_ago(many, LAG_SECONDS))

    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "StorageLag" in text]
    assert [len(line["StorageLag"]) for line in lines] == [100, 1]


def test_message_that_is_given_back_is_not_counted(
    start: Start,
    databases: Databases,
    secrets: None,  # noqa: ARG001
    capsys: pytest.CaptureFixture[str],
) -> None:
    databases.clickhouse.command("DROP TABLE events")

    start("load")(delivery(rows(1)))

    assert counted(capsys) == {("EventsNotLoaded", ""): 1}


@pytest.mark.parametrize("events", ["", "many", "-1", "1" * 10, "²"])
def test_foreign_number_of_events_counts_nothing(
    start: Start,
    secrets: None,  # noqa: ARG001
    capsys: pytest.CaptureFixture[str],
    events: str,
) -> None:
    sent = delivery(rows(1))
    sent["Records"][0]["messageAttributes"]["events"]["stringValue"] = events

    start("load")(sent)

    assert counted(capsys)["EventsStored", ""] == 0


def sent_ago(event: dict[str, Any], seconds: int) -> dict[str, Any]:
    """Return *event* with messages that were sent some *seconds* ago."""
    moment = str(int((time.time() - seconds) * 1000))
    records = [{**each, "attributes": {**each["attributes"], "SentTimestamp": moment}} for each in event["Records"]]
    return {"Records": records}
