"""GET /v1/organizations, and one organization, as the operator reads them."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.given import Databases
from tests.handlers.functions import Function, Start
from tests.handlers.organization_requests import create_request, get_request, list_request
from tests.handlers.requests import answer_of, problem_of, sample

INSERT_ORGANIZATION = """
    INSERT INTO organizations (id, name, subdomain, tier, gateway_key, created_at, status)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


@pytest.fixture
def provision(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("provision")


def test_operator_gets_an_organization(provision: Function) -> None:
    created = answer_of(provision(create_request())).document["organization"]

    for path in ("", "/v1"):
        request = get_request(created["id"])
        answer = answer_of(provision({**request, "path": f"{path}{request['path']}"}))
        assert (answer.status, answer.document) == (200, created)


def test_unknown_organization_is_404(provision: Function) -> None:
    request = get_request(uuid4())
    problem_of(provision(request), request, 404, "not_found")
    problem_of(provision(sample("provision", "get")), sample("provision", "get"), 404, "not_found")


def test_organizations_are_listed_in_pages_newest_first(provision: Function, databases: Databases) -> None:
    names = ["acme", "globex", *(f"acme-{number}" for number in range(5))]
    with databases.platform.transaction() as conn:
        for number, name in enumerate(names):
            created_at = datetime(2026, 11, 1 + number // 3, tzinfo=UTC)
            tier, status = "starter" if number % 2 else "growth", "suspended" if number == 6 else "active"
            gateway_key = f"organization-of-the-name-{name}"
            conn.execute(INSERT_ORGANIZATION, (uuid4(), name, name, tier, gateway_key, created_at, status))

    seen: list[str] = []
    query: dict[str, str] = {"limit": "3"}
    sizes = []
    while True:
        document = answer_of(provision(list_request(**query))).document
        seen += [organization["subdomain"] for organization in document["data"]]
        sizes.append(len(document["data"]))
        assert document["pagination"]["has_more"] == (document["pagination"]["next_cursor"] is not None)
        if not document["pagination"]["has_more"]:
            break
        query["cursor"] = document["pagination"]["next_cursor"]

    assert sizes == [3, 3, 1]
    assert sorted(seen) == sorted(names)
    assert set(seen[:1]) == {"acme-4"}
    assert set(seen[-3:]) == set(names[:3])

    def subdomains(**query: str) -> list[str]:
        return [entry["subdomain"] for entry in answer_of(provision(list_request(**query))).document["data"]]

    assert subdomains(status="suspended") == ["acme-4"]
    assert set(subdomains(tier="starter")) == {"globex", "acme-1", "acme-3"}
    assert subdomains(tier="starter", status="suspended") == []
    assert len(subdomains()) == len(names)
