"""Drain reads the messages of each dead-letter queue, and counts them in the watched metrics."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.stores.aws.secrets import PLATFORM_DATABASE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import ROOT, AwsAccount, Databases
from tests.handlers.dead_letter_requests import operator_request
from tests.handlers.functions import Function, LogLines, PutSecret, Start, superuser
from tests.handlers.queues import messages_in
from tests.handlers.requests import answer_of, sample
from tests.use_cases.dead_letters import bodies

CASES = sorted(path.stem for path in (ROOT / "events" / "drain").glob("*.json"))
ALL_DRAINED: dict[str, list[Any]] = {"batchItemFailures": []}
LIST_LETTERS = """
    SELECT letter_kind, cause, events, call_index, size_bytes, first_received_at, expires_at FROM dead_letters
    WHERE organization_id = %s
"""


@pytest.fixture
def drain(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("drain")


def milliseconds(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))


def delivery(case: str, organization_id: UUID, sent_at: datetime, /, **attributes: str | None) -> dict[str, Any]:
    """Return the sample *case* of another organization and time.

    Attributes are added, or omitted (None).
    """
    [record] = sample("drain", case)["Records"]
    texts = {"organization_id": str(organization_id), "first_received_at": None, **attributes}
    kept = {name: value for name, value in record["messageAttributes"].items() if name not in texts}
    added = {name: {"stringValue": text, "dataType": "String"} for name, text in texts.items() if text is not None}
    queue = {**record["attributes"], "SentTimestamp": milliseconds(sent_at)}
    return {"Records": [{**record, "attributes": queue, "messageAttributes": {**kept, **added}}]}


def rows(databases: Databases, organization_id: UUID) -> list[tuple[Any, ...]]:
    with superuser(databases) as conn:
        return conn.execute(LIST_LETTERS, (organization_id,)).fetchall()


def metrics(output: str) -> dict[str, list[float]]:
    """Return the values of CloudWatch's embedded metrics by name."""
    found = {}
    for line in output.splitlines():
        document = json.loads(line)
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", []):
            found.update({metric["Name"]: document[metric["Name"]] for metric in directive["Metrics"]})
    return found


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("frames", ("events", "ClickHouse error 27 CANNOT_PARSE_INPUT_ASSERTION_FAILED", 2, None)),
        ("audit_record", ("audit", "Delivered too often: not written to the audit log.", None, None)),
        ("rejected_call", ("calls", "missing", None, 0)),
    ],
)
def test_sample_is_stored_with_its_kind_and_cause(
    drain: Function, databases: Databases, acme: Provisioned, case: str, expected: tuple[Any, ...]
) -> None:
    sent_at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    event = delivery(case, acme.organization.id, sent_at)

    assert drain(event) == ALL_DRAINED

    [(*values, size_bytes, first_received_at, expires_at)] = rows(databases, acme.organization.id)
    assert tuple(values) == expected
    assert size_bytes == (63 if case == "rejected_call" else len(event["Records"][0]["body"]))
    assert (first_received_at, expires_at) == (sent_at, sent_at + timedelta(days=14))
    assert list(bodies().values()) == [event["Records"][0]["body"]]


def test_every_sample_is_tried() -> None:
    assert CASES == ["audit_record", "frames", "rejected_call"]


def test_held_events_are_a_kind_of_their_own(drain: Function, databases: Databases, acme: Provisioned) -> None:
    drain(delivery("frames", acme.organization.id, datetime.now(UTC), table="held_events"))

    assert rows(databases, acme.organization.id)[0][0] == "held_events"


def test_letter_expires_by_the_first_of_its_messages(drain: Function, databases: Databases, acme: Provisioned) -> None:
    """Load sends poison in a new message, so the queue's own time is later than the receipt."""
    now = datetime.now(UTC).replace(microsecond=0)
    first, later = now - timedelta(days=3), now + timedelta(days=3)
    for received_at in (first, later):
        event = delivery("frames", acme.organization.id, now, first_received_at=milliseconds(received_at))
        event["Records"][0]["messageId"] = str(received_at)
        drain(event)

    assert {row[5] for row in rows(databases, acme.organization.id)} == {first, now}


@pytest.mark.parametrize("text", [None, "", "acme", "0193f6a2-5c1e-4b7a-9d44-3f8a1c2e7b10"])
def test_message_without_an_owner_is_the_platforms(drain: Function, databases: Databases, text: str | None) -> None:
    event = delivery("frames", PLATFORM_LOG, datetime.now(UTC), organization_id=text)

    assert drain(event) == ALL_DRAINED

    assert len(rows(databases, PLATFORM_LOG)) == 1
    assert [key.partition("/")[0] for key in bodies()] == [str(PLATFORM_LOG)]


