"""Public routes of a resolver: a small body, and the organization that the request names."""

import json
from typing import Any
from uuid import UUID

import pytest

from tenancy.gateway.bodies import MAX_VALUES
from tenancy.gateway.resolver import MAX_PUBLIC_BODY_BYTES, MAX_QUERY_MEMBERS, api, handler_of, named_by
from tenancy.gateway.rights import for_public
from tenancy.rules.host_names import PlatformHosts
from tests.handlers.requests import Event, answer_of, problem_of

UNUSED: Any = None
CONTEXT = {"requestId": "41d6558d-f87f-4729-9630-fe0413541091", "path": "/v1/auth/token"}
ACME, GLOBEX = (UUID(f"0c000000-0000-4000-8000-0000000000{digits}") for digits in ("a1", "b2"))

app = api()


@app.post("/auth/token")
@for_public
def names() -> dict[str, object]:
    """Answer with the names of organizations in the request."""
    named = named_by(app, "globex")
    return {"ids": sorted(map(str, named.ids)), "subdomains": sorted(named.subdomains)}


HOSTS = PlatformHosts(base_domain="tenancy.example")
handler = handler_of(app, hosts=HOSTS, domain_owners=UNUSED, upgrade_url=None, trail=UNUSED, gate=UNUSED)


def post(body: str | None = None, **changes: Any) -> Event:  # noqa: ANN401 - members of an event
    headers = {"host": "api.tenancy.example", **changes.pop("headers", {})}
    path = {"path": "/auth/token", "resource": "/auth/token"}
    return {"httpMethod": "POST", **path, "headers": headers, "body": body, "requestContext": CONTEXT, **changes}


def test_public_route_needs_no_caller() -> None:
    answer = answer_of(handler(post(), None))

    assert (answer.status, answer.document) == (200, {"ids": [], "subdomains": ["globex"]})


def test_names_come_from_header_host_query_and_body() -> None:
    request = post(
        json.dumps({"organization_id": str(ACME)}),
        headers={"x-organization-id": str(GLOBEX), "host": "acme.tenancy.example"},
    )

    answer = answer_of(handler(request, None))

    assert answer.document == {"ids": [str(ACME), str(GLOBEX)], "subdomains": ["acme", "globex"]}


def test_names_are_forgotten_after_the_request() -> None:
    handler(post(headers={"x-organization-id": str(ACME)}), None)

    assert answer_of(handler(post(), None)).document["ids"] == []


@pytest.mark.parametrize("is_base64", [False, True])
def test_body_past_the_bound_is_refused_before_it_is_read(is_base64: bool) -> None:  # noqa: FBT001
    request = post("A" * 2 * MAX_PUBLIC_BODY_BYTES, isBase64Encoded=is_base64)

    problem_of(handler(request, None), request, 413, "too_large")


def test_body_that_is_no_json_is_refused() -> None:
    request = post("{")

    problem_of(handler(request, None), request, 400, "malformed_request")


def test_body_with_too_many_members_is_refused() -> None:
    request = post(json.dumps({"": [1] * MAX_VALUES}))

    problem_of(handler(request, None), request, 422, "invalid")


def test_query_with_too_many_members_is_refused() -> None:
    query = {f"m{number}": "" for number in range(MAX_QUERY_MEMBERS + 1)}
    request = post(queryStringParameters=query)

    problem_of(handler(request, None), request, 422, "invalid")
