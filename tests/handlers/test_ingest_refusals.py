"""POST /v1/events: who may send, and for whom; what names another organization is refused as a whole, and recorded."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

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
    recent,
    sample,
    with_body,
    with_header_values,
    with_headers,
    with_query,
)
from tests.handlers.sent_events import ACME, GLOBEX, post


def test_whoever_may_not_send_events_is_refused_before_the_body_is_read(start: Start, aws: AwsAccount) -> None:
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


def test_a_header_or_host_of_another_organization_is_a_mismatch(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    others: list[dict[str, str | None]] = [
        {"x_organization_id": str(GLOBEX.organization_id)},
        {"x_organization_id": "unknown"},
        {"x_organization_id": ""},
        {"x_organization_id": f"{ACME.organization_id}, {GLOBEX.organization_id}"},
        {"host": f"globex.{BASE_DOMAIN}"},
        {"host": f"nobody.{BASE_DOMAIN}"},
        {"host": f"acme.{BASE_DOMAIN}.."},
        {"host": f"xn--acme-9x.{BASE_DOMAIN}"},
        {"x_forwarded_host": f"globex.{BASE_DOMAIN}:443"},
        {"host": f"acme.{BASE_DOMAIN}", "x_forwarded_host": f"globex.{BASE_DOMAIN}"},
    ]
    for headers in others:
        request = with_headers(post(recent(1)), **headers)
        problem_of(ingest(request), request, 403, "tenant_mismatch")
    assert messages_in(aws.queue_url) == []
    own = with_headers(post(recent(1)), x_organization_id=str(ACME.organization_id), host=f"acme.{BASE_DOMAIN}.:443")
    assert answer_of(ingest(own)).status == 200


def test_each_value_of_a_repeated_header_must_be_the_credentials(start: Start, aws: AwsAccount) -> None:
    ingest, header = start("ingest"), "X-Organization-ID"
    own, other = str(ACME.organization_id), str(GLOBEX.organization_id)
    for values in ((own, other), (other, own), (other, other), (own, "")):
        request = with_header_values(post(recent(1)), header, *values)
        problem_of(ingest(request), request, 403, "tenant_mismatch")
    assert messages_in(aws.queue_url) == []
    assert answer_of(ingest(with_header_values(post(recent(1)), header, own, own.upper()))).status == 200


def test_a_query_that_names_another_organization_is_a_mismatch(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    request = with_query(post(recent(1)), organization_id=str(GLOBEX.organization_id))
    problem_of(ingest(request), request, 403, "tenant_mismatch")
    assert messages_in(aws.queue_url) == []
    assert answer_of(ingest(with_query(post(recent(1)), organization_id=str(ACME.organization_id)))).status == 200


def test_two_credentials_are_nobodys_although_the_authorizer_let_one_pass(start: Start) -> None:
    request = with_header_values(post(recent(1)), "Authorization", "Bearer a", "Bearer b")
    problem_of(start("ingest")(request), request, 401, "unauthenticated")


def test_a_mismatch_is_recorded_for_the_credential_and_the_platform_and_never_for_the_named(
    start: Start, aws: AwsAccount
) -> None:
    ingest = start("ingest")
    others = str(GLOBEX.organization_id)
    for request, source in (
        (with_headers(post(recent(1)), x_organization_id=others), "header"),
        (with_headers(with_body(post(), b"no JSON"), host=f"globex.{BASE_DOMAIN}"), "host"),
        (with_headers(post(recent(1)), x_forwarded_host=f"globex.{BASE_DOMAIN}"), "forwarded_host"),
        (with_query(post(recent(1)), organization_id=others), "query"),
        (post(recent(1), organization_id=others), "body"),
        (post(recent(1, organization_id=others)), "body"),
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


def test_what_is_taken_or_malformed_is_not_recorded(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    for request in (post(recent(1)), with_body(post(), b"no JSON"), post({"event_type": "x"})):
        ingest(request)
    assert messages_in(aws.audit_queue_url) == []


def test_a_body_that_names_another_organization_is_a_mismatch_as_a_whole(start: Start, aws: AwsAccount) -> None:
    ingest = start("ingest")
    others = str(GLOBEX.organization_id)
    for request in (
        post(recent(1), organization_id=others),
        post(recent(1), recent(2, organization_id=others)),
        post(recent(1, organization_id="acme")),
    ):
        problem_of(ingest(request), request, 403, "tenant_mismatch")
    assert messages_in(aws.queue_url) == []
    own = str(ACME.organization_id)
    assert answer_of(ingest(post(recent(1, organization_id=own), organization_id=own))).status == 200
