"""DELETE /v1/organizations/{id}, its restore and its certificate."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tenancy.rules.permissions import ORGANIZATION_DELETE, PERMISSIONS
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.aws.register import Register
from tenancy.stores.aws.signer import Signer
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.deletion.erasure_stores import ErasureStores
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import REGION, AwsAccount, Databases, tenant_of
from tests.handlers.functions import Function, Start
from tests.handlers.requests import OPERATOR, Event, answer_of, called_by, problem_of, sample, with_body, with_path
from tests.use_cases.erasing import Platform, domain_stores

LONG_AGO = datetime.now(UTC) - timedelta(days=40)


@pytest.fixture
def delete(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("delete")


@pytest.fixture
def platform(
    databases: Databases, counters: Redis, targets: OutboxTargets, register: Register, aws: AwsAccount
) -> Platform:
    erasure_stores = ErasureStores(
        platform_db=databases.platform,
        client=lambda: databases.clickhouse,
        redis=counters,
        gateway_keys=GatewayKeys(REGION),
        exports=Exports(REGION, aws.exports_bucket, path_style=True),
        dead_letters=DeadLetterObjects(REGION, aws.dead_letters_bucket, path_style=True),
        domains=domain_stores(databases),
        register=register,
    )
    signer = Signer(AwsClient("kms", REGION, aws.endpoint_url), aws.signing_key_id)
    return Platform(databases=databases, redis=counters, targets=targets, erasure_stores=erasure_stores, signer=signer)


def operator_request(case: str, organization_id: object) -> Event:
    request = sample("delete", case)
    path = request["resource"].replace("{organization_id}", str(organization_id))
    parameters = {"organization_id": str(organization_id)}
    return called_by({**with_path(request, path, request["resource"]), "pathParameters": parameters}, OPERATOR)


def test_operator_deletes_and_restores(delete: Function, acme: Provisioned) -> None:
    own = acme.organization.id

    first = answer_of(delete(operator_request("delete", own)))

    assert first.status == 202
    assert first.document["status"] == "deleted"
    deleted_at = datetime.fromisoformat(first.document["deleted_at"])
    assert datetime.fromisoformat(first.document["purge_at"]) - deleted_at == timedelta(days=30)

    again = answer_of(delete(with_body(operator_request("delete", own), {"reason": "another"})))

    assert (again.status, again.document) == (202, first.document)

    restored = answer_of(delete(operator_request("restore", own)))

    assert (restored.status, restored.document["status"]) == (200, "active")
    assert not {"deleted_at", "purge_at", "deletion_reason"} & set(restored.document)

    request = operator_request("restore", own)
    problem_of(delete(request), request, 409, "not_deleted")


def test_organization_needs_the_permission_to_delete_itself(
    delete: Function, acme: Provisioned, globex: Provisioned
) -> None:
    own = acme.organization.id
    without = called_by(operator_request("delete", own), tenant_of(acme, scopes=PERMISSIONS - {ORGANIZATION_DELETE}))

    problem_of(delete(without), without, 403, "forbidden")

    others = called_by(operator_request("delete", globex.organization.id), tenant_of(acme))
    problem_of(delete(others), others, 404, "not_found")
    assert answer_of(delete(called_by(operator_request("delete", own), tenant_of(acme)))).status == 202

    again = called_by(operator_request("delete", own), tenant_of(acme))
    problem_of(delete(again), again, 403, "organization_inactive")
    assert answer_of(delete(operator_request("restore", own))).status == 200


def test_restore_and_certificate_need_a_platform_key(delete: Function, acme: Provisioned, globex: Provisioned) -> None:
    for case in ("restore", "certificate"):
        own = called_by(operator_request(case, acme.organization.id), tenant_of(acme))
        problem_of(delete(own), own, 403, "forbidden")

        others = called_by(operator_request(case, globex.organization.id), tenant_of(acme))
        problem_of(delete(others), others, 404, "not_found")

    for case in ("delete", "restore", "certificate"):
        unknown_request = operator_request(case, uuid4())
        problem_of(delete(unknown_request), unknown_request, 404, "not_found")


def test_deletion_needs_a_reason_of_one_line(delete: Function, acme: Provisioned, subtests: pytest.Subtests) -> None:
    bodies: list[object] = [
        {},
        {"reason": ""},
        {"reason": "   "},
        {"reason": None},
        {"reason": 1},
        {"reason": "two\nlines"},
        {"reason": "x" * 1001},
        {"reason": "\u202e"},
        {"reason": "x", "at_once": True},
    ]

    for body in bodies:
        with subtests.test(str(body)[:40]):
            request = with_body(operator_request("delete", acme.organization.id), body)
            assert problem_of(delete(request), request, 422, "invalid")["errors"]

    restore = operator_request("restore", acme.organization.id)
    problem_of(delete(restore), restore, 409, "not_deleted")


def test_certificate_of_an_erased_organization_is_readable(
    delete: Function, platform: Platform, acme: Provisioned
) -> None:
    own = acme.organization.id
    request = operator_request("certificate", own)

    problem_of(delete(request), request, 404, "not_found")

    platform.delete(own, now=LONG_AGO)
    platform.erase(own, now=LONG_AGO + timedelta(days=30))

    for case in ("delete", "restore"):
        request = operator_request(case, own)
        problem_of(delete(request), request, 410, "erased")

    found = answer_of(delete(operator_request("certificate", own))).document

    assert found["is_valid"] is True
    assert found["certificate"]["organization_id"] == str(own)
    assert found["counted_again"] == []
    assert found["algorithm"] == "ECDSA_SHA_256"
