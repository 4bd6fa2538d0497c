"""POST /v1/events: what is answered, and that nothing is called accepted that is not in the queue."""

import base64
import gzip
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tenancy.gateway.context import parse_context
from tenancy.rules.tenant import Tenant
from tenancy.stores.redis.client import Redis
from tests.given import AwsAccount, know
from tests.handlers.functions import Start
from tests.handlers.queues import Entry, Reply, events_in, fickle_queue, messages_in, taking
from tests.handlers.requests import (
    Event,
    answer_of,
    called_by,
    problem_of,
    recent,
    sample,
    with_body,
    with_headers,
    zipped,
)
from tests.handlers.sent_events import ACME, GLOBEX, post


def test_accepted_means_in_the_queue(start: Start, aws: AwsAccount) -> None:
    request = post(recent(1), recent(2))
    answer = answer_of(start("ingest")(request))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == request["requestContext"]["requestId"]
    assert answer.document == {"batch_id": answer.document["batch_id"], "accepted": 2, "held": 0, "rejected": []}
    assert UUID(answer.document["batch_id"])
    [message] = messages_in(aws.queue_url)
    assert {name: value["StringValue"] for name, value in message["MessageAttributes"].items()} == {
        "organization_id": str(ACME.organization_id),
        "table": "events",
        "events": "2",
    }


@pytest.mark.parametrize("case", ["events", "events_gzip"])
def test_the_samples_are_taken(start: Start, counters: Redis, aws: AwsAccount, case: str) -> None:
    request = sample("ingest", case)
    caller = parse_context(request["requestContext"]["authorizer"], now=datetime.now(UTC))
    assert isinstance(caller, Tenant)
    know(counters, caller)
    body = base64.b64decode(request["body"]) if request["isBase64Encoded"] else request["body"].encode()
    events = json.loads(gzip.decompress(body) if case == "events_gzip" else body)["events"]
    now = datetime.now(UTC).isoformat()
    current = {"events": [{**event, "event_timestamp": now} for event in events]}
    answer = answer_of(start("ingest")(with_body(request, zipped(current) if case == "events_gzip" else current)))
    assert (answer.status, answer.document["accepted"]) == (200, 2)
    rows = events_in(aws.queue_url)
    assert [row.event_name for row in rows] == ["Order Completed", "Product Viewed"]
    assert {row.organization_id for row in rows} == {request["requestContext"]["authorizer"]["organization_id"]}


