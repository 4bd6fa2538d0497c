"""Calls of Segment SDKs that cannot be events are sampled, cheaply and without the write key."""

import json
from typing import Any

import pytest

from tenancy.rules.events.batch import MAX_BATCH_BYTES
from tenancy.rules.events.frames import decode_lines
from tenancy.rules.events.row import MAX_EVENT_BYTES
from tenancy.rules.keys.api_keys import KeyType, generate_key
from tenancy.use_cases.ingest.sample_rejected import MAX_CALLS_PER_SAMPLE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.queues import messages_in
from tests.handlers.requests import (
    answer_of,
    problem_of,
    sample,
    segment_call,
    with_basic_auth,
    with_body,
    with_path,
)
from tests.handlers.sent_events import is_sdk_success, segment_batch

BAD = {"type": "track", "messageId": "bad"}  # neither a device nor a user


@pytest.fixture
def ingest(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("ingest")


def sampled(aws: AwsAccount) -> list[tuple[dict[str, str], Any]]:
    """Take the sampled calls: attributes and content."""
    return [
        (
            {name: value["StringValue"] for name, value in message["MessageAttributes"].items()},
            [json.loads(line) for line in decode_lines(message["Body"])],
        )
        for message in messages_in(aws.rejected_calls_url)
    ]


def test_rejected_call_is_sampled_with_its_cause(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    assert is_sdk_success(ingest(segment_batch(segment_call(1), BAD, key=acme.write_key)))

    [(attributes, content)] = sampled(aws)
    assert (attributes["organization_id"], attributes["call_index"]) == (str(acme.organization.id), "1")
    assert attributes["error"].isidentifier()
    assert content == [BAD]


def test_batch_without_a_valid_call_is_sampled(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    request = segment_batch(BAD, key=acme.write_key)

    problem_of(ingest(request), request, 422, "invalid")

    assert [content for _, content in sampled(aws)] == [[BAD]]


def test_sample_has_one_call_per_cause(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    ingest(segment_batch(*[BAD] * 50, segment_call(1), key=acme.write_key))

    assert len(sampled(aws)) == 1


def test_sample_of_a_request_is_small(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    bad = [
        BAD,
        {**BAD, "type": "dance"},
        segment_call(2, properties={"revenue": "much"}),
        segment_call(3, properties={"revenue": 1, "currency": "gold"}),
        segment_call(4, messageId="x" * MAX_EVENT_BYTES),
        [],
        7,
    ]
    ingest(segment_batch(*bad, segment_call(1), key=acme.write_key))

    causes = [attributes["error"] for attributes, _ in sampled(aws)]
    assert 1 < len(causes) <= MAX_CALLS_PER_SAMPLE
    assert len(set(causes)) == len(causes)


def test_organization_is_sampled_once_a_minute(
    ingest: Function, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    for key in (acme.write_key, acme.write_key, globex.write_key):
        ingest(segment_batch(BAD, segment_call(1), key=key))

    owners = [attributes["organization_id"] for attributes, _ in sampled(aws)]
    assert sorted(owners) == sorted([str(acme.organization.id), str(globex.organization.id)])


def test_sample_holds_no_write_key(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    request = with_path(sample("ingest", "segment_call"), "/track")
    ingest(with_body(request, {**BAD, "writeKey": acme.write_key.text, "sentAt": "now"}))

    [(_, [content])] = sampled(aws)
    assert content == {"type": "track", "messageId": "bad"}


def test_large_call_is_sampled_without_its_content(ingest: Function, aws: AwsAccount, acme: Provisioned) -> None:
    large = segment_call(1, event="x" * (MAX_EVENT_BYTES + 1))
    ingest(segment_batch(large, segment_call(2), key=acme.write_key))

    [(attributes, content)] = sampled(aws)
    assert int(attributes["size_bytes"]) > MAX_EVENT_BYTES
    assert content == [None]


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"{", "batch_malformed_request"),
        (b"\x1f\x8b no gzip", "batch_malformed_request"),
        (b"[]", "batch_invalid"),
        (b'{"batch": "jane"}', "batch_invalid"),
        (b'{"batch": []}', "batch_invalid"),
        (b" " * (MAX_BATCH_BYTES + 1), "batch_too_large"),
        (b'{"batch": [{}], "context": {"a": "%s"}}' % (b"x" * MAX_EVENT_BYTES), "batch_too_large"),
    ],
    ids=["no JSON", "no gzip", "list", "no list", "empty", "large body", "large context"],
)
def test_refused_batch_is_sampled_without_its_content(
    ingest: Function, aws: AwsAccount, acme: Provisioned, body: bytes, cause: str
) -> None:
    request = with_basic_auth(with_body(segment_batch(), body), acme.write_key)

    assert answer_of(ingest(request)).status in {400, 413, 422}

    [(attributes, content)] = sampled(aws)
    size = {"size_bytes": str(len(body))}
    assert attributes == {"organization_id": str(acme.organization.id), "error": cause, **size}
    assert content == [None]


def test_refused_batch_of_an_unknown_caller_is_not_sampled(
    ingest: Function, aws: AwsAccount, acme: Provisioned, globex: Provisioned
) -> None:
    """Nor is one that names another organization, or has the keys of two."""
    key = acme.write_key
    unknown = with_body(segment_batch(), b'{"batch": []')
    of_another = segment_batch(BAD, key=key, organization_id=str(globex.organization.id))
    two_keys = with_basic_auth(segment_batch(BAD, key=globex.write_key), key)

    statuses = [answer_of(ingest(request)).status for request in (unknown, of_another, two_keys)]

    assert statuses == [401, 403, 401]

    assert sampled(aws) == []


def test_refused_request_is_not_sampled(
    ingest: Function, aws: AwsAccount, databases: Databases, acme: Provisioned
) -> None:
    unknown = segment_batch(BAD, key=generate_key(KeyType.WRITE))
    problem_of(ingest(unknown), unknown, 401, "unauthenticated")
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'suspended' WHERE id = %s", (acme.organization.id,))
    inactive = segment_batch(BAD, key=acme.write_key)
    problem_of(ingest(inactive), inactive, 403, "organization_inactive")

    assert sampled(aws) == []


def test_request_succeeds_without_the_queue_of_samples(
    start: Start,
    secrets: None,  # noqa: ARG001
    aws: AwsAccount,
    acme: Provisioned,
) -> None:
    ingest = start("ingest", REJECTED_CALLS_URL=f"{aws.rejected_calls_url}-gone")

    assert is_sdk_success(ingest(segment_batch(segment_call(1), BAD, key=acme.write_key)))
