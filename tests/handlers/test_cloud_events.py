"""POST /v1/cloudevents and OpenMeter's path: modes, answers, and taken events in the queue."""

import gzip
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis as Client

from tenancy.rules.tenant import Tenant
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.stores.redis.counters import usage_key
from tests.given import AwsAccount, Servers
from tests.handlers.functions import Function, Start
from tests.handlers.invalid_input import INVALID, MALFORMED, TOO_LARGE, bodies
from tests.handlers.queues import events_in
from tests.handlers.requests import (
    Event,
    answer_of,
    cloud_event,
    problem_of,
    sample,
    with_header_values,
    with_headers,
    with_query,
)
from tests.handlers.sent_events import ACME, GLOBEX, post_cloud_events

BATCH_CASES = ("cloud_events", "openmeter_events")
STRUCTURED_CASES = ("cloud_events_structured", "openmeter_events_structured")
STRUCTURED = "application/cloudevents+json"
MONTH = QUOTAS[Tier.STARTER].events_per_month
BAND = QUOTAS[Tier.STARTER].grace_events_per_month
TOO_OLD_FOR_STARTER = (datetime.now(UTC) - timedelta(days=100)).isoformat()


@pytest.fixture
def ingest(start: Start) -> Function:
    return start("ingest")


def ids_in(aws: AwsAccount, table: str = "events") -> list[str]:
    return [json.loads(row.event_id)[1] for row in events_in(aws.queue_url, table)]


def current(case: str) -> Event:
    """Return the sample with the current time, called by acme."""
    text = re.sub(r"2026-11-24T[0-9:.]+Z", datetime.now(UTC).isoformat(), sample("ingest", case)["body"])
    return post_cloud_events(text.encode(), case=case)


def test_batch_is_answered_like_that_of_events(ingest: Function, aws: AwsAccount) -> None:
    answer = answer_of(ingest(post_cloud_events([cloud_event(1), cloud_event(2)])))

    assert answer.status == 200
    assert answer.document == {"batch_id": answer.document["batch_id"], "accepted": 2, "held": 0, "rejected": []}
    assert ids_in(aws) == ["cloud-1", "cloud-2"]


def test_structured_mode_takes_one_event(ingest: Function, aws: AwsAccount) -> None:
    answer = answer_of(ingest(post_cloud_events(cloud_event(1), case="cloud_events_structured")))

    assert (answer.status, answer.document["accepted"]) == (200, 1)
    assert ids_in(aws) == ["cloud-1"]


@pytest.mark.parametrize("case", ["openmeter_events", "openmeter_events_structured"])
def test_openmeters_path_is_answered_without_a_document(ingest: Function, aws: AwsAccount, case: str) -> None:
    body: object = cloud_event(1) if case in STRUCTURED_CASES else [cloud_event(1)]

    answer = answer_of(ingest(post_cloud_events(body, case=case)))

    assert (answer.status, answer.body) == (204, "")
    assert ids_in(aws) == ["cloud-1"]


@pytest.mark.parametrize("case", [*BATCH_CASES, *STRUCTURED_CASES])
def test_sample_cloud_events_are_accepted(ingest: Function, aws: AwsAccount, case: str) -> None:
    assert answer_of(ingest(current(case))).status in {200, 204}
    assert events_in(aws.queue_url)


@pytest.mark.parametrize("case", BATCH_CASES)
def test_body_may_be_gzip(ingest: Function, aws: AwsAccount, case: str) -> None:
    body = gzip.compress(json.dumps([cloud_event(1)]).encode())

    assert answer_of(ingest(post_cloud_events(body, case=case))).status in {200, 204}
    assert ids_in(aws) == ["cloud-1"]


@pytest.mark.parametrize(
    "spelling", ["Application/CloudEvents+JSON", f"{STRUCTURED}; charset=UTF-8", f'{STRUCTURED};charset="utf-8"']
)
def test_content_type_is_compared_as_media_type(ingest: Function, aws: AwsAccount, spelling: str) -> None:
    request = with_headers(post_cloud_events(cloud_event(1), case="cloud_events_structured"), content_type=spelling)

    assert answer_of(ingest(request)).status == 200
    assert ids_in(aws) == ["cloud-1"]


