"""POST /v1/events: its answers, and that every accepted event is in the queue."""

import base64
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tenancy.gateway.context import parse_context
from tenancy.rules.tenant import Tenant
from tenancy.stores.redis.client import Redis
from tests.given import AwsAccount, know
from tests.handlers.functions import Start
from tests.handlers.queues import Entry, Reply, events_in, messages_in, queue_reply, scripted_queue
from tests.handlers.requests import (
    Event,
    answer_of,
    called_by,
    gzip_json,
    problem_of,
    recent_event,
    sample,
    with_body,
    with_headers,
)
from tests.handlers.sent_events import ACME, GLOBEX, post_events


def test_accepted_events_are_in_the_queue(start: Start, aws: AwsAccount) -> None:
    request = post_events(recent_event(1), recent_event(2))
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
def test_sample_events_are_accepted(start: Start, counters: Redis, aws: AwsAccount, case: str) -> None:
    request = sample("ingest", case)
    caller = parse_context(request["requestContext"]["authorizer"], now=datetime.now(UTC))

    assert isinstance(caller, Tenant)

    know(counters, caller)
    body = base64.b64decode(request["body"]) if request["isBase64Encoded"] else request["body"].encode()
    events = json.loads(gzip.decompress(body) if case == "events_gzip" else body)["events"]
    now = datetime.now(UTC).isoformat()
    current = {"events": [{**event, "event_timestamp": now} for event in events]}
    answer = answer_of(start("ingest")(with_body(request, gzip_json(current) if case == "events_gzip" else current)))

    assert (answer.status, answer.document["accepted"]) == (200, 2)
    rows = events_in(aws.queue_url)
    assert [row.event_name for row in rows] == ["Order Completed", "Product Viewed"]
    assert {row.organization_id for row in rows} == {request["requestContext"]["authorizer"]["organization_id"]}


