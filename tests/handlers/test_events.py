"""GET /v1/events: its answer, its permission, and the queries that it refuses."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from tenancy.gateway.answer_size import MAX_EVENTS_BYTES
from tenancy.rules.tenant import Tenant
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, Start
from tests.handlers.queues import messages_in
from tests.handlers.requests import Event, answer_of, called_by, problem_of, sample, with_query
from tests.use_cases.listed_events import EventTables

DEEP = "{" + '"a":{' * 9_000 + "}" * 9_000 + "}"
UNUSUAL_NUMBERS = '{"large": 123456789012345678901234567890, "exact": 1.10, "tiny": 1e-400, "text": "é\\u2028😀"}'


@pytest.fixture
def now(clock: StoppedClock) -> datetime:
    return clock.moment


@pytest.fixture
def usage(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    function = start("usage")
    clock.stop(function)
    return function


@pytest.fixture
def events(databases: Databases, acme: Provisioned) -> EventTables:
    return EventTables(databases, acme)


def request_of(tenant: Tenant, **query: str) -> Event:
    return called_by(
        with_query(sample("usage", "list_received_events"), **{"order": "event_timestamp", **query}), tenant
    )


def listed(usage: Function, acme: Provisioned, **query: str) -> list[dict[str, Any]]:
    answer = answer_of(usage(request_of(tenant_of(acme), **query)))
    assert answer.status == 200, answer.body
    data: list[dict[str, Any]] = answer.document["data"]
    return data


def test_event_is_shown_as_it_was_sent(usage: Function, events: EventTables, acme: Provisioned, now: datetime) -> None:
    moment = (now - timedelta(hours=1)).replace(microsecond=123_000)
    events.insert({"event_timestamp": moment, "revenue": "9.990000", "currency": "EUR", "properties": '{"a": [1]}'})

    [event] = listed(usage, acme)

    assert event == {
        "event_id": "1",
        "event_type": "purchase",
        "event_name": "Ordered",
        "device_id": "device",
        "session_id": None,
        "platform": "ios",
        "event_timestamp": f"{moment:%Y-%m-%dT%H:%M:%S}.123Z",
        "received_at": f"{moment + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}.123Z",
        "app_id": None,
        "revenue": "9.99",
        "currency": "EUR",
        "properties": {"a": [1]},
        "user_properties": {},
    }


@pytest.mark.parametrize("properties", [UNUSUAL_NUMBERS, DEEP])
def test_properties_are_shown_character_by_character(
    usage: Function, events: EventTables, acme: Provisioned, now: datetime, properties: str
) -> None:
    events.insert({"event_timestamp": now - timedelta(hours=1), "properties": properties})

    answer = answer_of(usage(request_of(tenant_of(acme))))

    assert f'"properties":{properties},' in answer.body


def test_page_ends_at_4_mb(usage: Function, events: EventTables, acme: Provisioned, now: datetime) -> None:
    large = json.dumps({"text": "é" * 16_000}, ensure_ascii=False)
    rows = [
        {"event_id": f"{n:03}", "properties": large, "event_timestamp": now - timedelta(minutes=1)} for n in range(60)
    ]
    events.insert(*rows)

    for order in ("event_timestamp", "received"):
        found: list[str] = []
        query, pages = {"order": order}, 0
        while True:
            answer = answer_of(usage(request_of(tenant_of(acme), **query)))
            assert len(json.dumps(answer.body)) <= MAX_EVENTS_BYTES + 10_000
            found += [event["event_id"] for event in answer.document["data"]]
            pages += 1
            if not answer.document["pagination"]["has_more"]:
                break
            assert answer.document["pagination"]["next_cursor"] not in {None, query.get("cursor")}
            query["cursor"] = answer.document["pagination"]["next_cursor"]
        assert sorted(found) == [row["event_id"] for row in rows]
        assert pages > 1


INVALID_QUERIES = [
    ({"from": "2026-11-02", "to": "2026-11-01"}, "query/to", "out_of_range"),
    ({"from": "1999-12-31"}, "query/from", "out_of_range"),
    ({"to": "2100-01-02"}, "query/from", "out_of_range"),
    ({"from": "2026-11-01T00:00:00Z"}, "query/from", "invalid"),
    ({"event_type": ""}, "query/event_type", "too_short"),
    ({"event_type": "x" * 101}, "query/event_type", "too_long"),
    ({"event_name": "x" * 256}, "query/event_name", "too_long"),
    ({"event_name": "a\0b"}, "query/event_name", "invalid_characters"),
    ({"device_id": "\ud800"}, "query/device_id", "invalid_characters"),
    ({"app_id": "acme"}, "query/app_id", "invalid"),
    ({"order": "newest"}, "query/order", "unknown"),
    ({"limit": "0"}, "query/limit", "out_of_range"),
    ({"limit": "101"}, "query/limit", "out_of_range"),
    ({"cursor": "x"}, "query/cursor", "invalid"),
    ({"platform": "ios"}, "query/platform", "unknown_member"),
]


def test_invalid_query_is_422(usage: Function, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for query, location, code in INVALID_QUERIES:
        request = request_of(tenant_of(acme), **query)

        with subtests.test(str(query)):
            problem = problem_of(usage(request), request, 422, "invalid")

            assert [(error["location"], error["code"]) for error in problem["errors"]] == [(location, code)]


def test_reads_by_a_key_are_recorded(usage: Function, acme: Provisioned, aws: AwsAccount) -> None:
    for _ in range(2):
        listed(usage, acme)

    [message] = [json.loads(each["Body"]) for each in messages_in(aws.audit_queue_url)]

    assert message["record"]["action"] == "GET /v1/events"
