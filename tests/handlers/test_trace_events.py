"""POST /v1/events/trace: one answer for each id, in their order."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from tenancy.rules.texts import NAME_MAX_CHARACTERS
from tenancy.rules.traced_events import MAX_TRACED_IDS, TracedId
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.traced_events import trace_stored_events
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, Start
from tests.handlers.requests import Event, answer_of, called_by, problem_of, sample, with_body
from tests.use_cases.listed_events import CountingClient, EventTables

UNKNOWN = {"state": "unknown", "reason": None, "received_at": None}
INSERT_HELD = """
    INSERT INTO held_events (organization_id, event_id, device_id, event_timestamp, received_at, reason)
    SELECT {organization:UUID}, {event_id:String}, 'device', fromUnixTimestamp64Milli({time:Int64}, 'UTC'),
           fromUnixTimestamp64Milli({received:Int64}, 'UTC'), {reason:String}
"""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def now(clock: StoppedClock) -> datetime:
    return clock.moment.replace(microsecond=0)


@pytest.fixture
def usage(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    function = start("usage")
    clock.stop(function)
    return function


@pytest.fixture
def events(databases: Databases, acme: Provisioned) -> EventTables:
    return EventTables(databases, acme)


def request_of(owner: Provisioned, *ids: object) -> Event:
    body = json.dumps({"ids": list(ids)}, ensure_ascii=False).encode()
    return called_by(with_body(sample("usage", "trace_events"), body), tenant_of(owner))


def traced(usage: Function, owner: Provisioned, *ids: Mapping[str, object]) -> list[dict[str, Any]]:
    answer = answer_of(usage(request_of(owner, *ids)))
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.document["events"]
    assert [each["event_id"] for each in found] == [each["event_id"] for each in ids]
    return found


def states(found: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(each["state"], each["reason"]) for each in found]


def hold(events: EventTables, event_id: str, reason: str, time: datetime, received: datetime) -> None:
    parameters = {
        "organization": events.owner.organization.id,
        "event_id": event_id,
        "reason": reason,
        "time": int(time.timestamp() * 1000),
        "received": int(received.timestamp() * 1000),
    }
    events.databases.clickhouse.command(INSERT_HELD, parameters=parameters)


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def test_each_id_has_its_answer_in_order(
    usage: Function, events: EventTables, acme: Provisioned, now: datetime
) -> None:
    events.insert(
        {"event_id": "stored", "event_timestamp": now - HOUR}, {"event_id": "both", "event_timestamp": now - HOUR}
    )
    hold(events, "quota", "quota", now - HOUR, now)
    hold(events, "clock", "clock", now + 400 * DAY, now - DAY)
    hold(events, "released", "released", now - HOUR, now)
    hold(events, "both", "quota", now - HOUR, now)
    asked = ["both", "unknown", "clock", "stored", "released", "quota", "stored"]

    found = traced(usage, acme, *({"event_id": each} for each in asked))

    assert states(found) == [
        ("stored", None),
        ("unknown", None),
        ("held", "clock"),
        ("stored", None),
        ("unknown", None),
        ("held", "quota"),
        ("stored", None),
    ]
    assert found[3] == {
        "event_id": "stored",
        "state": "stored",
        "reason": None,
        "received_at": text(now - HOUR + timedelta(seconds=1)),
        "device_id": "device",
        "event_timestamp": text(now - HOUR),
    }


def test_mark_of_a_release_outlives_a_later_copy(
    usage: Function, events: EventTables, acme: Provisioned, now: datetime
) -> None:
    time = now - 50 * DAY
    hold(events, "1", "released", time, now - 40 * DAY)
    hold(events, "1", "clock", time, now)

    assert states(traced(usage, acme, {"event_id": "1"})) == [("unknown", None)]


def test_received_at_is_that_of_the_first_copy(
    usage: Function, events: EventTables, acme: Provisioned, now: datetime
) -> None:
    for minutes in (5, 3, 4):
        events.insert({"event_timestamp": now - HOUR, "received_at": now - timedelta(minutes=minutes)})

    [found] = traced(usage, acme, {"event_id": "1"})

    assert found["received_at"] == text(now - timedelta(minutes=5))


def test_device_and_time_must_fit(usage: Function, events: EventTables, acme: Provisioned, now: datetime) -> None:
    old = now - 30 * DAY
    events.insert({"event_timestamp": old}, {"event_timestamp": old, "device_id": "it's"}, {"event_id": "2"})

    found = traced(
        usage,
        acme,
        {"event_id": "1"},
        {"event_id": "1", "event_timestamp": text(old)},
        {"event_id": "1", "event_timestamp": f"{old:%Y-%m-%dt%H:%M:%S}.0009+00:00", "device_id": "it's"},
        {"event_id": "1", "event_timestamp": text(old), "device_id": "other"},
        {"event_id": "1", "event_timestamp": text(old + timedelta(seconds=1))},
    )

    assert [each["state"] for each in found] == ["unknown", "stored", "stored", "unknown", "unknown"]
    assert found[2]["device_id"] == "it's"


@pytest.mark.parametrize("character", ["'", "\\", "`", "\t", "\n", "\x7f", "é", "€", "😀"])
def test_100_longest_names_are_traced(
    usage: Function, events: EventTables, acme: Provisioned, now: datetime, character: str
) -> None:
    names = [f"{character * (NAME_MAX_CHARACTERS - 3)}{number:03}" for number in range(MAX_TRACED_IDS)]
    time = now - HOUR
    events.insert(*({"event_id": each, "device_id": each, "event_timestamp": time} for each in names[::2]))

    found = traced(
        usage, acme, *({"event_id": each, "device_id": each, "event_timestamp": text(time)} for each in names)
    )

    assert [each["state"] for each in found] == ["stored", "unknown"] * (MAX_TRACED_IDS // 2)
    assert [each["device_id"] for each in found] == names


def test_events_of_another_organization_are_unknown(
    usage: Function, events: EventTables, acme: Provisioned, globex: Provisioned, now: datetime
) -> None:
    events.insert({"event_id": "stored", "event_timestamp": now - HOUR})
    hold(events, "held", "quota", now - HOUR, now)

    asked = [
        {"event_id": each, **more}
        for each in ("stored", "held")
        for more in ({}, {"event_timestamp": text(now - HOUR)})
    ]
    found = traced(usage, globex, *asked)

    assert [{name: each[name] for name in UNKNOWN} for each in found] == [UNKNOWN] * 4
    assert [each["state"] for each in traced(usage, acme, *asked)] == ["stored", "stored", "held", "held"]


def test_event_past_the_retention_is_unknown(
    usage: Function, events: EventTables, acme: Provisioned, now: datetime
) -> None:
    old = now - 400 * DAY
    events.insert({"event_timestamp": old})

    assert states(traced(usage, acme, {"event_id": "1", "event_timestamp": text(old)})) == [("unknown", None)]


def queue_of(usage: Function, acme: Provisioned) -> dict[str, Any]:
    queue: dict[str, Any] = answer_of(usage(request_of(acme, {"event_id": "1"}))).document["queue"]
    return queue


def test_age_of_the_queue_is_that_of_recent_rows(
    usage: Function, events: EventTables, acme: Provisioned, now: datetime
) -> None:
    events.insert({"received_at": now - HOUR, "created_at": now - timedelta(minutes=16)})
    before = queue_of(usage, acme)
    events.insert({"received_at": now - timedelta(minutes=3), "created_at": now - timedelta(minutes=1)})

    assert before == {"age_seconds": None, "last_stored_at": text(now - timedelta(minutes=16))}
    assert queue_of(usage, acme) == {"age_seconds": 120, "last_stored_at": text(now - timedelta(minutes=1))}


def test_one_redriven_letter_does_not_age_the_queue(
    usage: Function, events: EventTables, acme: Provisioned, now: datetime
) -> None:
    stored = {"created_at": now - timedelta(minutes=1)}
    usual = ({"event_id": str(number), "received_at": now - timedelta(seconds=65), **stored} for number in range(200))
    events.insert({"event_id": "redriven", "received_at": now - 9 * DAY, **stored}, *usual)

    assert queue_of(usage, acme)["age_seconds"] == 5


@pytest.mark.parametrize(("age", "is_found"), [(HOUR, True), (5 * HOUR, True), (6.9 * DAY, True), (7.1 * DAY, False)])
def test_last_storage_is_found_within_7_days(
    usage: Function,
    events: EventTables,
    acme: Provisioned,
    globex: Provisioned,
    now: datetime,
    age: timedelta,
    *,
    is_found: bool,
) -> None:
    events.insert({"event_timestamp": now - 8 * DAY, "created_at": now - age - DAY})
    events.insert({"event_timestamp": now - 8 * DAY, "created_at": now - age})
    EventTables(events.databases, globex).insert({"event_timestamp": now - DAY, "created_at": now - HOUR / 2})

    stored = text(now - age) if is_found else None
    assert queue_of(usage, acme) == {"age_seconds": None, "last_stored_at": stored}


INVALID_IDS: list[tuple[list[object], str, str]] = [
    ([], "body/ids", "too_short"),
    ([{"event_id": "1"}] * 101, "body/ids", "too_long"),
    (["1"], "body/ids/0", "invalid_type"),
    ([{}], "body/ids/0/event_id", "missing"),
    ([{"event_id": ""}], "body/ids/0/event_id", "too_short"),
    ([{"event_id": 1}], "body/ids/0/event_id", "invalid_type"),
    ([{"event_id": "a\0"}], "body/ids/0/event_id", "invalid_characters"),
    ([{"event_id": "x" * 256}], "body/ids/0/event_id", "too_long"),
    ([{"event_id": "1", "device": "1"}], "body/ids/0/device", "unknown_member"),
    ([{"event_id": "1", "event_timestamp": 1795824000}], "body/ids/0/event_timestamp", "invalid_type"),
    ([{"event_id": "1", "event_timestamp": "2026-11-24"}], "body/ids/0/event_timestamp", "invalid"),
    ([{"event_id": "1", "event_timestamp": "2026-11-24T12:00:00"}], "body/ids/0/event_timestamp", "invalid"),
    ([{"event_id": "1", "event_timestamp": "0001-01-01T00:00:00+14:00"}], "body/ids/0/event_timestamp", "invalid"),
    ([{"event_id": "1", "event_timestamp": "9999-12-31T23:59:59-14:00"}], "body/ids/0/event_timestamp", "invalid"),
]


def test_invalid_ids_are_422(usage: Function, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for ids, location, code in INVALID_IDS:
        request = request_of(acme, *ids)

        with subtests.test(f"{location} {code}"):
            problem = problem_of(usage(request), request, 422, "invalid")

            assert [(error["location"], error["code"]) for error in problem["errors"]] == [(location, code)]


def test_trace_reads_few_rows(databases: Databases, acme: Provisioned, now: datetime) -> None:
    statement = """
        INSERT INTO events (organization_id, event_id, device_id, event_timestamp, received_at)
        SELECT {organization:UUID}, toString(number), 'device', {at:DateTime64(3, 'UTC')} + number / 1000,
               {at:DateTime64(3, 'UTC')}
        FROM numbers(1000000)
    """
    organization_id = acme.organization.id
    parameters = {"organization": organization_id, "at": (now - DAY).replace(tzinfo=None)}
    databases.clickhouse.command(statement, parameters=parameters)
    client = CountingClient(databases.clickhouse)
    reader = TenantReader(client, organization_id)  # type: ignore[arg-type]
    since = int((now - 7 * DAY).timestamp() * 1000)

    found = trace_stored_events(reader, [TracedId(event_id="500000"), TracedId(event_id="unknown")], since=since)

    assert list(found) == [0]
    assert client.rows_read <= 100_000  # of a million: a few granules of each part