@pytest.mark.parametrize("case", BATCH_CASES)
@pytest.mark.parametrize(
    "content_type",
    [
        None, "", "application/json", "text/plain", "application/cloudevents", "application/cloudevents-batch",
        "application/cloudevents+xml", "application/cloudevents+avro", f"{STRUCTURED}; charset=iso-8859-1",
        f"{STRUCTURED}, {STRUCTURED}", "application/cloudevents+json-batch",
    ],
)  # fmt: skip
def test_other_content_types_are_415(ingest: Function, aws: AwsAccount, case: str, content_type: str | None) -> None:
    request = with_headers(post_cloud_events([cloud_event(1)], case=case), content_type=content_type)

    problem = problem_of(ingest(request), request, 415, "unsupported_media_type")

    assert "application/cloudevents+json" in problem["detail"]
    assert "application/cloudevents-batch+json" in problem["detail"]
    assert events_in(aws.queue_url) == []


def test_binary_mode_is_415(ingest: Function, aws: AwsAccount) -> None:
    attributes = {f"ce-{name}": str(value) for name, value in cloud_event(1).items() if name != "data"}
    request = with_headers(post_cloud_events({"a": 1}), content_type="application/json", **attributes)

    problem = problem_of(ingest(request), request, 415, "unsupported_media_type")

    assert "Binary mode" in problem["detail"]
    assert events_in(aws.queue_url) == []


def test_two_content_types_are_415(ingest: Function) -> None:
    request = with_header_values(
        post_cloud_events([cloud_event(1)]), "Content-Type", STRUCTURED, "application/cloudevents-batch+json"
    )

    problem_of(ingest(request), request, 415, "unsupported_media_type")


def test_caller_without_the_right_is_refused_before_the_mode(ingest: Function) -> None:
    reader = Tenant(
        organization_id=ACME.organization_id,
        subdomain=ACME.subdomain,
        scopes=frozenset(),
        credential_id=ACME.credential_id,
        kind=ACME.kind,
    )
    request = with_headers(post_cloud_events(b"no JSON", tenant=reader), content_type="text/plain")

    problem_of(ingest(request), request, 403, "forbidden")


@pytest.mark.parametrize("case", BATCH_CASES)
def test_invalid_body_of_a_batch_is_refused(
    ingest: Function, aws: AwsAccount, subtests: pytest.Subtests, case: str
) -> None:
    lists = {
        name: (body.removeprefix(b'{"LIST":').removesuffix(b"}"), outcome)
        for name, (body, outcome) in bodies("LIST").items()
        if body.startswith(b'{"LIST":[') and body.endswith(b"]}")
    }
    others = {name: (body, outcome) for name, (body, outcome) in bodies("x").items() if outcome != INVALID}
    for name, (body, (status, code)) in {**others, **lists, "an object": (b"{}", INVALID)}.items():
        with subtests.test(name):
            request = post_cloud_events(body, case=case)
            problem_of(ingest(request), request, status, code)

    assert events_in(aws.queue_url) == []


@pytest.mark.parametrize("case", STRUCTURED_CASES)
def test_invalid_body_of_one_event_is_refused(
    ingest: Function, aws: AwsAccount, subtests: pytest.Subtests, case: str
) -> None:
    for name, (body, (status, code)) in bodies("data").items():
        with subtests.test(name):
            request = post_cloud_events(body, case=case)
            problem_of(ingest(request), request, status, code)

    assert events_in(aws.queue_url) == []
    assert TOO_LARGE in {outcome for _, outcome in bodies("data").values()}
    assert MALFORMED in {outcome for _, outcome in bodies("data").values()}


def test_rejected_event_is_named_by_its_place(ingest: Function, aws: AwsAccount) -> None:
    events = [cloud_event(1), cloud_event(2, time="yesterday", subject=None), 5, cloud_event(3)]

    document = answer_of(ingest(post_cloud_events(events))).document

    assert document["accepted"] == 2
    assert [(each["index"], each["event_id"]) for each in document["rejected"]] == [
        (1, '["https://shop.example/orders","cloud-2"]'),
        (2, None),
    ]
    assert [[error["location"] for error in each["errors"]] for each in document["rejected"]] == [
        ["body/1/subject", "body/1/time"],
        ["body/2"],
    ]
    assert ids_in(aws) == ["cloud-1", "cloud-3"]


