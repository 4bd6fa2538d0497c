"""Load stores events, and sends only invalid messages to the dead-letter queue."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
import zstandard

from scripts.tcp_proxy import tcp_proxy
from tenancy.rules.events.event import parse_event
from tenancy.rules.events.frames import encode_frames
from tenancy.rules.events.row import BatchContext, EventRow
from tenancy.rules.events.segment import parse_segment_message
from tenancy.stores.aws.secrets import CLICKHOUSE
from tests.given import AwsAccount, Databases
from tests.handlers.functions import Function, PutSecret, Start
from tests.handlers.queues import messages_in, rows_in
from tests.handlers.requests import recent_event, sample, segment_call

ACME = UUID("0a000000-0000-4000-8000-00000000000a")
GLOBEX = UUID("0b000000-0000-4000-8000-00000000000b")


@pytest.fixture
def load(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("load")


def reception(organization_id: UUID = ACME) -> BatchContext:
    return BatchContext(organization_id=organization_id, received_at=datetime.now(UTC))


def rows(*numbers: int, organization_id: UUID = ACME) -> list[EventRow]:
    return [parse_event(msgspec.json.encode(recent_event(n)), reception(organization_id)) for n in numbers]


def record(text: str, *, number: int, organization_id: UUID = ACME, table: str = "events") -> dict[str, Any]:
    """Return an SQS record like the sample's."""
    [like, *_] = sample("load", "frames")["Records"]
    attributes = {name: {**value} for name, value in like["messageAttributes"].items()}
    attributes["organization_id"]["stringValue"] = str(organization_id)
    attributes["table"]["stringValue"] = table
    return {**like, "messageId": f"message-{number}", "body": text, "messageAttributes": attributes}


def delivery(*batches: Sequence[EventRow], table: str = "events") -> dict[str, Any]:
    """Return the records of one frame for each of *batches*."""
    return {
        "Records": [
            record(frame.text, number=number, organization_id=UUID(batch[0].organization_id), table=table)
            for number, batch in enumerate(batches)
            for frame in encode_frames(batch)
        ]
    }


def failed(answer: dict[str, Any]) -> list[str]:
    assert set(answer) == {"batchItemFailures"}
    return [entry["itemIdentifier"] for entry in answer["batchItemFailures"]]


def stored(databases: Databases, table: str = "events") -> list[tuple[str, str]]:
    statements = {
        "events": "SELECT toString(organization_id), event_id FROM events FINAL ORDER BY 1, 2",
        "held_events": "SELECT toString(organization_id), event_id FROM held_events FINAL ORDER BY 1, 2",
    }
    return [(organization, event) for organization, event in databases.clickhouse.query(statements[table]).result_rows]


def test_sample_delivery_is_stored(load: Function, databases: Databases) -> None:
    event = sample("load", "frames")
    assert failed(load(event)) == []

    organization = event["Records"][0]["messageAttributes"]["organization_id"]["stringValue"]
    events = stored(databases)

    assert len(events) == 2
    assert (organization, "order-1001") in events
    assert [held for held, _ in stored(databases, "held_events")] == [organization]


def test_rows_are_stored_under_their_own_organization(load: Function, databases: Databases) -> None:
    mine, others = rows(1, 2), rows(1, 3, organization_id=GLOBEX)
    assert failed(load(delivery(mine, others))) == []
    assert stored(databases) == [
        (str(ACME), "event-1"),
        (str(ACME), "event-2"),
        (str(GLOBEX), "event-1"),
        (str(GLOBEX), "event-3"),
    ]


def test_repeated_delivery_changes_nothing(load: Function, databases: Databases) -> None:
    first, second = rows(1, 2), rows(3)
    for batches in ([first], [first], [first, second], [second, first], [second]):
        assert failed(load(delivery(*batches))) == []

    assert [event for _, event in stored(databases)] == ["event-1", "event-2", "event-3"]
    count = databases.clickhouse.query("SELECT sum(revenue) FROM events FINAL").result_rows[0][0]
    assert str(count) == "3.750000"


