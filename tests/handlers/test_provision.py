"""POST /v1/organizations: the keys work at once, and only the operator may provision."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import boto3
import psycopg
import pytest

from tenancy.rules.keys.api_keys import KeyType, find_key
from tenancy.rules.organization import RESERVED_SUBDOMAINS
from tenancy.rules.permissions import EVENTS_WRITE, SECRET_KEY_PERMISSIONS
from tenancy.rules.tenant import Tenant
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.secrets import PLATFORM_DATABASE
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import PASSWORD, REGION, AwsAccount, Databases, sold, tenant_of
from tests.handlers.functions import Function, PutSecret, Start
from tests.handlers.organization_requests import create_request, get_request, list_request
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    called_by,
    caller_in,
    problem_of,
    sample,
    segment_call,
    to_authorizer,
    with_body,
    with_headers,
    with_path,
)


@pytest.fixture
def provision(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("provision")


def test_sample_provisions_an_organization(provision: Function, aws: AwsAccount) -> None:
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
        "entitlements": dict(sold(Tier.GROWTH).values),
        "overrides": {},
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


def test_new_keys_work_at_once(provision: Function, start: Start) -> None:
    document = answer_of(provision(create_request())).document
    organization_id = UUID(document["organization"]["id"])
    authorizer, ingest = start("authorizer"), start("ingest")
    scopes = {KeyType.SECRET: SECRET_KEY_PERMISSIONS, KeyType.WRITE: {EVENTS_WRITE}}

    for key in map(find_key, (document["write_key"], document["secret_key"])):
        assert key is not None
        answer = authorizer(to_authorizer(f"Bearer {key.text}"))
        caller = caller_in(answer)
        assert isinstance(caller, Tenant)
        assert (caller.organization_id, caller.scopes) == (organization_id, scopes[key.type])
        assert caller.subdomain == "acme"
        assert answer["usageIdentifierKey"] == f"organization-{organization_id}-1"

    body = {"batch": [segment_call(1)], "writeKey": document["write_key"]}
    assert answer_of(ingest(with_body(sample("ingest", "segment_batch"), body))).status == 200


def test_keys_and_password_are_stored_as_digests_only(provision: Function, databases: Databases) -> None:
    document = answer_of(provision(with_headers(create_request(), idempotency_key="order-1"))).document
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name) as conn:
        rows = conn.execute("SELECT to_jsonb(users)::text FROM users").fetchall()
        rows += conn.execute("SELECT to_jsonb(api_keys)::text FROM api_keys").fetchall()
        rows += conn.execute("SELECT to_jsonb(outbox)::text FROM outbox").fetchall()
        rows += conn.execute("SELECT to_jsonb(requests)::text FROM provisioning_requests AS requests").fetchall()
    stored = " ".join(text for (text,) in rows)

    assert "$argon2id$v=19$m=19456,t=2,p=1$" in stored

    for secret in (PASSWORD, document["write_key"], document["secret_key"]):
        assert str(secret) not in stored
        assert str(secret)[3:20] not in stored


def test_same_idempotency_key_gets_the_same_answer(provision: Function) -> None:
    request = with_headers(create_request(), idempotency_key="order-1")

    first, again = answer_of(provision(request)), answer_of(provision(request))

    assert (first.status, again.status, again.body) == (201, 201, first.body)

    for changes in ({"name": "Globex"}, {"admin_password": "another horse battery staple"}):
        other = with_headers(create_request(**changes), idempotency_key="order-1")
        problem_of(provision(other), other, 422, "idempotency_key_reused")

    other = with_headers(create_request(subdomain="globex"), idempotency_key="order-2")
    assert answer_of(provision(other)).document["organization"]["subdomain"] == "globex"


def test_common_password_is_refused_and_not_shown(provision: Function) -> None:
    request = create_request(admin_password="Password-2026")

    [error] = problem_of(provision(request), request, 422, "invalid")["errors"]

    assert (error["location"], error["code"]) == ("body/admin_password", "too_common")
    assert "Password-2026" not in answer_of(provision(request)).body


def test_only_the_first_answer_shows_the_keys(provision: Function) -> None:
    created = answer_of(provision(create_request())).document
    answered = [get_request(created["organization"]["id"]), list_request()]
    refused = [create_request(), create_request(tier="platinum"), get_request(uuid4())]

    bodies = [answer_of(provision(request)).body for request in (*answered, *refused)]

    for secret in (created["write_key"], created["secret_key"], PASSWORD):
        assert not [body for body in bodies if secret in body]


def test_subdomain_belongs_to_one_organization(provision: Function, databases: Databases) -> None:
    assert answer_of(provision(create_request())).status == 201

    for subdomain in ("acme", "ACME"):
        request = create_request(name="Globex", subdomain=subdomain, admin_email="admin@globex.example")
        problem_of(provision(request), request, 409, "subdomain_taken")

    with databases.platform.transaction() as conn:
        assert conn.execute("SELECT name FROM organizations").fetchall() == [("Acme",)]


def test_reserved_subdomain_is_taken(provision: Function) -> None:
    for subdomain in sorted(RESERVED_SUBDOMAINS)[:5]:
        request = create_request(subdomain=subdomain)
        problem_of(provision(request), request, 409, "subdomain_taken")


@pytest.mark.usefixtures("secrets")
def test_concurrent_requests_do_not_share_a_subdomain(start: Start) -> None:
    functions = [start("provision") for _ in range(3)]

    with ThreadPoolExecutor(len(functions)) as pool:
        answers = list(pool.map(lambda provision: answer_of(provision(create_request())), functions))

    assert sorted(answer.status for answer in answers) == [201, 409, 409]


# ------------------------------------------------------------------------------------------------------------ refusals


def test_organization_routes_need_a_platform_key(provision: Function, acme: Provisioned, globex: Provisioned) -> None:
    tenant = tenant_of(acme)
    refused: list[tuple[Event, int, str]] = [
        (called_by(create_request(subdomain="acme-2"), tenant), 403, "forbidden"),
        (called_by(list_request(), tenant), 403, "forbidden"),
        (called_by(get_request(acme.organization.id), tenant), 403, "forbidden"),
        # A tenant must not learn that another organization exists.
        (called_by(get_request(globex.organization.id), tenant), 404, "not_found"),
        (called_by(get_request(uuid4()), tenant), 404, "not_found"),
    ]

    for request, status, code in refused:
        problem_of(provision(request), request, status, code)


def test_platform_key_with_an_organization_header_is_403(provision: Function, acme: Provisioned) -> None:
    for request in (create_request(), list_request(), get_request(acme.organization.id)):
        named = with_headers(request, x_organization_id=str(acme.organization.id))
        problem_of(provision(named), named, 403, "forbidden")


def test_missing_or_expired_credential_is_401(provision: Function) -> None:
    bare = create_request()
    anonymous = {**bare, "requestContext": {**bare["requestContext"], "authorizer": {"principalId": "x"}}}

    problem_of(provision(anonymous), anonymous, 401, "unauthenticated")

    ended = called_by(bare, replace(OPERATOR, expires_at=datetime.now(UTC)))
    problem_of(provision(ended), ended, 401, "unauthenticated")


def test_unknown_route_is_404(provision: Function) -> None:
    for method, path in (("GET", "/"), ("GET", "/organization"), ("PUT", "/organizations"), ("GET", "/usage")):
        request: dict[str, Any] = {**with_path(create_request(), path), "httpMethod": method}
        answer = answer_of(provision(request))
        problem_of(provision(request), request, answer.status, answer.document["code"])
        assert answer.status in {404, 405}


# -------------------------------------------------------------------------------------------------------------- stores


def test_unreachable_database_is_503_and_nothing_is_made(start: Start, put_secret: PutSecret, nowhere: str) -> None:
    put_secret(PLATFORM_DATABASE, f"postgresql://nobody:nothing@{nowhere}/tenancy")
    provision = start("provision")

    for request in (create_request(), list_request(), get_request(uuid4())):
        problem_of(provision(request), request, 503, "unavailable")

    assert boto3.client("apigateway", region_name=REGION).get_api_keys()["items"] == []
