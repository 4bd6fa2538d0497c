"""The end of an organization over HTTP: who may delete whom, what is answered, and what everything else says then."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tenancy.rules.permissions import ORGANIZATION_DELETE, PERMISSIONS
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.aws.signer import Signer
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.deletion.erasure_stores import ErasureStores
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import REGION, AwsAccount, Databases, tenant_of
from tests.handlers.functions import Function, Start
from tests.handlers.requests import OPERATOR, Event, answer_of, at, called_by, problem_of, sample, with_body
from tests.use_cases.erasing import Platform

LONG_AGO = datetime.now(UTC) - timedelta(days=40)


@pytest.fixture
def delete(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("delete")


@pytest.fixture
def platform(databases: Databases, counters: Redis, targets: OutboxTargets, aws: AwsAccount) -> Platform:
    erasure_stores = ErasureStores(
        platform_db=databases.platform,
        client=lambda: databases.clickhouse,
        redis=counters,
        gateway_keys=GatewayKeys(REGION),
        exports=Exports(REGION, aws.exports_bucket, path_style=True),
    )
    signer = Signer(AwsClient("kms", REGION, aws.endpoint_url), aws.signing_key_id)
    return Platform(databases=databases, redis=counters, targets=targets, erasure_stores=erasure_stores, signer=signer)


def ask(case: str, organization_id: object, function: str = "delete") -> Event:
    request = sample(function, case)
    path = request["resource"].replace("{organization_id}", str(organization_id))
    request = {**at(request, path, request["resource"]), "pathParameters": {"organization_id": str(organization_id)}}
    return called_by(request, OPERATOR)


def test_the_operator_deletes_and_restores(delete: Function, acme: Provisioned) -> None:
    own = acme.organization.id
    first = answer_of(delete(ask("delete", own)))
    assert first.status == 202
    assert first.document["status"] == "deleted"
    deleted_at = datetime.fromisoformat(first.document["deleted_at"])
    assert datetime.fromisoformat(first.document["purge_at"]) - deleted_at == timedelta(days=30)
    again = answer_of(delete(with_body(ask("delete", own), {"reason": "another"})))
    assert (again.status, again.document) == (202, first.document)
    restored = answer_of(delete(ask("restore", own)))
    assert (restored.status, restored.document["status"]) == (200, "active")
    assert not {"deleted_at", "purge_at", "deletion_reason"} & set(restored.document)
    request = ask("restore", own)
    problem_of(delete(request), request, 409, "not_deleted")


def test_an_organization_deletes_itself_with_the_permission_alone(
    delete: Function, acme: Provisioned, globex: Provisioned
) -> None:
    own = acme.organization.id
    without = called_by(ask("delete", own), tenant_of(acme, scopes=PERMISSIONS - {ORGANIZATION_DELETE}))
    problem_of(delete(without), without, 403, "forbidden")
    others = called_by(ask("delete", globex.organization.id), tenant_of(acme))
    problem_of(delete(others), others, 404, "not_found")
    assert answer_of(delete(called_by(ask("delete", own), tenant_of(acme)))).status == 202
    again = called_by(ask("delete", own), tenant_of(acme))
    problem_of(delete(again), again, 403, "organization_inactive")
    assert answer_of(delete(ask("restore", own))).status == 200


def test_restore_and_certificate_are_the_operators_business(
    delete: Function, acme: Provisioned, globex: Provisioned
) -> None:
    for case in ("restore", "certificate"):
        own = called_by(ask(case, acme.organization.id), tenant_of(acme))
        problem_of(delete(own), own, 403, "forbidden")
        others = called_by(ask(case, globex.organization.id), tenant_of(acme))
        problem_of(delete(others), others, 404, "not_found")
    for case in ("delete", "restore", "certificate"):
        nobodys = ask(case, uuid4())
        problem_of(delete(nobodys), nobodys, 404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": ""},
        {"reason": "   "},
        {"reason": None},
        {"reason": 1},
        {"reason": "two\nlines"},
        {"reason": "x" * 1001},
        {"reason": "\u202e"},
        {"reason": "x", "at_once": True},
    ],
)
def test_a_deletion_has_a_reason_of_one_line(delete: Function, acme: Provisioned, body: object) -> None:
    request = with_body(ask("delete", acme.organization.id), body)
    assert problem_of(delete(request), request, 422, "invalid")["errors"]
    request = ask("restore", acme.organization.id)
    problem_of(delete(request), request, 409, "not_deleted")


def test_an_erased_organization_is_gone_everywhere_but_its_certificate_is_there(
    delete: Function, start: Start, platform: Platform, acme: Provisioned
) -> None:
    own = acme.organization.id
    request = ask("certificate", own)
    problem_of(delete(request), request, 404, "not_found")
    platform.delete(own, now=LONG_AGO)
    platform.erase(own, now=LONG_AGO + timedelta(days=30))
    for case in ("delete", "restore"):
        request = ask(case, own)
        problem_of(delete(request), request, 410, "erased")
    for function, cases in (
        ("provision", ("get", "change_tier")),
        ("usage", ("usage_for_operator",)),
        ("held_events", ("count", "release")),
    ):
        started = start(function)
        for case in cases:
            request = ask(case, own, function)
            problem_of(started(request), request, 410, "erased")
    audit = start("audit")
    assert answer_of(audit(ask("verify_for_operator", own, "audit"))).document["valid"] is True
    found = answer_of(delete(ask("certificate", own))).document
    assert found["is_valid"] is True
    assert found["certificate"]["organization_id"] == str(own)
    assert found["counted_again"] == []
    assert found["algorithm"] == "ECDSA_SHA_256"


def test_people_and_devices_of_a_deleted_organization_are_refused(
    delete: Function, start: Start, acme: Provisioned
) -> None:
    assert answer_of(delete(ask("delete", acme.organization.id))).status == 202
    for function, case in (("usage", "usage"), ("usage", "stats"), ("audit", "list"), ("ingest", "events")):
        request = called_by(sample(function, case), tenant_of(acme))
        problem_of(start(function)(request), request, 403, "organization_inactive")