def test_a_body_is_read_however_it_is_announced(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    document = {"events": [recent(1)]}
    plain = {**called_by(sample("ingest", "events"), ACME), "body": json.dumps(document), "isBase64Encoded": False}
    announced: list[tuple[Event, dict[str, str | None]]] = [
        (plain, {"content_type": None}),
        (plain, {"content_type": "text/plain"}),
        (plain, {"content_type": "application/x-www-form-urlencoded"}),
        (plain, {"content_encoding": "gzip"}),
        (with_body(plain, document), {}),
        (with_body(plain, zipped(document)), {}),
        (with_body(plain, zipped(document)), {"content_encoding": None, "content_type": "text/plain"}),
    ]
    for request, headers in announced:
        assert answer_of(ingest(with_headers(request, **headers))).document["accepted"] == 1
    assert {row.event_id for row in events_in(aws.queue_url)} == {"event-1"}


def test_events_of_two_organizations_carry_their_own_organization(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    for tenant in (ACME, GLOBEX):
        assert answer_of(ingest(post(recent(1), tenant=tenant))).status == 200
    assert [row.organization_id for row in events_in(aws.queue_url)] == [
        str(tenant.organization_id) for tenant in (ACME, GLOBEX)
    ]


def test_a_malformed_event_does_not_sink_the_others(start: Start, aws: AwsAccount) -> None:
    bad = [None, recent(2, revenue="1e12"), recent(3, event_timestamp="2001-01-01T00:00:00Z"), {"event_id": "x"}]
    answer = answer_of(start("ingest")(post(recent(1), *bad, recent(4))))
    assert (answer.status, answer.document["accepted"], answer.document["held"]) == (200, 2, 0)
    rejected = answer.document["rejected"]
    assert [(entry["index"], entry["event_id"]) for entry in rejected] == [
        (1, None),
        (2, "event-2"),
        (3, "event-3"),
        (4, "x"),
    ]
    assert [[(error["location"], error["code"]) for error in entry["errors"]] for entry in rejected[1:]] == [
        [("revenue", "out_of_range")],
        [("event_timestamp", "out_of_range")],
        [("event_type", "missing")],
    ]
    assert [row.event_id for row in events_in(aws.queue_url)] == ["event-1", "event-4"]


def test_a_batch_without_an_acceptable_event_names_each_fault_in_its_place(start: Start, aws: AwsAccount) -> None:
    request = post(recent(1, currency="credits"), {"event_type": "x"})
    problem = problem_of(start("ingest")(request), request, 422, "invalid")
    assert [(error["location"], error["code"]) for error in problem["errors"]] == [
        ("events/0/currency", "unknown"),
        ("events/1/event_name", "missing"),
    ]
    assert messages_in(aws.queue_url) == []


def test_an_event_twice_in_one_batch_is_queued_once(start: Start, aws: AwsAccount) -> None:
    moment = datetime.now(UTC).isoformat()
    copies = [recent(1, event_timestamp=moment), recent(1, event_timestamp=moment, revenue="999")]
    assert answer_of(start("ingest")(post(*copies))).status == 200
    assert [row.revenue for row in events_in(aws.queue_url)] == ["1.25"]


def test_2500_events_are_taken_and_one_more_is_not(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    events = [recent(number) for number in range(2501)]
    assert answer_of(ingest(post(*events[:2500]))).document["accepted"] == 2500
    assert sorted(row.event_id for row in events_in(aws.queue_url)) == sorted(f"event-{n}" for n in range(2500))
    request = post(*events)
    problem_of(ingest(request), request, 422, "invalid")
    assert messages_in(aws.queue_url) == []


def test_the_address_may_be_the_stages_the_custom_domains_or_a_local_one(start: Start) -> None:
    ingest = start("ingest")
    request = post(recent(1))
    for path in ("/events", "/v1/events"):
        assert answer_of(ingest({**request, "path": path})).status == 200


def test_a_route_that_is_none_is_not_found(start: Start) -> None:
    ingest = start("ingest")
    for method, path in (
        ("GET", "/events"),
        ("POST", "/"),
        ("POST", "/event"),
        ("POST", "/events/"),
        ("PUT", "/batch"),
    ):
        request = {**post(recent(1)), "httpMethod": method, "path": path}
        problem_of(ingest(request), request, 404, "not_found")


# ----------------------------------------------------------------------------------------------------------- the queue


def test_a_queue_that_is_away_is_unavailable(start: Start, nowhere: str) -> None:
    request = post(recent(1))
    problem_of(start("ingest", AWS_ENDPOINT_URL=f"http://{nowhere}")(request), request, 503, "unavailable")


def test_a_queue_that_is_not_there_is_unavailable(start: Start, aws: AwsAccount) -> None:
    request = post(recent(1))
    ingest = start("ingest", EVENTS_QUEUE_URL=f"{aws.queue_url}-gone")
    problem_of(ingest(request), request, 503, "unavailable")


def test_entries_that_the_queue_did_not_take_are_sent_again_until_each_is_in_once(
    start: Start, aws: AwsAccount
) -> None:
    events = [recent(number) for number in range(2500)]

    def takes_the_first_only(_call: int, entries: Sequence[Entry]) -> Reply:
        return taking(entries, but=entries[1:])

    with fickle_queue(aws.endpoint_url, takes_the_first_only) as queue:
        answer = answer_of(start("ingest", AWS_ENDPOINT_URL=queue.url)(post(*events)))
    assert (answer.status, answer.document["accepted"]) == (200, 2500)
    assert queue.calls == 3
    assert [entry["MessageAttributes"]["events"]["StringValue"] for entry in queue.taken] == ["1000", "1000", "500"]
    assert len({entry["MessageBody"] for entry in queue.taken}) == 3


def refuses_all(_call: int, entries: Sequence[Entry]) -> Reply:
    return taking(entries, but=entries)


def refuses_the_last(_call: int, entries: Sequence[Entry]) -> Reply:
    return taking(entries, but=entries[-1:])


def fails(_call: int, _entries: Sequence[Entry]) -> Reply:
    return 500, {"__type": "InternalFailure"}


def throttles(_call: int, _entries: Sequence[Entry]) -> Reply:
    return 400, {"__type": "com.amazonaws.sqs#RequestThrottled", "message": "Slow down."}


def says_nothing(_call: int, _entries: Sequence[Entry]) -> Reply:
    return 200, {}


@pytest.mark.parametrize("decides", [refuses_all, refuses_the_last, fails, throttles, says_nothing])
def test_without_every_message_in_the_queue_nothing_is_called_accepted(
    start: Start, aws: AwsAccount, decides: Callable[[int, Sequence[Entry]], Reply]
) -> None:
    request = post(*(recent(number) for number in range(1001)))
    with fickle_queue(aws.endpoint_url, decides) as queue:
        problem_of(start("ingest", AWS_ENDPOINT_URL=queue.url)(request), request, 503, "unavailable")
    assert len(queue.taken) < 2


def test_a_queue_that_came_back_is_used_again(start: Start, aws: AwsAccount) -> None:
    request = post(recent(1))

    def fails_first(call: int, entries: Sequence[Entry]) -> Reply:
        return fails(call, entries) if call == 0 else taking(entries)

    with fickle_queue(aws.endpoint_url, fails_first) as queue:
        ingest = start("ingest", AWS_ENDPOINT_URL=queue.url)
        problem_of(ingest(request), request, 503, "unavailable")
        assert answer_of(ingest(request)).status == 200
