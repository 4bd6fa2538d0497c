"""The audit trail of requests: reads and mismatches are recorded in the right logs."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, tenant_of
from tests.handlers.audit_requests import audit_request, audit_request_of_person, operator_audit_request
from tests.handlers.functions import BASE_DOMAIN, Function, Start
from tests.handlers.queues import messages_in
from tests.handlers.requests import (
    answer_of,
    called_by,
    problem_of,
    with_headers,
)

type Sent = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def audit(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("audit")


@pytest.fixture
def sent(aws: AwsAccount) -> Sent:
    """Take the messages that the function sent to the audit queue."""
    return lambda: [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]


def test_reads_of_people_are_recorded_and_of_keys_not(audit: Function, acme: Provisioned, sent: Sent) -> None:
    person = audit_request_of_person(acme)

    audit(audit_request(acme))
    assert sent() == []

    answer_of(audit(person))
    answer_of(audit(operator_audit_request(acme.organization.id)))
    by_person, by_operator = sent()

    for message, kind, target in (
        (by_person, "person", "/v1/audit"),
        (by_operator, "operator", f"/v1/organizations/{acme.organization.id}/audit"),
    ):
        record = message["record"]
        assert message["organization_id"] == str(acme.organization.id)
        assert (record["actor"]["kind"], record["outcome"], record["target"]) == (kind, "done", target)
        assert record["actor"]["source_address"] == person["requestContext"]["identity"]["sourceIp"]
        assert record["actor"]["request_id"] == person["requestContext"]["requestId"]


def test_mismatch_is_in_the_callers_log_and_the_platforms(
    audit: Function, acme: Provisioned, globex: Provisioned, sent: Sent, capfd: pytest.CaptureFixture[str]
) -> None:
    named = {"host": f"globex.{BASE_DOMAIN}", "x_organization_id": str(globex.organization.id)}
    request = with_headers(audit_request(acme), **named)

    problem_of(audit(request), request, 403, "tenant_mismatch")
    messages = sent()

    assert {message["organization_id"] for message in messages} == {str(acme.organization.id), str(PLATFORM_LOG)}

    targets = {
        str(acme.organization.id): "header, host",
        str(PLATFORM_LOG): f"header, host by organization {acme.organization.id}",
    }
    for message in messages:
        record, target = message["record"], targets[message["organization_id"]]
        assert (record["outcome"], record["code"], record["target"]) == ("refused", "tenant_mismatch", target)

    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    metrics = [line for line in lines if "TenantMismatch" in line]

    assert [(metric["TenantMismatch"], metric["organization_id"]) for metric in metrics] == [
        ([1.0], str(acme.organization.id))
    ]


def test_foreign_path_is_404_but_recorded_as_a_mismatch(
    audit: Function, acme: Provisioned, globex: Provisioned, sent: Sent
) -> None:
    request = called_by(operator_audit_request(globex.organization.id), tenant_of(acme))

    problem_of(audit(request), request, 404, "not_found")

    assert {(message["organization_id"], message["record"]["code"]) for message in sent()} == {
        (str(acme.organization.id), "tenant_mismatch"),
        (str(PLATFORM_LOG), "tenant_mismatch"),
    }


def test_read_that_cannot_be_recorded_is_503(
    start: Start,
    secrets: None,  # noqa: ARG001
    acme: Provisioned,
    nowhere: str,
) -> None:
    audit = start("audit", AUDIT_QUEUE_URL=f"http://{nowhere}/audit", AWS_ENDPOINT_URL=f"http://{nowhere}")
    request = audit_request_of_person(acme)

    problem_of(audit(request), request, 503, "unavailable")


def test_refusal_is_answered_even_if_it_cannot_be_recorded(
    audit: Function, acme: Provisioned, globex: Provisioned, aws: AwsAccount
) -> None:
    boto3.client("sqs").delete_queue(QueueUrl=aws.audit_queue_url)
    request = with_headers(audit_request(acme), x_organization_id=str(globex.organization.id))

    problem_of(audit(request), request, 403, "tenant_mismatch")