def test_location_in_structured_mode_has_no_index(ingest: Function) -> None:
    request = post_cloud_events(cloud_event(1, time="yesterday"), case="cloud_events_structured")

    problem = problem_of(ingest(request), request, *INVALID)

    assert [(each["location"], each["code"]) for each in problem["errors"]] == [("body/time", "invalid")]


def test_time_before_the_tiers_retention_is_rejected(ingest: Function, aws: AwsAccount) -> None:
    events = [cloud_event(1), cloud_event(2, time=TOO_OLD_FOR_STARTER)]

    [rejected] = answer_of(ingest(post_cloud_events(events))).document["rejected"]

    assert [(each["location"], each["code"]) for each in rejected["errors"]] == [("body/1/time", "out_of_range")]
    assert ids_in(aws) == ["cloud-1"]


def test_event_over_the_quota_is_rejected_by_its_place(
    ingest: Function, aws: AwsAccount, set_remaining: Callable[[int, int], None]
) -> None:
    set_remaining(1, 1)

    document = answer_of(ingest(post_cloud_events([cloud_event(number) for number in range(3)]))).document

    assert (document["accepted"], document["held"]) == (1, 1)
    assert [error["location"] for each in document["rejected"] for error in each["errors"]] == ["body/2"]
    assert len(events_in(aws.queue_url)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"subject": None},
        {"time": "yesterday"},
        {"time": TOO_OLD_FOR_STARTER},
        {"data": {"a": "x" * 33_000}},
    ],
    ids=["no id", "no subject", "no time", "too old", "too large"],
)
def test_openmeters_batch_with_an_invalid_event_is_refused(
    ingest: Function, aws: AwsAccount, servers: Servers, wrong: dict[str, object]
) -> None:
    events = [cloud_event(1), cloud_event(2, **wrong), cloud_event(3)]
    request = post_cloud_events(events, case="openmeter_events")

    problem = problem_of(ingest(request), request, *INVALID)

    assert all(each["location"].startswith("body/1") for each in problem["errors"])
    assert events_in(aws.queue_url) == []
    assert used_events(servers) == 0


def used_events(servers: Servers) -> int:
    """Return the events of the month that acme's counter has."""
    with Client.from_url(servers.valkey_url) as client:
        return int(client.hget(usage_key(ACME.organization_id, datetime.now(UTC)), "events") or 0)


def test_openmeters_batch_over_the_quota_is_402_as_a_whole(
    ingest: Function, aws: AwsAccount, set_remaining: Callable[[int, int], None]
) -> None:
    set_remaining(1, 1)
    request = post_cloud_events([cloud_event(number) for number in range(3)], case="openmeter_events")

    problem = problem_of(ingest(request), request, 402, "quota_exceeded")

    assert (problem["metric"], problem["limit"], problem["used"]) == ("events", MONTH, MONTH - 1)
    assert events_in(aws.queue_url) == []

    fitting = post_cloud_events([cloud_event(number) for number in range(2)], case="openmeter_events")

    assert answer_of(ingest(fitting)).status == 204
    assert len(events_in(aws.queue_url)) == 1


@pytest.mark.parametrize("case", BATCH_CASES)
def test_event_of_another_organization_refuses_the_batch(ingest: Function, aws: AwsAccount, case: str) -> None:
    named = cloud_event(2, organization_id=str(GLOBEX.organization_id))
    for events in ([cloud_event(1), named], [5, named], [{}] * 60 + [named]):
        request = with_query(post_cloud_events(events, case=case), start="1")

        problem_of(ingest(request), request, 403, "tenant_mismatch")

    assert events_in(aws.queue_url) == []


def test_own_organization_is_known_in_an_event(ingest: Function, aws: AwsAccount) -> None:
    request = post_cloud_events([cloud_event(1, organization_id=str(ACME.organization_id).upper())])

    assert answer_of(ingest(request)).document["accepted"] == 1
    assert ids_in(aws) == ["cloud-1"]


def test_event_sent_again_is_the_same_event(ingest: Function, aws: AwsAccount) -> None:
    event = cloud_event(1)
    for body, case in (([event], "cloud_events"), (event, "cloud_events_structured"), ([event], "openmeter_events")):
        assert answer_of(ingest(post_cloud_events(body, case=case))).status in {200, 204}

    assert len({row.identity for row in events_in(aws.queue_url)}) == 1
