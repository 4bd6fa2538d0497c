"""The Segment paths: their routes, bodies, answers and settings."""

import base64
import gzip
import itertools
import json

import pytest

from tenancy.rules.keys.api_keys import ApiKey, KeyType, generate_key
from tenancy.stores.aws.secrets import AUTHORIZER_DATABASE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount
from tests.handlers.functions import API_HOST, Function, PutSecret, Start
from tests.handlers.queues import events_in, messages_in
from tests.handlers.requests import (
    Event,
    answer_of,
    gzip_json,
    problem_of,
    sample,
    segment_call,
    with_basic_auth,
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
    assert (held.reason, held.event_timestamp) == ("clock", "1970-01-01 00:00:00.000")


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


# ------------------------------------------------------------------------------------------ repaired and rejected calls


def raw_batch(key: ApiKey, calls: str, *, before: bytes = b"", members: str = "") -> Event:
    body = f'{{"batch":[{calls}],"writeKey":"{key.text}"{members}}}'
    return with_body(sample("ingest", "segment_batch"), before + body.encode())


def rejected(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """Return the counted rejections since the last call, by cause."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "SegmentCallsRejected" in line]
    return {line["cause"]: int(line["SegmentCallsRejected"][0]) for line in lines}


def test_unusual_texts_and_numbers_lose_no_call(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    call = json.dumps(segment_call(1))
    unusual = (
        call.replace("Order Completed", "\\u0000"),
        call.replace('"properties": {', '"properties": {"a\\u0000":"\\u0000",'),
        call.replace("1.25", "NaN"),
        call.replace("1.25", "-Infinity"),
        call.replace("1.25", "1e999"),
        call.replace("Order Completed", "\\ud83d"),
        call.replace('"device-1"', '"unknown","userId":"user-1"'),
        call.replace('"device-1"', "17"),
        call.replace('"device-1"', '"device-1","anonymousId":"device-1"'),
        call.replace('"EUR"', '" eur "'),
        call.replace("1.25", "[" * 5_000 + "]" * 5_000),
    )
    messages = []

    for number, text in enumerate(unusual):
        own_id = text.replace("message-1", f"message-{number}")
        assert is_sdk_success(ingest(raw_batch(acme.write_key, own_id)))
        messages += [row.event_id for row in events_in(aws.queue_url)]

    assert messages == [f"message-{number}" for number in range(len(unusual))]


def test_byte_order_mark_loses_no_batch(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    request = raw_batch(acme.write_key, json.dumps(segment_call(1)), before=b"\xef\xbb\xbf")
    compressed = with_body(request, gzip.compress(base64.b64decode(request["body"])))

    assert is_sdk_success(ingest(request))
    assert is_sdk_success(ingest(compressed))
    assert {row.event_id for row in events_in(aws.queue_url)} == {"message-1"}


def test_context_of_a_batch_reaches_each_call(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    context = {"device": {"id": "device-7", "type": "iOS"}, "note": float("nan")}
    batch = segment_batch(segment_call(1), segment_call(2), key=acme.write_key, context=context)

    assert is_sdk_success(ingest(batch))

    rows = events_in(aws.queue_url)
    assert [(row.event_id, row.device_id, row.platform) for row in rows] == [
        ("message-1", "device-7", "ios"),
        ("message-2", "device-7", "ios"),
    ]
    assert json.loads(rows[0].user_properties)["context"] == {**context, "note": None}


def test_rejected_calls_are_counted_by_cause(
    ingest: Function, acme: Provisioned, capsys: pytest.CaptureFixture[str]
) -> None:
    large = segment_call(2, properties={"note": "x" * 40_000})
    bad: list[object] = [None, 5, [], {}, {"type": "track"}, segment_call(3, type="purchase"), large]
    anonymous = {"type": "track", "anonymousId": "null", "userId": "00000000-0000-0000-0000-000000000000"}

    assert is_sdk_success(ingest(segment_batch(segment_call(1), *bad, anonymous, key=acme.write_key)))

    assert rejected(capsys) == {"invalid_type": 3, "unknown": 2, "missing": 2, "too_large": 1}


def test_log_line_of_a_batch_has_its_organization_and_counts(
    ingest: Function, acme: Provisioned, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(segment_batch(segment_call(1), None, key=acme.write_key))

    [line] = [each for each in map(json.loads, capsys.readouterr().out.splitlines()) if each.get("message")]
    assert (line["message"], line["status"]) == ("request", 200)
    assert line["organization_id"] == str(acme.organization.id)
    assert (line["accepted"], line["held"], line["rejected"]) == (1, 0, 1)


def test_calls_of_a_refused_batch_are_counted(
    ingest: Function, acme: Provisioned, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(segment_batch(*[{"type": "track"}] * 150, None, key=acme.write_key))

    assert rejected(capsys) == {"missing": 150, "invalid_type": 1}


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b'{"batch":[', "batch_malformed_request"),
        (b"\xff\xfe{\x00}\x00", "batch_malformed_request"),
        (b'{"batch":[' + b"[" * 20_000 + b"]" * 20_000 + b"]}", "batch_malformed_request"),
        (b'{"batch":[]}', "batch_invalid"),
        (b'{"events":[]}', "batch_invalid"),
        (b'{"batch":["' + b"x" * (4 * 1024 * 1024) + b'"]}', "batch_too_large"),
    ],
    ids=["truncated", "UTF-16", "deep", "empty", "other member", "large"],
)
def test_refused_batch_is_counted_once(
    ingest: Function, acme: Provisioned, capsys: pytest.CaptureFixture[str], body: bytes, cause: str
) -> None:
    ingest(with_basic_auth(with_body(sample("ingest", "segment_batch"), body), acme.write_key))

    assert rejected(capsys) == {cause: 1}


def test_too_large_shared_context_is_413(
    ingest: Function, aws: AwsAccount, acme: Provisioned, capsys: pytest.CaptureFixture[str]
) -> None:
    request = segment_batch(segment_call(1), key=acme.write_key, context={"note": "x" * 40_000})

    problem_of(ingest(request), request, 413, "too_large")

    assert messages_in(aws.queue_url) == []
    assert rejected(capsys) == {"batch_too_large": 1}


def test_segment_paths_take_a_trailing_slash(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    paths = ["/batch", "/b", "/import", *itertools.chain.from_iterable(SINGLE.values())]
    for path in paths:
        single = {**segment_call(1), "writeKey": acme.write_key.text}
        body = {"batch": [segment_call(1)], "writeKey": acme.write_key.text} if path in paths[:3] else single
        for sent in (f"{path}/", f"/v1{path}/"):
            assert is_sdk_success(ingest(with_path(with_body(sample("ingest", "segment_batch"), body), sent, path)))

    assert len(events_in(aws.queue_url)) == 2 * len(paths)


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


def test_settings_name_the_configured_host(ingest: Function, acme: Provisioned) -> None:
    key = acme.write_key.text
    for path in (f"/projects/{key}/settings", f"/v1/projects/{key}/settings", f"/projects/{key}/settings/"):
        request = with_headers(
            {**settings_request(key), "path": path}, host="forged.example", x_forwarded_host="f.example"
        )

        answer = answer_of(ingest(request))

        integration = {"apiKey": key, "apiHost": f"{API_HOST}/v1"}
        assert answer.status == 200
        assert answer.document == {"integrations": {"Segment.io": integration}, "metrics": {"sampleRate": 0}}
        assert answer.headers["cache-control"] == "private, max-age=60"


@pytest.mark.usefixtures("secrets")
def test_settings_name_the_endpoint_of_api_gateway(start: Start, acme: Provisioned) -> None:
    request = settings_request(acme.write_key.text)
    ingest = start("ingest", API_HOST="{api_id}.execute-api.eu-central-1.amazonaws.com")

    answer = answer_of(ingest(with_headers(request, host="forged.example")))

    api_id = request["requestContext"]["apiId"]
    host = answer.document["integrations"]["Segment.io"]["apiHost"]
    assert host == f"{api_id}.execute-api.eu-central-1.amazonaws.com/v1"


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