def test_cause_is_storable_in_any_case(drain: Function, databases: Databases, acme: Provisioned) -> None:
    event = delivery("frames", acme.organization.id, datetime.now(UTC), error="a\0b\ud800" + "x" * 500)

    assert drain(event) == ALL_DRAINED

    [(_, cause, *_)] = rows(databases, acme.organization.id)
    assert cause == ("a b?" + "x" * 500)[:200]


@pytest.mark.parametrize("text", ["-1", "1e9", "99999999999999999999", "\u0663", "", "4000000000"])
def test_invalid_number_is_no_fault(drain: Function, databases: Databases, acme: Provisioned, text: str) -> None:
    event = delivery(
        "frames",
        acme.organization.id,
        datetime.now(UTC),
        events=text,
        size_bytes=text,
        call_index=text,
        first_received_at=text if text != "4000000000" else None,
    )

    assert drain(event) == ALL_DRAINED

    [(_, _, events, call_index, *_)] = rows(databases, acme.organization.id)
    assert (events, call_index) == (None, None)


@pytest.mark.parametrize(
    ("case", "name"), [("frames", "DeadLetters"), ("audit_record", "AuditDeadLetters"), ("rejected_call", None)]
)
def test_drained_letters_are_counted(
    drain: Function, acme: Provisioned, capsys: pytest.CaptureFixture[str], case: str, name: str | None
) -> None:
    drain(delivery(case, acme.organization.id, datetime.now(UTC)))

    assert metrics(capsys.readouterr().out) == ({name: [1.0]} if name else {})


def test_cause_is_logged_with_its_organization(drain: Function, acme: Provisioned, logged: LogLines) -> None:
    drain(delivery("rejected_call", acme.organization.id, datetime.now(UTC)))

    [line] = [line for line in logged() if line["message"] == "dead letters"]
    assert {name: line[name] for name in ("organization_id", "kind", "cause", "messages")} == {
        "organization_id": str(acme.organization.id),
        "kind": "calls",
        "cause": "missing",
        "messages": 1,
    }


@pytest.mark.usefixtures("secrets")
def test_messages_come_again_without_a_database(
    start: Start, put_secret: PutSecret, nowhere: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put_secret(PLATFORM_DATABASE, f"postgresql://{nowhere}/x")
    event = delivery("frames", PLATFORM_LOG, datetime.now(UTC))

    answer = start("drain")(event)

    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert metrics(capsys.readouterr().out) == {"DeadLettersNotDrained": [1.0]}


@pytest.mark.usefixtures("secrets")
def test_poison_is_drained_redriven_once_and_fails_again(
    start: Start, drain: Function, aws: AwsAccount, databases: Databases, acme: Provisioned
) -> None:
    """The whole way: load, dead letters, drain, redrive, load, drain."""
    load, routes, own = start("load"), start("dead_letters"), acme.organization.id
    [like, *_] = sample("load", "frames")["Records"]
    received_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    attributes = {**like["messageAttributes"], "organization_id": {"stringValue": str(own), "dataType": "String"}}
    queue = {**like["attributes"], "SentTimestamp": milliseconds(received_at)}
    poison = {**like, "body": "no frame", "attributes": queue, "messageAttributes": attributes}

    load({"Records": [poison]})
    drain(received(aws.dead_letters_url))
    first = answer_of(routes(operator_request("redrive", own))).document
    load(received(aws.queue_url))
    drain(received(aws.dead_letters_url))
    second = answer_of(routes(operator_request("redrive", own))).document

    assert (first, second) == ({"redriven": 1, "waiting": 0}, {"redriven": 0, "waiting": 0})
    [group] = answer_of(routes(operator_request("list", own))).document["data"]
    assert (group["count"], group["redriven"], group["failed_again"], group["redrivable"]) == (1, 1, 1, 0)
    assert [row[5] for row in rows(databases, own)] == [received_at]
    assert list(bodies().values()) == ["no frame"]


def received(queue_url: str) -> dict[str, Any]:
    """Take the messages of a queue in the form of Lambda's event."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "body": message["Body"],
                "attributes": {"SentTimestamp": milliseconds(datetime.now(UTC))},
                "messageAttributes": {
                    name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                    for name, value in message["MessageAttributes"].items()
                },
                "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{queue_url.rpartition('/')[2]}",
            }
            for message in messages_in(queue_url)
        ]
    }
