"""POST /v1/events: callers without permission, and requests that name another organization."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.permissions import EVENTS_WRITE, PERMISSIONS
from tests.given import AwsAccount
from tests.handlers.functions import BASE_DOMAIN, Start
from tests.handlers.queues import messages_in
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    called_by,
    problem_of,
    recent_event,
    sample,
    with_body,
    with_header_values,
    with_headers,
    with_query,
)
from tests.handlers.sent_events import ACME, GLOBEX, post_events


@pytest.mark.usefixtures("secrets")
def test_caller_without_permission_is_refused_before_the_body(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    now = datetime.now(UTC)
    body = with_body(sample("ingest", "events"), b"no JSON")
    refused: list[tuple[Event, int, str]] = [
        (called_by(body, replace(ACME, scopes=PERMISSIONS - {EVENTS_WRITE})), 403, "forbidden"),
        (called_by(body, OPERATOR), 403, "forbidden"),
        (called_by(body, replace(ACME, expires_at=now - timedelta(seconds=1))), 401, "unauthenticated"),
        ({**body, "requestContext": {**body["requestContext"], "authorizer": {}}}, 401, "unauthenticated"),
        ({**body, "requestContext": {**body["requestContext"], "authorizer": None}}, 401, "unauthenticated"),
    ]

    for request, status, code in refused:
        problem_of(ingest(request), request, status, code)

    assert messages_in(aws.queue_url) == []


def test_header_or_host_of_another_organization_is_a_mismatch(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    others: list[dict[str, str | None]] = [
        {"x_organization_id": str(GLOBEX.organization_id)},
        {"x_organization_id": "unknown"},
        {"x_organization_id": ""},
        {"x_organization_id": f"{ACME.organization_id}, {GLOBEX.organization_id}"},
        {"host": f"globex.{BASE_DOMAIN}"},
        {"host": f"unknown.{BASE_DOMAIN}"},
        {"host": f"acme.{BASE_DOMAIN}.."},
        {"host": f"xn--acme-9x.{BASE_DOMAIN}"},
        {"x_forwarded_host": f"globex.{BASE_DOMAIN}:443"},
        {"host": f"acme.{BASE_DOMAIN}", "x_forwarded_host": f"globex.{BASE_DOMAIN}"},
    ]

    for headers in others:
        request = with_headers(post_events(recent_event(1)), **headers)
        problem_of(ingest(request), request, 403, "tenant_mismatch")

    assert messages_in(aws.queue_url) == []

    own = with_headers(
        post_events(recent_event(1)), x_organization_id=str(ACME.organization_id), host=f"acme.{BASE_DOMAIN}.:443"
    )
    assert answer_of(ingest(own)).status == 200


def test_each_value_of_a_repeated_header_is_compared(start: Start, aws: AwsAccount) -> None:
    ingest, header = start("ingest"), "X-Organization-ID"
    own, other = str(ACME.organization_id), str(GLOBEX.organization_id)

    for values in ((own, other), (other, own), (other, other), (own, "")):
        request = with_header_values(post_events(recent_event(1)), header, *values)
        problem_of(ingest(request), request, 403, "tenant_mismatch")

    assert messages_in(aws.queue_url) == []
    assert answer_of(ingest(with_header_values(post_events(recent_event(1)), header, own, own.upper()))).status == 200


def test_query_of_another_organization_is_a_mismatch(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    request = with_query(post_events(recent_event(1)), organization_id=str(GLOBEX.organization_id))

    problem_of(ingest(request), request, 403, "tenant_mismatch")
    assert messages_in(aws.queue_url) == []
    own = with_query(post_events(recent_event(1)), organization_id=str(ACME.organization_id))
    assert answer_of(ingest(own)).status == 200


def test_two_credentials_are_401_behind_the_authorizer(start: Start) -> None:
    request = with_header_values(post_events(recent_event(1)), "Authorization", "Bearer a", "Bearer b")
    problem_of(start("ingest")(request), request, 401, "unauthenticated")


def test_mismatch_is_not_recorded_for_the_named_organization(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    others = str(GLOBEX.organization_id)

    for request, source in (
        (with_headers(post_events(recent_event(1)), x_organization_id=others), "header"),
        (with_headers(with_body(post_events(), b"no JSON"), host=f"globex.{BASE_DOMAIN}"), "host"),
        (with_headers(post_events(recent_event(1)), x_forwarded_host=f"globex.{BASE_DOMAIN}"), "forwarded_host"),
        (with_query(post_events(recent_event(1)), organization_id=others), "query"),
        (post_events(recent_event(1), organization_id=others), "body"),
        (post_events(recent_event(1, organization_id=others)), "body"),
    ):
        problem_of(ingest(request), request, 403, "tenant_mismatch")
        addressed = [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]
        assert {each["organization_id"] for each in addressed} == {str(PLATFORM_LOG), str(ACME.organization_id)}

        for each in addressed:
            record = each["record"]

            assert (record["outcome"], record["code"]) == ("refused", "tenant_mismatch")
            assert record["target"].removesuffix(f" by organization {ACME.organization_id}") == source
            assert record["actor"]["id"] == str(ACME.credential_id)
            assert others not in json.dumps(each)


def test_accepted_or_malformed_events_are_not_recorded(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    for request in (
        post_events(recent_event(1)),
        with_body(post_events(), b"no JSON"),
        post_events({"event_type": "x"}),
    ):
        ingest(request)

    assert messages_in(aws.audit_queue_url) == []


def test_body_of_another_organization_is_refused_as_a_whole(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    others = str(GLOBEX.organization_id)

    for request in (
        post_events(recent_event(1), organization_id=others),
        post_events(recent_event(1), recent_event(2, organization_id=others)),
        post_events(recent_event(1, organization_id="acme")),
    ):
        problem_of(ingest(request), request, 403, "tenant_mismatch")

    assert messages_in(aws.queue_url) == []

    own = str(ACME.organization_id)
    assert answer_of(ingest(post_events(recent_event(1, organization_id=own), organization_id=own))).status == 200
