"""Held events of an organization: the operator counts and releases them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tenancy.stores.aws.secrets import CLICKHOUSE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, PutSecret, Start
from tests.handlers.requests import OPERATOR, Event, answer_of, called_by, problem_of, sample, with_path
from tests.use_cases.storing import count, store


@pytest.fixture
def held_events(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("held_events")


def operator_request(case: str, organization_id: object) -> Event:
    request = sample("held_events", case)
    path = request["resource"].replace("{organization_id}", str(organization_id))
    parameters = {"organization_id": str(organization_id)}
    return called_by({**with_path(request, path, request["resource"]), "pathParameters": parameters}, OPERATOR)


def test_held_events_are_counted_by_reason_and_released_once(
    held_events: Function, databases: Databases, acme: Provisioned, globex: Provisioned
) -> None:
    own, now = acme.organization.id, datetime.now(UTC)
    store(databases, own, range(3), at=now, table="held_events", reason="quota")
    store(databases, own, range(3, 5), at=now, table="held_events", reason="clock")
    store(databases, globex.organization.id, range(7), at=now, table="held_events", reason="quota")

    counted = answer_of(held_events(operator_request("count", own)))

    assert (counted.status, counted.document) == (200, {"count": 5, "reasons": {"clock": 2, "quota": 3}})

    store(databases, own, [9], at=now, happened=now + timedelta(days=2), table="held_events", reason="clock")
    for released in (5, 0):
        answer = answer_of(held_events(operator_request("release", own)))
        assert (answer.status, answer.document) == (200, {"released": released, "waiting": 1})

    assert answer_of(held_events(operator_request("count", own))).document == {"count": 1, "reasons": {"clock": 1}}
    assert count(databases, own) == 5
    assert count(databases, globex.organization.id, "held_events") == 7


def test_held_events_routes_need_a_platform_key(held_events: Function, acme: Provisioned, globex: Provisioned) -> None:
    for case in ("count", "release"):
        own = called_by(operator_request(case, acme.organization.id), tenant_of(acme))
        problem_of(held_events(own), own, 403, "forbidden")

        others = called_by(operator_request(case, globex.organization.id), tenant_of(acme))
        problem_of(held_events(others), others, 404, "not_found")

        unknown_request = operator_request(case, uuid4())
        problem_of(held_events(unknown_request), unknown_request, 404, "not_found")


@pytest.mark.usefixtures("secrets")
def test_held_events_routes_are_503_without_clickhouse(
    start: Start, put_secret: PutSecret, acme: Provisioned, nowhere: str
) -> None:
    put_secret(CLICKHOUSE, f"http://{nowhere}/default")
    held_events = start("held_events")

    for case in ("count", "release"):
        request = operator_request(case, acme.organization.id)
        problem_of(held_events(request), request, 503, "unavailable")