def test_held_events_are_stored_in_their_own_table(load: Function, databases: Databases) -> None:
    late = segment_call(1, timestamp="1970-01-01T00:00:00Z"), segment_call(2, timestamp="2200-01-01T00:00:00Z")
    early = segment_call(3, timestamp="0001-01-01T00:00:00Z"), segment_call(4, timestamp="9999-12-31T23:59:59Z")
    held = [parse_segment_message(msgspec.json.encode(message), reception()) for message in (*late, *early)]
    event = delivery(held, table="held_events")

    assert failed(load({"Records": event["Records"] + delivery(rows(9))["Records"]})) == []
    assert [event for _, event in stored(databases)] == ["event-9"]
    assert [event for _, event in stored(databases, "held_events")] == [f"message-{n}" for n in (1, 2, 3, 4)]


def test_largest_and_smallest_amounts_are_stored(load: Function, databases: Databases) -> None:
    amounts = ["999999999999.999999", "-999999999999.999999", "1e11", "0e5", "-0", "0.0000010", "1.50000000000000"]
    events = [recent_event(number, revenue=amount) for number, amount in enumerate(amounts)]
    accepted = [parse_event(msgspec.json.encode(event), reception()) for event in events]
    segment = [
        parse_segment_message(msgspec.json.encode(segment_call(number, properties={"revenue": amount})), reception())
        for number, amount in enumerate([*amounts, "999999999999.9999994", 0.1 + 0.2])
    ]

    assert failed(load(delivery(accepted, segment))) == []
    assert len(stored(databases)) == len(accepted) + len(segment)


def test_unusual_texts_are_stored_unchanged(load: Function, databases: Databases) -> None:
    texts = [
        "é🦀",
        "quote \" ' `",
        "back\\slash \\u0000",
        "tab\tnew\nline",
        "\u2028\u2029",
        "{brace}",
        "\x7f\x01",
        "NULL",
    ]
    accepted = [
        parse_event(msgspec.json.encode(recent_event(n, device_id=text, properties={"text": text})), reception())
        for n, text in enumerate(texts)
    ]

    assert failed(load(delivery(accepted))) == []
    found = databases.clickhouse.query("SELECT device_id, properties FROM events FINAL ORDER BY event_id").result_rows
    assert [device for device, _ in found] == texts
    assert [msgspec.json.decode(properties)["text"] for _, properties in found] == texts


# ---------------------------------------------------------------------------------------------------- invalid messages


def compressed(text: bytes) -> str:
    return base64.b64encode(zstandard.ZstdCompressor().compress(text)).decode()


GOOD_LINE = msgspec.json.encode(
    {name: "" for name in EventRow.__struct_fields__ if name != "reason"}
    | {
        "organization_id": str(ACME),
        "event_timestamp": "2026-11-24 12:00:00.000",
        "received_at": "2026-11-24 12:00:00.000",
        "revenue": "0",
        "device_names": ["phone"],
        "user_names": [],
    }
)
INVALID_MESSAGES = {
    "no base64": "***",
    "no ASCII": "é",
    "no zstd": base64.b64encode(b"hello").decode(),
    "half a frame": base64.b64encode(zstandard.ZstdCompressor().compress(GOOD_LINE)[:-9]).decode(),
    "no JSON": compressed(b"hello\n"),
    "JSON of another kind": compressed(b"[1,2]\n"),
    "no organization id": compressed(GOOD_LINE.replace(str(ACME).encode(), b"acme")),
    "no time": compressed(GOOD_LINE.replace(b"2026-11-24 12:00:00.000", b"yesterday")),
    "thirteen digits": compressed(GOOD_LINE.replace(b'"revenue":"0"', b'"revenue":"1000000000000"')),
    "a member too much": compressed(GOOD_LINE.replace(b'"revenue"', b'"surprise":1,"revenue"')),
    "truncated JSON": compressed(GOOD_LINE[:-10]),
    "a truncated list": compressed(GOOD_LINE[: GOOD_LINE.index(b"phone")]),
    "a text for a list": compressed(GOOD_LINE.replace(b'["phone"]', b'"phone"')),
}


