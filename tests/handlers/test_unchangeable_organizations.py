"""Routes of operators change no organization that is deleted, being erased or erased.

Every route of operators that names an organization is called, so a new route is covered at once.
"""

import pytest

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.functions import Start, superuser
from tests.handlers.requests import OPERATOR, Event, answer_of, called_by, problem_of, with_path
from tests.handlers.strict_routes import StrictRoute, strict_routes

NAMED = "{organization_id}"
# They are for deleted organizations, and have refusals of their own.
OF_DELETIONS = {"DELETE /organizations/{organization_id}", "POST /organizations/{organization_id}/restore"}
CHANGES = [
    each for each in strict_routes() if NAMED in each.path and each.method != "GET" and str(each) not in OF_DELETIONS
]
STATUSES = [
    ("deleted", 409, "transition_not_allowed"),
    ("erasing", 409, "transition_not_allowed"),
    ("erased", 410, "erased"),
]
INSERT_USER = """
    INSERT INTO users (id, organization_id, email, role, status)
    VALUES (gen_random_uuid(), %s, 'new.member@acme.example', 'viewer', 'invited') RETURNING id
"""
SNAPSHOT = """
    SELECT (SELECT json_agg(u ORDER BY u.id)::text FROM users AS u),
           (SELECT json_agg(k ORDER BY k.id)::text FROM api_keys AS k),
           (SELECT json_agg(o ORDER BY o.id)::text FROM organizations AS o),
           (SELECT count(*) FROM one_time_tokens), (SELECT count(*) FROM audit_log), (SELECT count(*) FROM outbox)
"""


def request_of(route: StrictRoute, acme: Provisioned, user_id: object) -> Event:
    """Return the request of an operator, with the ids of acme, its write key and its invited member."""
    ids = {
        **(route.sample["pathParameters"] or {}),
        "organization_id": str(acme.organization.id),
        "key_id": str(acme.write_key_id),
        "user_id": str(user_id),
    }
    parameters = {name: value for name, value in ids.items() if f"{{{name}}}" in route.path}
    path = route.path
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", value)
    return called_by({**with_path(route.sample, path, route.path), "pathParameters": parameters}, OPERATOR)


def snapshot(databases: Databases) -> object:
    with superuser(databases) as conn:
        return conn.execute(SNAPSHOT).fetchall()


@pytest.mark.parametrize(("status", "refusal", "code"), STATUSES)
@pytest.mark.parametrize("route", CHANGES, ids=str)
def test_operator_changes_no_organization_under_erasure(
    start: Start,
    secrets: None,  # noqa: ARG001
    databases: Databases,
    acme: Provisioned,
    route: StrictRoute,
    status: str,
    refusal: int,
    code: str,
) -> None:
    with superuser(databases) as conn:
        [(user_id,)] = conn.execute(INSERT_USER, (acme.organization.id,)).fetchall()
        conn.execute("UPDATE organizations SET status = %s WHERE id = %s", (status, acme.organization.id))
    request, before = request_of(route, acme, user_id), snapshot(databases)

    problem_of(start(route.function)(request), request, refusal, code)

    assert snapshot(databases) == before


def test_routes_of_members_and_keys_are_walked() -> None:
    assert {each.function for each in CHANGES} >= {"members", "keys", "provision"}


def test_operator_changes_an_active_organization(
    start: Start,
    secrets: None,  # noqa: ARG001
    databases: Databases,
    acme: Provisioned,
) -> None:
    """The requests of the test above are refused for the status alone."""
    with superuser(databases) as conn:
        [(user_id,)] = conn.execute(INSERT_USER, (acme.organization.id,)).fetchall()

    for route in CHANGES:
        if route.function in {"members", "keys"}:
            assert answer_of(start(route.function)(request_of(route, acme, user_id))).status in {200, 204, 409}