def test_body_is_read_whatever_its_headers_say(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    document = {"events": [recent_event(1)]}
    plain = {**called_by(sample("ingest", "events"), ACME), "body": json.dumps(document), "isBase64Encoded": False}
    announced: list[tuple[Event, dict[str, str | None]]] = [
        (plain, {"content_type": None}),
        (plain, {"content_type": "text/plain"}),
        (plain, {"content_type": "application/x-www-form-urlencoded"}),
        (plain, {"content_encoding": "gzip"}),
        (with_body(plain, document), {}),
        (with_body(plain, gzip_json(document)), {}),
        (with_body(plain, gzip_json(document)), {"content_encoding": None, "content_type": "text/plain"}),
    ]

    for request, headers in announced:
        assert answer_of(ingest(with_headers(request, **headers))).document["accepted"] == 1

    assert {row.event_id for row in events_in(aws.queue_url)} == {"event-1"}


def test_events_carry_the_organization_of_their_credential(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    for tenant in (ACME, GLOBEX):
        assert answer_of(ingest(post_events(recent_event(1), tenant=tenant))).status == 200

    assert [row.organization_id for row in events_in(aws.queue_url)] == [
        str(tenant.organization_id) for tenant in (ACME, GLOBEX)
    ]


def test_malformed_event_does_not_reject_the_others(start: Start, aws: AwsAccount) -> None:
    bad = [
        None,
        recent_event(2, revenue="1e12"),
        recent_event(3, event_timestamp="2001-01-01T00:00:00Z"),
        {"event_id": "x"},
    ]
    answer = answer_of(start("ingest")(post_events(recent_event(1), *bad, recent_event(4))))

    assert (answer.status, answer.document["accepted"], answer.document["held"]) == (200, 2, 0)
    rejected = answer.document["rejected"]
    assert [(entry["index"], entry["event_id"]) for entry in rejected] == [
        (1, None),
        (2, "event-2"),
        (3, "event-3"),
        (4, "x"),
    ]
    assert [[(error["location"], error["code"]) for error in entry["errors"]] for entry in rejected[1:]] == [
        [("body/events/2/revenue", "out_of_range")],
        [("body/events/3/event_timestamp", "out_of_range")],
        [
            (f"body/events/4/{field}", "missing")
            for field in ("event_type", "event_name", "device_id", "platform", "event_timestamp")
        ],
    ]
    assert [row.event_id for row in events_in(aws.queue_url)] == ["event-1", "event-4"]


def test_batch_without_a_valid_event_is_422_with_each_location(start: Start, aws: AwsAccount) -> None:
    request = post_events(recent_event(1, currency="credits"), recent_event(2, event_name=None, revenu=1))
    problem = problem_of(start("ingest")(request), request, 422, "invalid")

    assert [(error["location"], error["code"]) for error in problem["errors"]] == [
        ("body/events/0/currency", "unknown"),
        ("body/events/1/event_name", "invalid_type"),
        ("body/events/1/revenu", "unknown_member"),
    ]
    assert messages_in(aws.queue_url) == []


def test_event_twice_in_one_batch_is_queued_once(start: Start, aws: AwsAccount) -> None:
    moment = datetime.now(UTC).isoformat()
    copies = [recent_event(1, event_timestamp=moment), recent_event(1, event_timestamp=moment, revenue="999")]

    assert answer_of(start("ingest")(post_events(*copies))).status == 200
    assert [row.revenue for row in events_in(aws.queue_url)] == ["1.25"]


def test_batch_has_at_most_2500_events(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    events = [recent_event(number) for number in range(2501)]

    assert answer_of(ingest(post_events(*events[:2500]))).document["accepted"] == 2500
    assert sorted(row.event_id for row in events_in(aws.queue_url)) == sorted(f"event-{n}" for n in range(2500))

    request = post_events(*events)
    problem_of(ingest(request), request, 422, "invalid")
    assert messages_in(aws.queue_url) == []


def test_path_may_begin_with_the_stage(start: Start) -> None:
    ingest = start("ingest")
    request = post_events(recent_event(1))

    for path in ("/events", "/v1/events"):
        assert answer_of(ingest({**request, "path": path})).status == 200


def test_unknown_route_is_404(start: Start) -> None:
    ingest = start("ingest")
    for method, path in (
        ("GET", "/events"),
        ("POST", "/"),
        ("POST", "/event"),
        ("POST", "/events/x"),
        ("PUT", "/batch"),
    ):
        request = {**post_events(recent_event(1)), "httpMethod": method, "path": path}
        problem_of(ingest(request), request, 404, "not_found")


# ----------------------------------------------------------------------------------------------------------- the queue


def test_unreachable_queue_is_503(start: Start, nowhere: str) -> None:
    request = post_events(recent_event(1))
    problem_of(start("ingest", AWS_ENDPOINT_URL=f"http://{nowhere}")(request), request, 503, "unavailable")


def test_missing_queue_is_503(start: Start, aws: AwsAccount) -> None:
    request = post_events(recent_event(1))
    ingest = start("ingest", EVENTS_QUEUE_URL=f"{aws.queue_url}-gone")

    problem_of(ingest(request), request, 503, "unavailable")


def test_entries_that_sqs_failed_are_sent_again_once_each(start: Start, aws: AwsAccount) -> None:
    events = [recent_event(number) for number in range(2500)]

    def take_the_first_only(_call: int, entries: Sequence[Entry]) -> Reply:
        return queue_reply(entries, but=entries[1:])

    with scripted_queue(aws.endpoint_url, take_the_first_only) as queue:
        answer = answer_of(start("ingest", AWS_ENDPOINT_URL=queue.url)(post_events(*events)))

    assert (answer.status, answer.document["accepted"]) == (200, 2500)
    assert queue.calls == 3
    assert [entry["MessageAttributes"]["events"]["StringValue"] for entry in queue.taken] == ["1000", "1000", "500"]
    assert len({entry["MessageBody"] for entry in queue.taken}) == 3


def refuse_all(_call: int, entries: Sequence[Entry]) -> Reply:
    return queue_reply(entries, but=entries)


def refuse_the_last(_call: int, entries: Sequence[Entry]) -> Reply:
    return queue_reply(entries, but=entries[-1:])


def fail(_call: int, _entries: Sequence[Entry]) -> Reply:
    return 500, {"__type": "InternalFailure"}


def throttle(_call: int, _entries: Sequence[Entry]) -> Reply:
    return 400, {"__type": "com.amazonaws.sqs#RequestThrottled", "message": "Slow down."}


def answer_nothing(_call: int, _entries: Sequence[Entry]) -> Reply:
    return 200, {}


def test_batch_is_503_unless_every_message_is_in_the_queue(
    start: Start, aws: AwsAccount, subtests: pytest.Subtests
) -> None:
    request = post_events(*(recent_event(number) for number in range(1001)))

    for reply_to in (refuse_all, refuse_the_last, fail, throttle, answer_nothing):
        with subtests.test(reply_to.__name__), scripted_queue(aws.endpoint_url, reply_to) as queue:
            problem_of(start("ingest", AWS_ENDPOINT_URL=queue.url)(request), request, 503, "unavailable")
            assert len(queue.taken) < 2


def test_queue_is_used_again_after_a_failure(start: Start, aws: AwsAccount) -> None:
    request = post_events(recent_event(1))

    def fail_first(number: int, entries: Sequence[Entry]) -> Reply:
        return fail(number, entries) if number == 0 else queue_reply(entries)

    with scripted_queue(aws.endpoint_url, fail_first) as queue:
        ingest = start("ingest", AWS_ENDPOINT_URL=queue.url)
        problem_of(ingest(request), request, 503, "unavailable")
        assert answer_of(ingest(request)).status == 200
