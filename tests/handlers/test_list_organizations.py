"""Organizations as the operator looks at them: one, or all, newest first."""

from datetime import UTC, datetime
from uuid import uuid4

from tests.given import Databases
from tests.handlers.functions import Function
from tests.handlers.requests import (
    answer_of,
    problem_of,
    sample,
)
from tests.handlers.test_provision import create, get, listing, provision

__all__ = ["provision"]  # a fixture that is shared with provisioning's own tests


def test_an_organization_can_be_looked_at(provision: Function) -> None:
    created = answer_of(provision(create())).document["organization"]
    for path in ("", "/v1"):
        request = get(created["id"])
        answer = answer_of(provision({**request, "path": f"{path}{request['path']}"}))
        assert (answer.status, answer.document) == (200, created)


def test_an_organization_that_is_not_there_is_not_found(provision: Function) -> None:
    request = get(uuid4())
    problem_of(provision(request), request, 404, "not_found")
    problem_of(provision(sample("provision", "get")), sample("provision", "get"), 404, "not_found")


def test_organizations_are_listed_newest_first_a_page_at_a_time(provision: Function, databases: Databases) -> None:
    names = ["acme", "globex", *(f"acme-{number}" for number in range(5))]
    with databases.platform.transaction() as conn:
        for number, name in enumerate(names):
            conn.execute(
                "INSERT INTO organizations (id, name, subdomain, tier, gateway_key, created_at, status) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (
                    uuid4(),
                    name,
                    name,
                    "starter" if number % 2 else "growth",
                    f"organization-of-the-name-{name}",
                    datetime(2026, 11, 1 + number // 3, tzinfo=UTC),
                    "suspended" if number == 6 else "active",
                ),
            )
    seen: list[str] = []
    query: dict[str, str] = {"limit": "3"}
    sizes = []
    while True:
        document = answer_of(provision(listing(**query))).document
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
        return [entry["subdomain"] for entry in answer_of(provision(listing(**query))).document["data"]]

    assert subdomains(status="suspended") == ["acme-4"]
    assert set(subdomains(tier="starter")) == {"globex", "acme-1", "acme-3"}
    assert subdomains(tier="starter", status="suspended") == []
    assert len(subdomains()) == len(names)
