"""Provisioning through the API: what the operator gets works at once, and nobody else gets anything."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import boto3
import psycopg
import pytest

from tenancy.gateway.context import parse_context
from tenancy.rules.api_keys import KeyType, find_key
from tenancy.rules.organization import RESERVED_SUBDOMAINS
from tenancy.rules.permissions import EVENTS_WRITE, PERMISSIONS
from tenancy.rules.tenant import Tenant
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.secrets import PLATFORM_DATABASE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import REGION, AwsAccount, Databases, tenant_of
from tests.handlers.functions import BASE_DOMAIN, Function, Mails, PutSecret, Start
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    at,
    call,
    called_by,
    problem_of,
    sample,
    with_body,
    with_headers,
    with_query,
)

ACME: dict[str, object] = {
    "name": "Acme",
    "subdomain": "acme",
    "admin_email": "Admin@Acme.Example",
    "admin_password": "correct horse battery staple",
    "tier": "growth",
}


@pytest.fixture
def provision(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("provision")


def create(**changes: object) -> Event:
    return called_by(with_body(sample("provision", "create"), {**ACME, **changes}), OPERATOR)


def get(organization_id: object) -> Event:
    path = f"/organizations/{organization_id}"
    request = at(sample("provision", "get"), path, "/organizations/{organization_id}")
    return called_by({**request, "pathParameters": {"organization_id": str(organization_id)}}, OPERATOR)


def listing(**query: str) -> Event:
    return called_by(with_query(sample("provision", "list"), **query), OPERATOR)


def test_the_sample_provisions_an_organization(provision: Function, aws: AwsAccount) -> None:
    request = sample("provision", "create")
    answer = answer_of(provision(request))
    assert answer.status == 201, answer.body
    assert answer.headers["x-request-id"] == request["requestContext"]["requestId"]
    document = answer.document
    assert set(document) == {"organization", "admin_user", "app", "write_key", "secret_key"}
    organization = document["organization"]
    assert organization == {
        "id": str(UUID(organization["id"])),
        "name": "Acme",
        "subdomain": "acme",
        "tier": "growth",
        "status": "active",
        "created_at": organization["created_at"],
        "updated_at": organization["created_at"],
    }
    assert datetime.fromisoformat(organization["created_at"]).tzinfo == UTC
    assert document["admin_user"] == {
        "id": str(UUID(document["admin_user"]["id"])),
        "email": "admin@acme.example",
        "role": "super_admin",
        "status": "active",
    }
    assert document["app"] == {"id": str(UUID(document["app"]["id"])), "name": "Default App", "platform": "web"}
    keys = boto3.client("apigateway", region_name=REGION).get_usage_plan_keys(usagePlanId=aws.plan_ids["growth"])
    assert [item["name"] for item in keys["items"]] == [f"organization-{organization['id']}-1"]


def test_the_keys_work_at_once(provision: Function, start: Start) -> None:
    document = answer_of(provision(create())).document
    organization_id = UUID(document["organization"]["id"])
    authorizer, ingest = start("authorizer"), start("ingest")
    scopes = {KeyType.SECRET: PERMISSIONS, KeyType.WRITE: {EVENTS_WRITE}}
    for key in map(find_key, (document["write_key"], document["secret_key"])):
        assert key is not None
        event = with_headers(sample("authorizer", "secret_key"), authorization=f"Bearer {key.text}")
        answer = authorizer(event)
        caller = parse_context(answer["context"], now=datetime.now(UTC))
        assert isinstance(caller, Tenant)
        assert (caller.organization_id, caller.scopes) == (organization_id, scopes[key.type])
        assert (caller.subdomain, caller.tier) == ("acme", Tier.GROWTH)
        assert answer["usageIdentifierKey"] == f"organization-{organization_id}-1"
    body = {"batch": [call(1)], "writeKey": document["write_key"]}
    assert answer_of(ingest(with_body(sample("ingest", "segment_batch"), body))).status == 200


def test_what_is_stored_of_keys_and_password_proves_them_and_shows_nothing(
    provision: Function, databases: Databases
) -> None:
    document = answer_of(provision(with_headers(create(), idempotency_key="order-1"))).document
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name) as conn:
        rows = conn.execute("SELECT to_jsonb(users)::text FROM users").fetchall()
        rows += conn.execute("SELECT to_jsonb(api_keys)::text FROM api_keys").fetchall()
        rows += conn.execute("SELECT to_jsonb(outbox)::text FROM outbox").fetchall()
        rows += conn.execute("SELECT to_jsonb(requests)::text FROM provisioning_requests AS requests").fetchall()
    stored = " ".join(text for (text,) in rows)
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored
    for secret in (ACME["admin_password"], document["write_key"], document["secret_key"]):
        assert str(secret) not in stored
        assert str(secret)[3:20] not in stored


def test_the_same_request_with_its_idempotency_key_gets_the_same_answer(provision: Function) -> None:
    request = with_headers(create(), idempotency_key="order-1")
    first, again = answer_of(provision(request)), answer_of(provision(request))
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    for changes in ({"name": "Globex"}, {"admin_password": "another horse battery staple"}):
        other = with_headers(create(**changes), idempotency_key="order-1")
        problem_of(provision(other), other, 422, "idempotency_key_reused")
    other = with_headers(create(subdomain="globex"), idempotency_key="order-2")
    assert answer_of(provision(other)).document["organization"]["subdomain"] == "globex"


def test_a_password_that_is_too_common_is_named_and_not_shown(provision: Function) -> None:
    request = create(admin_password="Password-2026")
    [error] = problem_of(provision(request), request, 422, "invalid")["errors"]
    assert (error["location"], error["code"]) == ("body/admin_password", "too_common")
    assert "Password-2026" not in answer_of(provision(request)).body


def test_the_answer_does_not_wait_for_the_mail(provision: Function, mails: Mails) -> None:
    assert answer_of(provision(create())).status == 201
    assert mails() == []


def test_no_answer_but_the_first_shows_a_key_or_password(provision: Function) -> None:
    created = answer_of(provision(create())).document
    answers = [answer_of(provision(request)).body for request in (get(created["organization"]["id"]), listing())]
    problems = [answer_of(provision(request)).body for request in (create(), create(tier="platinum"), get(uuid4()))]
    for body in (*answers, *problems):
        for secret in (created["write_key"], created["secret_key"], str(ACME["admin_password"])):
            assert secret not in body


def test_a_subdomain_belongs_to_one_organization(provision: Function, databases: Databases) -> None:
    assert answer_of(provision(create())).status == 201
    for subdomain in ("acme", "ACME"):
        request = create(name="Globex", subdomain=subdomain, admin_email="admin@globex.example")
        problem_of(provision(request), request, 409, "subdomain_taken")
    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT name FROM organizations").fetchall() == [("Acme",)]


def test_a_reserved_subdomain_is_taken(provision: Function) -> None:
    for subdomain in sorted(RESERVED_SUBDOMAINS)[:5]:
        request = create(subdomain=subdomain)
        problem_of(provision(request), request, 409, "subdomain_taken")


@pytest.mark.usefixtures("secrets")
def test_two_at_once_do_not_share_a_subdomain(start: Start) -> None:
    statuses = sorted(_at_once([start("provision") for _ in range(3)], lambda one: answer_of(one(create())).status))
    assert statuses == [201, 409, 409]


def _at_once(functions: list[Function], work: Callable[[Function], int]) -> list[int]:
    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(work, functions))


# ------------------------------------------------------------------------------------------------------------ refusals


def test_only_the_operator_provisions_looks_and_lists(
    provision: Function, acme: Provisioned, globex: Provisioned
) -> None:
    tenant = tenant_of(acme)
    refused: list[tuple[Event, int, str]] = [
        (called_by(create(subdomain="acme-2"), tenant), 403, "forbidden"),
        (called_by(listing(), tenant), 403, "forbidden"),
        (called_by(get(acme.organization.id), tenant), 403, "forbidden"),
        # That another organization exists is nothing that a tenant may learn.
        (called_by(get(globex.organization.id), tenant), 404, "not_found"),
        (called_by(get(uuid4()), tenant), 404, "not_found"),
    ]
    for request, status, code in refused:
        problem_of(provision(request), request, status, code)


def test_whoever_may_not_provision_is_refused_before_the_body_is_looked_at(
    provision: Function, acme: Provisioned
) -> None:
    request = called_by(with_body(sample("provision", "create"), {"tier": 5}), tenant_of(acme))
    assert answer_of(provision(request)).status in {403, 422}
    assert "platform" not in answer_of(provision(request)).document["message"]


def test_a_platform_key_with_an_organization_header_is_forbidden(provision: Function, acme: Provisioned) -> None:
    for request in (create(), listing(), get(acme.organization.id)):
        named = with_headers(request, x_organization_id=str(acme.organization.id))
        problem_of(provision(named), named, 403, "forbidden")


def test_a_header_or_host_of_another_organization_is_a_mismatch(
    provision: Function, acme: Provisioned, globex: Provisioned
) -> None:
    for headers in ({"x_organization_id": str(globex.organization.id)}, {"host": f"globex.{BASE_DOMAIN}"}):
        request = with_headers(called_by(get(acme.organization.id), tenant_of(acme)), **headers)
        problem_of(provision(request), request, 403, "tenant_mismatch")


def test_without_a_credential_that_lives_nobody_is_answered(provision: Function) -> None:
    bare = create()
    nobody = {**bare, "requestContext": {**bare["requestContext"], "authorizer": {"principalId": "x"}}}
    problem_of(provision(nobody), nobody, 401, "unauthenticated")
    ended = called_by(bare, replace(OPERATOR, expires_at=datetime.now(UTC)))
    problem_of(provision(ended), ended, 401, "unauthenticated")


def test_a_route_that_is_none_is_not_found(provision: Function) -> None:
    for method, path in (("GET", "/"), ("GET", "/organization"), ("PUT", "/organizations"), ("GET", "/usage")):
        request: dict[str, Any] = {**at(create(), path), "httpMethod": method}
        answer = answer_of(provision(request))
        problem_of(provision(request), request, answer.status, answer.document["code"])
        assert answer.status in {404, 405}


# -------------------------------------------------------------------------------------------------------------- stores


def test_without_the_database_nothing_is_made(start: Start, put_secret: PutSecret, nowhere: str) -> None:
    put_secret(PLATFORM_DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    provision = start("provision")
    for request in (create(), listing(), get(uuid4())):
        problem_of(provision(request), request, 503, "unavailable")
    assert boto3.client("apigateway", region_name=REGION).get_api_keys()["items"] == []
