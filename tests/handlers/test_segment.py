"""The Segment paths: the SDKs find their key, their dialect and the answers that they understand."""

import json

import pytest

from tenancy.rules.api_keys import KeyType, generate_key
from tenancy.stores.aws.secrets import DATABASE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount
from tests.handlers.functions import Function, PutSecret, Start
from tests.handlers.queues import events_in, messages_in
from tests.handlers.requests import (
    answer_of,
    at,
    call,
    problem_of,
    sample,
    with_body,
    with_headers,
    zipped,
)
from tests.handlers.sent_events import asked, batch, is_success

SINGLE = {
    "track": ("/track", "/t"),
    "identify": ("/identify", "/i"),
    "page": ("/page", "/p"),
    "screen": ("/screen", "/s"),
    "group": ("/group", "/g"),
    "alias": ("/alias", "/a"),
}


@pytest.fixture
def ingest(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("ingest")


def test_the_samples_are_taken_with_a_real_key(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for case in ("segment_batch", "segment_call"):
        request = sample("ingest", case)
        body = {**json.loads(request["body"]), "writeKey": acme.write_key.text}
        assert is_success(ingest(with_body(request, body)))
    messages = messages_in(aws.queue_url)
    assert sum(int(message["MessageAttributes"]["events"]["StringValue"]) for message in messages) == 3


def test_the_samples_key_belongs_to_nobody(ingest: Function) -> None:
    for case in ("segment_batch", "segment_call"):
        problem_of(ingest(sample("ingest", case)), sample("ingest", case), 401, "unauthenticated")
    problem_of(ingest(sample("ingest", "segment_settings")), sample("ingest", "segment_settings"), 404, "not_found")


def test_every_path_of_many_calls_is_taken(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for number, path in enumerate(("/batch", "/b", "/import", "/v1/batch", "/v1/b", "/v1/import")):
        assert is_success(ingest(at(batch(call(number), call(number + 100), key=acme.write_key), path)))
    assert len(events_in(aws.queue_url)) == 12


def test_every_path_of_one_call_says_what_it_is(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for paths in SINGLE.values():
        for number, path in enumerate((*paths, *(f"/v1{path}" for path in paths))):
            body = {name: value for name, value in call(number).items() if name != "type"}
            request = with_body(sample("ingest", "segment_call"), {**body, "writeKey": acme.write_key.text})
            assert is_success(ingest(at(request, path)))
    types = [row.event_type for row in events_in(aws.queue_url)]
    assert types == [name for name in SINGLE for _ in range(4)]


def test_a_body_is_read_however_it_is_announced(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    document = {"batch": [call(1)], "writeKey": acme.write_key.text}
    plain = {**sample("ingest", "segment_batch"), "body": json.dumps(document), "isBase64Encoded": False}
    for request in (
        plain,
        with_headers(plain, content_type="text/plain"),
        with_headers(plain, content_type=None),
        with_body(plain, zipped(document)),
        with_headers(with_body(plain, zipped(document)), content_encoding="gzip"),
    ):
        assert is_success(ingest(request))
    assert {row.event_id for row in events_in(aws.queue_url)} == {"message-1"}


# ---------------------------------------------------------------------------------------------------- batches and time


def test_a_malformed_call_does_not_sink_the_others(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    bad: list[object] = [
        None,
        5,
        [],
        {},
        {"type": "track"},
        call(2, type="purchase"),
        call(4, messageId="a\0b"),
    ]
    assert is_success(ingest(batch(call(1), *bad, call(5), key=acme.write_key)))
    assert [row.event_id for row in events_in(aws.queue_url)] == ["message-1", "message-5"]


def test_half_an_emoji_costs_no_event(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    cut = call(2, event="CUT")
    body = json.dumps({"batch": [call(1), cut, call(3)], "writeKey": acme.write_key.text}).replace("CUT", "\\ud83d")
    assert is_success(ingest(with_body(sample("ingest", "segment_batch"), body.encode())))
    names = [(row.event_id, row.event_name) for row in events_in(aws.queue_url)]
    assert names == [("message-1", "Order Completed"), ("message-2", "\ufffd"), ("message-3", "Order Completed")]


def test_a_batch_without_an_acceptable_call_is_invalid(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for request in (
        batch(None, {"type": "track"}, key=acme.write_key),
        batch(key=acme.write_key),
        batch(*[call(1)] * 2501, key=acme.write_key),
    ):
        problem_of(ingest(request), request, 422, "invalid")
    assert messages_in(aws.queue_url) == []


def test_a_clock_that_cannot_be_believed_holds_the_event(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    late, early = call(2, timestamp="1970-01-01T00:00:00Z"), call(3, timestamp="2199-01-01T00:00:00Z")
    assert is_success(ingest(batch(call(1), late, early, key=acme.write_key)))
    messages = messages_in(aws.queue_url)
    assert {
        message["MessageAttributes"]["table"]["StringValue"]: message["MessageAttributes"]["events"]["StringValue"]
        for message in messages
    } == {"events": "1", "held_events": "2"}
    assert is_success(ingest(batch(late, key=acme.write_key)))
    [held] = events_in(aws.queue_url, "held_events")
    assert (held.reason, held.event_timestamp) == ("clock", "1970-01-01 00:00:00.000")


def test_a_retry_that_cuts_batches_differently_sends_the_same_events(
    ingest: Function, aws: AwsAccount, acme: Provisioned
) -> None:
    calls = [{name: value for name, value in call(n).items() if name != "messageId"} | {"n": n} for n in range(6)]
    identities = []
    for cut in (6, 4, 1):
        for first in range(0, 6, cut):
            assert is_success(ingest(batch(*calls[first : first + cut], key=acme.write_key)))
        identities.append(sorted(row.identity for row in events_in(aws.queue_url)))
    assert len(identities[0]) == 6
    assert identities[0] == identities[1] == identities[2]


# -------------------------------------------------------------------------------------------------------------- stores


@pytest.mark.usefixtures("secrets")
def test_a_queue_that_refuses_is_unavailable_so_that_the_sdk_sends_again(
    start: Start, acme: Provisioned, aws: AwsAccount
) -> None:
    request = batch(call(1), key=acme.write_key)
    ingest = start("ingest", EVENTS_QUEUE_URL=f"{aws.queue_url}-gone")
    problem_of(ingest(request), request, 503, "unavailable")


def test_without_the_database_a_key_is_not_called_wrong(start: Start, put_secret: PutSecret, nowhere: str) -> None:
    put_secret(DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    ingest = start("ingest")
    request = batch(call(1), key=generate_key(KeyType.WRITE))
    problem_of(ingest(request), request, 503, "unavailable")
    settings = asked(generate_key(KeyType.WRITE).text)
    problem_of(ingest(settings), settings, 503, "unavailable")


# ------------------------------------------------------------------------------------------------------------ settings


def test_a_mobile_sdk_learns_where_to_send(ingest: Function, acme: Provisioned) -> None:
    key = acme.write_key.text
    for request in (asked(key), {**asked(key), "path": f"/v1/projects/{key}/settings"}):
        answer = answer_of(ingest(with_headers(request, host="api.attribution.example")))
        integration = {"apiKey": key, "apiHost": "api.attribution.example/v1"}
        assert (answer.status, answer.document) == (200, {"integrations": {"Segment.io": integration}})


def test_a_project_that_is_none_is_not_found(ingest: Function, acme: Provisioned) -> None:
    for key in (
        generate_key(KeyType.WRITE).text,
        acme.secret_key.text,
        acme.write_key.text[:-1],
        acme.write_key.text + "\n",
        "x",
        "%00",
        "é",
        "wk_" + "a" * 49,
    ):
        request = asked(key)
        problem = problem_of(ingest(request), request, 404, "not_found")
        assert acme.write_key.text not in problem["detail"]
