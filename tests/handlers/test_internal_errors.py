"""Unexpected errors, log lines without secrets, and preflight requests of browsers."""

import json

import pytest

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, LogLines, Start, superuser
from tests.handlers.requests import (
    OPERATOR,
    Event,
    answer_of,
    called_by,
    problem_of,
    recent_event,
    sample,
    segment_call,
    with_basic_auth,
    with_body,
    with_headers,
)

HTTP_FUNCTIONS = {
    "health": "check",
    "console": "page",
    "ingest": "events",
    "provision": "create",
    "usage": "usage",
}
PASSWORD = "correct horse battery staple"


@pytest.mark.parametrize(("function", "case"), HTTP_FUNCTIONS.items())
def test_preflight_needs_no_credential_and_no_store(start: Start, nowhere: str, function: str, case: str) -> None:
    asked = {**sample(function, case), "httpMethod": "OPTIONS", "body": None, "isBase64Encoded": False}
    for request in (asked, sample("ingest", "preflight")):
        unauthorized = {**request["requestContext"]}
        unauthorized.pop("authorizer", None)
        request["requestContext"] = unauthorized
        answer = answer_of(start(function, AWS_ENDPOINT_URL=f"http://{nowhere}")(request))

        assert answer.status in {200, 204}
        assert answer.body == ""
        allowed = answer.headers["access-control-allow-headers"].lower().replace(" ", "").split(",")
        assert {"authorization", "content-type", "x-retry-count", "anonymousid", "sentat"}.issubset(allowed)
        assert "POST" in answer.headers["access-control-allow-methods"]


def faulty_requests(databases: Databases, acme: Provisioned, start: Start) -> list[tuple[Function, Event]]:
    """Break the schema under running functions, in ways that no code handles."""
    ingest, provision, usage = start("ingest"), start("provision"), start("usage")
    with superuser(databases) as conn:
        conn.execute("ALTER TABLE organizations RENAME COLUMN name TO title_of_acme")
        conn.execute("ALTER TABLE tenant_usage RENAME TO gone")
        conn.execute("ALTER TABLE settlements RENAME TO gone_too")
        conn.execute("DROP FUNCTION find_key_holder")
    segment = with_basic_auth(
        with_body(sample("ingest", "segment_batch"), {"batch": [segment_call(1)]}), acme.write_key
    )
    return [
        (provision, called_by(sample("provision", "create"), OPERATOR)),
        (provision, called_by(sample("provision", "list"), OPERATOR)),
        (usage, called_by(sample("usage", "usage"), tenant_of(acme))),
        (usage, called_by(sample("usage", "stats"), tenant_of(acme))),
        (ingest, segment),
    ]


@pytest.mark.usefixtures("secrets")
def test_unexpected_error_is_a_500_without_internals(
    start: Start, databases: Databases, acme: Provisioned, logged: LogLines
) -> None:
    for function, request in faulty_requests(databases, acme, start):
        answer = answer_of(function(request))
        problem = problem_of(function(request), request, 500, "internal")
        assert problem["message"] == problem["title"]

        for internal in ("psycopg", "SELECT", "title_of_acme", "Traceback", "tenancy", "/", "Undefined"):
            assert internal not in answer.body.replace(problem["instance"], "").replace("application/", "")

    faults = [line for line in logged() if line.get("level") == "ERROR"]

    assert len(faults) == 10
    assert all(line["request_id"] for line in faults)
    assert any("UndefinedColumn" in json.dumps(line) for line in faults)


def requests_with_secrets(start: Start, acme: Provisioned) -> list[tuple[Function, Event]]:
    """Return requests that have a secret in a header, a path or a body: accepted ones and refused ones."""
    ingest, provision = start("ingest"), start("provision")
    events = called_by(with_body(sample("ingest", "events"), {"events": [recent_event(1)]}), tenant_of(acme))
    settings, write_key = sample("ingest", "segment_settings"), acme.write_key.text
    batches = [
        with_body(sample("ingest", "segment_batch"), {"batch": [call], "writeKey": write_key})
        for call in (segment_call(1), 5)
    ]
    create = called_by(sample("provision", "create"), OPERATOR)
    return [
        (ingest, with_headers(events, authorization=f"Bearer {acme.secret_key.text}")),
        (ingest, {**settings, "path": f"/projects/{write_key}/settings"}),
        *((ingest, batch) for batch in batches),
        (provision, {**create, "body": create["body"].replace('"acme"', '"globex"')}),
        (provision, create),
    ]


def break_inserts_of_users(databases: Databases) -> None:
    """Let every insert fail. The driver's error quotes the row."""
    with superuser(databases) as conn:
        conn.execute("ALTER TABLE users ADD CONSTRAINT no_user CHECK (email = '') NOT VALID")


@pytest.mark.usefixtures("secrets")
def test_log_has_ids_and_no_secret_body_or_address(
    start: Start, databases: Databases, acme: Provisioned, logged: LogLines
) -> None:
    requests = requests_with_secrets(start, acme)
    provision, create = requests[-1]
    failing = [{**create, "body": create["body"].replace('"acme"', f'"globex-{number}"')} for number in (2, 3)]
    authorizer, secret = start("authorizer"), f"Bearer {acme.secret_key.text}"

    seen = authorizer(with_headers(sample("authorizer", "secret_key"), authorization=secret))
    statuses = [answer_of(function(request)).status for function, request in requests]
    break_inserts_of_users(databases)
    statuses += [answer_of(provision(request)).status for request in failing]

    text = json.dumps(logged())
    secrets = [acme.secret_key.text, acme.write_key.text, PASSWORD, databases.servers.credentials.platform]
    for hidden in (*secrets, acme.admin_email, "Order Completed"):
        assert hidden not in text
    answered = [line for line in logged() if "status" in line]
    assert [line["status"] for line in answered] == statuses
    assert answered[0]["organization_id"] == str(acme.organization.id)
    assert answered[0]["credential_id"] == str(tenant_of(acme).credential_id)
    assert answered[1]["route"] == "/projects/{writeKey}/settings"
    assert all(line["request_id"] for line in answered)
    assert seen["principalId"] in text


def test_invalid_base64_body_is_malformed(start: Start) -> None:
    request = {**sample("ingest", "segment_batch"), "body": "***", "isBase64Encoded": True}
    answer = answer_of(start("ingest")(request))

    assert (answer.status, answer.document["code"]) == (400, "malformed_request")


def test_each_answer_has_its_own_request_id(start: Start) -> None:
    health = start("health")
    for request_id in ("first", "second"):
        request = sample("health", "check")
        request["requestContext"]["requestId"] = request_id
        assert answer_of(health(request)).headers["x-request-id"] == request_id
