"""Reads of exports by keys are in the audit log, one entry per key, route and minute."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tenancy.rules.tenant import CallerKind, Tenant
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.audit.record_audit import record_messages
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, Databases, know, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.queues import messages_in
from tests.handlers.requests import Event, answer_of, called_by, problem_of, sample, with_path

LIST, SHOW = "GET /v1/exports", "GET /v1/exports/{export_id}"
HALF_A_MINUTE = timedelta(seconds=30)

type Sent = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def privacy(start: Start, secrets: None, clock: StoppedClock) -> Function:  # noqa: ARG001
    clock.moment = clock.moment.replace(second=0, microsecond=0)
    function = start("privacy")
    clock.stop(function)
    return function


@pytest.fixture
def sent(aws: AwsAccount) -> Sent:
    """Take the messages that functions sent to the audit queue."""
    return lambda: [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]


def list_request(tenant: Tenant) -> Event:
    return called_by(sample("privacy", "list_exports"), tenant)


def show_request(tenant: Tenant, export_id: str) -> Event:
    request = sample("privacy", "read_export")
    request = with_path(request, f"/exports/{export_id}", request["resource"])
    return called_by({**request, "pathParameters": {"export_id": export_id}}, tenant)


def actions(messages: list[dict[str, Any]]) -> list[str]:
    return [message["record"]["action"] for message in messages]


def test_reads_by_a_key_are_one_entry_per_route_and_minute(
    privacy: Function, clock: StoppedClock, acme: Provisioned, sent: Sent
) -> None:
    tenant = tenant_of(acme)
    asked = answer_of(privacy(called_by(sample("privacy", "export"), tenant))).document["id"]

    for request in (list_request(tenant), show_request(tenant, asked)):
        for _ in range(2):
            assert answer_of(privacy(request)).status == 200
            clock.advance(HALF_A_MINUTE / 10)
    first_minute = sent()
    clock.advance(2 * HALF_A_MINUTE)
    privacy(list_request(tenant))
    second_minute = sent()

    assert (actions(first_minute), actions(second_minute)) == ([LIST, SHOW], [LIST])
    assert {message["organization_id"] for message in first_minute} == {str(acme.organization.id)}
    assert first_minute[0]["record"]["actor"]["kind"] == "key"
    assert first_minute[1]["record"]["target"] == f"/v1/exports/{asked}"
    assert first_minute[0]["record"]["id"] != second_minute[0]["record"]["id"]


def test_reads_in_several_processes_are_one_entry(
    start: Start, privacy: Function, clock: StoppedClock, databases: Databases, acme: Provisioned, sent: Sent
) -> None:
    for function in (privacy, start("privacy")):
        clock.stop(function)
        assert answer_of(function(list_request(tenant_of(acme)))).status == 200
        clock.advance(HALF_A_MINUTE)
    messages = sent()

    record_messages(databases.platform, {str(number): json.dumps(each) for number, each in enumerate(messages)})

    assert actions(messages) == [LIST, LIST]
    with superuser(databases) as conn:
        assert conn.execute("SELECT count FROM audit_log WHERE action = %s", (LIST,)).fetchall() == [(1,)]


def test_each_key_has_entries_of_its_own(
    privacy: Function, counters: Redis, acme: Provisioned, globex: Provisioned, sent: Sent
) -> None:
    other_key = replace(tenant_of(acme), credential_id=uuid4())
    same_id = replace(tenant_of(globex), credential_id=acme.secret_key_id)

    for tenant in (tenant_of(acme), other_key, same_id):
        know(counters, tenant)
        assert answer_of(privacy(list_request(tenant))).status == 200
    messages = sent()

    assert actions(messages) == [LIST] * 3
    assert len({message["record"]["id"] for message in messages}) == 3


def test_each_read_of_a_person_is_an_entry(
    privacy: Function, clock: StoppedClock, acme: Provisioned, sent: Sent
) -> None:
    person = replace(
        tenant_of(acme),
        credential_id=acme.admin_user_id,
        kind=CallerKind.PERSON,
        epoch="0.0",
        expires_at=clock.moment + timedelta(days=1),
    )

    for _ in range(2):
        answer_of(privacy(list_request(person)))

    assert actions(sent()) == [LIST, LIST]


def test_read_without_an_answer_is_no_entry(privacy: Function, acme: Provisioned, sent: Sent) -> None:
    request = show_request(tenant_of(acme), str(uuid4()))

    problem_of(privacy(request), request, 404, "not_found")

    assert sent() == []


@pytest.mark.usefixtures("secrets")
def test_read_by_a_key_that_cannot_be_recorded_is_503(start: Start, acme: Provisioned, nowhere: str) -> None:
    privacy = start("privacy", AUDIT_QUEUE_URL=f"http://{nowhere}/audit", AWS_ENDPOINT_URL=f"http://{nowhere}")
    request = list_request(tenant_of(acme))

    for _ in range(2):
        problem_of(privacy(request), request, 503, "unavailable")
