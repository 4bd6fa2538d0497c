"""Paths that name an organization: the operator acts for any, a tenant only for its own."""

import json
from collections.abc import Callable
from uuid import UUID

import pytest

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import AwsAccount, tenant_of
from tests.handlers.functions import BASE_DOMAIN, Function, Start
from tests.handlers.queues import messages_in
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    called_by,
    problem_of,
    sample,
    with_body,
    with_headers,
    with_path,
    with_query,
)

UNKNOWN_ID = "0f000000-0000-4000-8000-00000000000f"

type Recorded = Callable[[], list[tuple[str, str, str]]]


@pytest.fixture
def provision(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("provision")


@pytest.fixture
def recorded(aws: AwsAccount) -> Recorded:
    """Take the refusals out of the audit queue as (log, code, target)."""

    def take() -> list[tuple[str, str, str]]:
        addressed = [json.loads(message["Body"]) for message in messages_in(aws.audit_queue_url)]
        refused = [each for each in addressed if each["record"]["outcome"] == "refused"]
        return sorted((e["organization_id"], e["record"]["code"], e["record"]["target"]) for e in refused)

    return take


def get_request(organization_id: UUID | str) -> Event:
    request = with_path(
        sample("provision", "get"), f"/organizations/{organization_id}", "/organizations/{organization_id}"
    )
    return {**request, "pathParameters": {"organization_id": str(organization_id)}}


def test_path_of_another_organization_is_404_and_recorded(
    provision: Function, recorded: Recorded, acme: Provisioned, globex: Provisioned
) -> None:
    answers = []
    own = str(acme.organization.id)

    for named in (
        str(globex.organization.id),
        str(globex.organization.id).upper(),
        UNKNOWN_ID,
        "x",
        own.replace("-", ""),
    ):
        request = called_by(get_request(named), tenant_of(acme))

        problem = problem_of(provision(request), request, 404, "not_found")
        answers.append({name: value for name, value in problem.items() if name != "instance"})

        assert recorded() == [
            (str(PLATFORM_LOG), "tenant_mismatch", f"path by organization {own}"),
            (own, "tenant_mismatch", "path"),
        ]

    assert all(answer == answers[0] for answer in answers)

    absent = called_by(get_request(UNKNOWN_ID), OPERATOR)

    problem = problem_of(provision(absent), absent, 404, "not_found")

    assert {name: value for name, value in problem.items() if name != "instance"} == answers[0]
    assert recorded() == []


def test_path_is_compared_as_the_router_reads_it(
    provision: Function, recorded: Recorded, acme: Provisioned, globex: Provisioned
) -> None:
    request = get_request(globex.organization.id)
    for parameters in (None, {}, {"organization_id": str(acme.organization.id)}):
        other = called_by({**request, "pathParameters": parameters}, tenant_of(acme))
        problem_of(provision(other), other, 404, "not_found")
        assert len(recorded()) == 2


def test_operator_route_refuses_a_tenant_on_its_own_path(
    provision: Function, recorded: Recorded, acme: Provisioned
) -> None:
    request = called_by(get_request(acme.organization.id), tenant_of(acme))
    problem_of(provision(request), request, 403, "forbidden")
    assert recorded() == [(str(acme.organization.id), "forbidden", "")]


def test_operator_acts_for_the_organization_in_the_path(
    provision: Function, recorded: Recorded, acme: Provisioned, globex: Provisioned
) -> None:
    for provisioned in (acme, globex):
        own = provisioned.organization.id
        for request in (
            get_request(own),
            get_request(str(own).upper()),
            with_query(get_request(own), organization_id=str(own)),
        ):
            answer = answer_of(provision(called_by(request, OPERATOR)))
            assert (answer.status, answer.document["id"]) == (200, str(own))

    assert recorded() == []


def test_platform_key_is_403_with_a_tenants_header_or_host(
    provision: Function, recorded: Recorded, acme: Provisioned
) -> None:
    own = str(acme.organization.id)
    refused: list[dict[str, str | None]] = [
        {"x_organization_id": own},
        {"x_organization_id": ""},
        {"host": f"acme.{BASE_DOMAIN}"},
        {"x_forwarded_host": f"acme.{BASE_DOMAIN}"},
    ]

    for headers in refused:
        request = called_by(with_headers(get_request(own), **headers), OPERATOR)
        problem_of(provision(request), request, 403, "forbidden")
        assert recorded() == [(str(PLATFORM_LOG), "forbidden", "")]

    on_the_apis_host = called_by(with_headers(get_request(own), host=f"api.{BASE_DOMAIN}"), OPERATOR)
    assert answer_of(provision(on_the_apis_host)).status == 200


def test_operator_names_no_other_organization_than_the_path(
    provision: Function, recorded: Recorded, acme: Provisioned, globex: Provisioned
) -> None:
    own, other = acme.organization.id, str(globex.organization.id)
    create = with_body(sample("provision", "create"), {"name": "Initech", "organization_id": other})

    for request, source in (
        (with_query(get_request(own), organization_id=other), "query"),
        (with_query(sample("provision", "list"), organization_id=other), "query"),
        (create, "body"),
    ):
        called = called_by(request, OPERATOR)
        problem_of(provision(called), called, 403, "tenant_mismatch")
        assert recorded() == [(str(PLATFORM_LOG), "tenant_mismatch", source)]


def test_mismatch_is_found_before_the_body_is_parsed(
    provision: Function, recorded: Recorded, acme: Provisioned, globex: Provisioned
) -> None:
    named = with_headers(sample("provision", "create"), x_organization_id=str(globex.organization.id))
    for body in (b"no JSON", b"{}", b'{"organization_id":"x"}', b"\x1f\x8b", b" " * 2**18 + b"{}"):
        request = called_by(with_body(named, body), tenant_of(acme))
        problem_of(provision(request), request, 403, "tenant_mismatch")
        assert len(recorded()) == 2
