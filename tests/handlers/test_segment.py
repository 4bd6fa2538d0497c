"""The Segment paths: their routes, bodies, answers and settings."""

import json

import pytest

from tenancy.rules.api_keys import KeyType, generate_key
from tenancy.stores.aws.secrets import AUTHORIZER_DATABASE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount
from tests.handlers.functions import Function, PutSecret, Start
from tests.handlers.queues import events_in, messages_in
from tests.handlers.requests import (
    answer_of,
    gzip_json,
    problem_of,
    sample,
    segment_call,
    with_body,
    with_headers,
    with_path,
)
from tests.handlers.sent_events import is_sdk_success, segment_batch, settings_request

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


def test_sample_events_are_accepted_with_a_valid_key(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for case in ("segment_batch", "segment_call"):
        request = sample("ingest", case)
        body = {**json.loads(request["body"]), "writeKey": acme.write_key.text}
        assert is_sdk_success(ingest(with_body(request, body)))

    messages = messages_in(aws.queue_url)

    assert sum(int(message["MessageAttributes"]["events"]["StringValue"]) for message in messages) == 3


def test_key_of_the_sample_events_is_unknown(ingest: Function) -> None:
    for case in ("segment_batch", "segment_call"):
        problem_of(ingest(sample("ingest", case)), sample("ingest", case), 401, "unauthenticated")

    problem_of(ingest(sample("ingest", "segment_settings")), sample("ingest", "segment_settings"), 404, "not_found")


def test_every_batch_path_is_accepted(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for number, path in enumerate(("/batch", "/b", "/import", "/v1/batch", "/v1/b", "/v1/import")):
        batch = segment_batch(segment_call(number), segment_call(number + 100), key=acme.write_key)
        assert is_sdk_success(ingest(with_path(batch, path)))

    assert len(events_in(aws.queue_url)) == 12


def test_path_of_one_call_gives_its_type(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for paths in SINGLE.values():
        for number, path in enumerate((*paths, *(f"/v1{path}" for path in paths))):
            body = {name: value for name, value in segment_call(number).items() if name != "type"}
            request = with_body(sample("ingest", "segment_call"), {**body, "writeKey": acme.write_key.text})
            assert is_sdk_success(ingest(with_path(request, path)))

    types = [row.event_type for row in events_in(aws.queue_url)]

    assert types == [name for name in SINGLE for _ in range(4)]


def test_body_is_read_whatever_its_headers_say(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    document = {"batch": [segment_call(1)], "writeKey": acme.write_key.text}
    plain = {**sample("ingest", "segment_batch"), "body": json.dumps(document), "isBase64Encoded": False}

    for request in (
        plain,
        with_headers(plain, content_type="text/plain"),
        with_headers(plain, content_type=None),
        with_body(plain, gzip_json(document)),
        with_headers(with_body(plain, gzip_json(document)), content_encoding="gzip"),
    ):
        assert is_sdk_success(ingest(request))

    assert {row.event_id for row in events_in(aws.queue_url)} == {"message-1"}


# ---------------------------------------------------------------------------------------------------- batches and time


def test_malformed_call_does_not_reject_the_others(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    bad: list[object] = [
        None,
        5,
        [],
        {},
        {"type": "track"},
        segment_call(2, type="purchase"),
        segment_call(4, messageId="a\0b"),
    ]

    assert is_sdk_success(ingest(segment_batch(segment_call(1), *bad, segment_call(5), key=acme.write_key)))
    assert [row.event_id for row in events_in(aws.queue_url)] == ["message-1", "message-5"]


def test_lone_surrogate_loses_no_event(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    cut = segment_call(2, event="CUT")
    document = {"batch": [segment_call(1), cut, segment_call(3)], "writeKey": acme.write_key.text}
    body = json.dumps(document).replace("CUT", "\\ud83d")

    assert is_sdk_success(ingest(with_body(sample("ingest", "segment_batch"), body.encode())))

    names = [(row.event_id, row.event_name) for row in events_in(aws.queue_url)]
    assert names == [("message-1", "Order Completed"), ("message-2", "\ufffd"), ("message-3", "Order Completed")]


def test_batch_without_a_valid_call_is_422(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    for request in (
        segment_batch(None, {"type": "track"}, key=acme.write_key),
        segment_batch(key=acme.write_key),
        segment_batch(*[segment_call(1)] * 2501, key=acme.write_key),
    ):
        problem_of(ingest(request), request, 422, "invalid")

    assert messages_in(aws.queue_url) == []


def test_event_with_an_implausible_time_is_held(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    late, early = segment_call(2, timestamp="1970-01-01T00:00:00Z"), segment_call(3, timestamp="2199-01-01T00:00:00Z")

    assert is_sdk_success(ingest(segment_batch(segment_call(1), late, early, key=acme.write_key)))
    messages = messages_in(aws.queue_url)
    assert {
        message["MessageAttributes"]["table"]["StringValue"]: message["MessageAttributes"]["events"]["StringValue"]
        for message in messages
    } == {"events": "1", "held_events": "2"}

    assert is_sdk_success(ingest(segment_batch(late, key=acme.write_key)))
    [held] = events_in(aws.queue_url, "held_events")
    assert (held.reason, held.event_timestamp) == ("clock", "1900-01-01 00:00:00.000")


def test_retry_in_other_batches_sends_the_same_events(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    calls = [
        {name: value for name, value in segment_call(n).items() if name != "messageId"} | {"n": n} for n in range(6)
    ]
    identities = []

    for cut in (6, 4, 1):
        for first in range(0, 6, cut):
            assert is_sdk_success(ingest(segment_batch(*calls[first : first + cut], key=acme.write_key)))
        identities.append(sorted(row.identity for row in events_in(aws.queue_url)))

    assert len(identities[0]) == 6
    assert identities[0] == identities[1] == identities[2]


# -------------------------------------------------------------------------------------------------------------- stores


@pytest.mark.usefixtures("secrets")
def test_sdk_gets_503_if_the_queue_is_missing(start: Start, acme: Provisioned, aws: AwsAccount) -> None:
    request = segment_batch(segment_call(1), key=acme.write_key)
    ingest = start("ingest", EVENTS_QUEUE_URL=f"{aws.queue_url}-gone")

    problem_of(ingest(request), request, 503, "unavailable")


def test_unreachable_database_is_503_for_any_key(start: Start, put_secret: PutSecret, nowhere: str) -> None:
    put_secret(AUTHORIZER_DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    ingest = start("ingest")
    request = segment_batch(segment_call(1), key=generate_key(KeyType.WRITE))

    problem_of(ingest(request), request, 503, "unavailable")

    settings = settings_request(generate_key(KeyType.WRITE).text)
    problem_of(ingest(settings), settings, 503, "unavailable")


# ------------------------------------------------------------------------------------------------------------ settings


def test_settings_tell_the_sdk_its_host(ingest: Function, acme: Provisioned) -> None:
    key = acme.write_key.text
    for request in (settings_request(key), {**settings_request(key), "path": f"/v1/projects/{key}/settings"}):
        answer = answer_of(ingest(with_headers(request, host="api.attribution.example")))
        integration = {"apiKey": key, "apiHost": "api.attribution.example/v1"}
        assert (answer.status, answer.document) == (200, {"integrations": {"Segment.io": integration}})


def test_settings_of_unknown_key_are_404(ingest: Function, acme: Provisioned) -> None:
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
        request = settings_request(key)
        problem = problem_of(ingest(request), request, 404, "not_found")
        assert acme.write_key.text not in problem["detail"]