def test_invalid_message_goes_to_the_dead_letters_alone(
    load: Function, aws: AwsAccount, databases: Databases, subtests: pytest.Subtests
) -> None:
    for number, (case, text) in enumerate(INVALID_MESSAGES.items(), start=1):
        with subtests.test(case):
            mine, others = delivery(rows(number)), delivery(rows(number, organization_id=GLOBEX))
            invalid = record(text, number=7)
            others["Records"][0]["messageId"] = "message-2"
            event = {"Records": [*mine["Records"], invalid, *others["Records"]]}

            assert failed(load(event)) == []
            assert {(str(ACME), f"event-{number}"), (str(GLOBEX), f"event-{number}")} <= set(stored(databases))

            [letter] = messages_in(aws.dead_letters_url)
            values = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}

            assert letter["Body"] == text
            assert (values["organization_id"], values["table"]) == (str(ACME), "events")
            assert values["error"]
            assert "yesterday" not in values["error"]


def test_foreign_message_does_not_block_the_others(load: Function, aws: AwsAccount, databases: Databases) -> None:
    stray = {**record("hello", number=9), "messageAttributes": {}}
    assert failed(load({"Records": [stray, *delivery(rows(1))["Records"]]})) == []
    assert [event for _, event in stored(databases)] == ["event-1"]
    assert [letter["Body"] for letter in messages_in(aws.dead_letters_url)] == ["hello"]


@pytest.mark.usefixtures("secrets")
def test_delivery_fails_if_the_dead_letter_queue_is_missing(
    start: Start, aws: AwsAccount, databases: Databases
) -> None:
    load = start("load", DEAD_LETTERS_URL=f"{aws.dead_letters_url}-gone")
    event = {"Records": [record("***", number=1), *delivery(rows(1))["Records"]]}

    with pytest.raises(Exception, match=r"NonExistentQueue|does not exist"):
        failed(load(event))

    assert {event for _, event in stored(databases)} <= {"event-1"}


# ------------------------------------------------------------------------------------------- unreachable ClickHouse


def test_messages_are_retried_if_clickhouse_becomes_unreachable(
    start: Start, put_secret: PutSecret, aws: AwsAccount, databases: Databases
) -> None:
    event = delivery(rows(1), rows(2, organization_id=GLOBEX))
    with tcp_proxy(databases.servers.clickhouse_port) as proxy:
        put_secret(CLICKHOUSE, f"http://{proxy.address}/{databases.name}")
        load = start("load")

        assert failed(load(event)) == []

        proxy.cut()
        assert failed(load(delivery(rows(3), rows(4, organization_id=GLOBEX)))) == ["message-0", "message-1"]

    assert messages_in(aws.dead_letters_url) == []
    assert len(stored(databases)) == 2


def test_messages_are_retried_if_clickhouse_never_answered(
    start: Start, put_secret: PutSecret, aws: AwsAccount, nowhere: str
) -> None:
    put_secret(CLICKHOUSE, f"http://{nowhere}/default")

    assert failed(start("load")(delivery(rows(1), rows(2)))) == ["message-0", "message-1"]
    assert messages_in(aws.dead_letters_url) == []


def test_messages_are_retried_if_a_table_is_missing(load: Function, aws: AwsAccount, databases: Databases) -> None:
    databases.clickhouse.command("RENAME TABLE events TO gone")
    event = delivery(rows(1), rows(2))

    assert failed(load(event)) == ["message-0", "message-1"]

    databases.clickhouse.command("RENAME TABLE gone TO events")
    assert failed(load(event)) == []
    assert messages_in(aws.dead_letters_url) == []
    assert [event for _, event in stored(databases)] == ["event-1", "event-2"]


def test_dead_letter_still_holds_the_rows(load: Function, aws: AwsAccount) -> None:
    bad = [msgspec.structs.replace(row, revenue="1" + "0" * 20) for row in rows(1, 2)]
    assert failed(load(delivery(bad))) == []
    [letter] = messages_in(aws.dead_letters_url)
    assert rows_in(letter["Body"]) == bad
