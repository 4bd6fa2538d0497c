"""The audit trail of requests: who reads is recorded, and who names another organization, in the right logs."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, tenant_of
from tests.handlers.audit_requests import ask, ask_as_person, for_operator
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
    """Take what the function sent to the audit queue."""
    return lambda: [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]


def test_what_a_person_or_an_operator_reads_is_recorded_and_what_a_key_reads_is_not(
    audit: Function, acme: Provisioned, sent: Sent
) -> None:
    audit(ask(acme))
    assert sent() == []
    person = ask_as_person(acme)
    answer_of(audit(person))
    answer_of(audit(for_operator(acme.organization.id)))
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


def test_a_mismatch_is_in_ones_own_log_and_the_platforms_never_in_the_victims(
    audit: Function, acme: Provisioned, globex: Provisioned, sent: Sent, capfd: pytest.CaptureFixture[str]
) -> None:
    request = with_headers(ask(acme), host=f"globex.{BASE_DOMAIN}", x_organization_id=str(globex.organization.id))
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
    metrics = [json.loads(line) for line in capfd.readouterr().out.splitlines() if '"_aws"' in line]
    assert [(metric["TenantMismatch"], metric["organization_id"]) for metric in metrics] == [
        ([1.0], str(acme.organization.id))
    ]


def test_a_refusal_on_anothers_path_is_recorded_as_a_mismatch_although_it_is_answered_404(
    audit: Function, acme: Provisioned, globex: Provisioned, sent: Sent
) -> None:
    request = called_by(for_operator(globex.organization.id), tenant_of(acme))
    problem_of(audit(request), request, 404, "not_found")
    assert {(message["organization_id"], message["record"]["code"]) for message in sent()} == {
        (str(acme.organization.id), "tenant_mismatch"),
        (str(PLATFORM_LOG), "tenant_mismatch"),
    }


def test_a_read_that_cannot_be_recorded_is_not_answered(
    start: Start,
    secrets: None,  # noqa: ARG001
    acme: Provisioned,
    nowhere: str,
) -> None:
    audit = start("audit", AUDIT_QUEUE_URL=f"http://{nowhere}/audit", AWS_ENDPOINT_URL=f"http://{nowhere}")
    request = ask_as_person(acme)
    problem_of(audit(request), request, 503, "unavailable")


def test_a_refusal_is_answered_although_it_cannot_be_recorded(
    audit: Function, acme: Provisioned, globex: Provisioned, aws: AwsAccount
) -> None:
    import boto3  # noqa: PLC0415

    boto3.client("sqs").delete_queue(QueueUrl=aws.audit_queue_url)
    request = with_headers(ask(acme), x_organization_id=str(globex.organization.id))
    problem_of(audit(request), request, 403, "tenant_mismatch")
