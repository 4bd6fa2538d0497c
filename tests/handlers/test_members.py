"""Routes of members: for their own organization, and for the operator."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tenancy.rules.permissions import PERMISSIONS, ROLES, USERS_READ, USERS_WRITE
from tenancy.rules.tenant import Caller
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import Function, Mails, Start, superuser
from tests.handlers.requests import (
    OPERATOR,
    Answer,
    Event,
    answer_of,
    called_by,
    problem_of,
    sample,
    with_body,
    with_headers,
    with_path,
    with_query,
)

EVERY_MINUTE = sample("sweep", "every_minute")
ADDRESS = "new.member@acme.example"
WITH_ID = ("change_role", "disable", "remove", "invite_again")
FOR_OPERATORS = ("list_for_operator", "disable_for_operator", "invite_again_for_operator")


@pytest.fixture
def members(start: Start, secrets: None) -> Function:  # noqa: ARG001
    return start("members")


def request_of(case: str, caller: Caller, provisioned: Provisioned, user_id: object = None) -> Event:
    """Return the sample *case* with the ids of an organization and of its member."""
    request = sample("members", case)
    ids = {"organization_id": str(provisioned.organization.id), "user_id": str(user_id)}
    parameters = {name: ids[name] for name in request["pathParameters"] or {}}
    path = request["resource"]
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", value)
    request = {**with_path(request, path, request["resource"]), "pathParameters": parameters or None}
    return called_by(request, caller)


def invite(members: Function, provisioned: Provisioned, email: str = ADDRESS, role: str = "viewer") -> dict[str, Any]:
    """Invite a member, and return the answer's document."""
    request = with_body(request_of("invite", tenant_of(provisioned), provisioned), {"email": email, "role": role})
    answer = answer_of(members(request))
    assert answer.status == 201
    return dict(answer.document)


def activate(databases: Databases, user_id: object) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE users SET status = 'active', password_hash = 'argon2' WHERE id = %s", (user_id,))


def listed(members: Function, provisioned: Provisioned, **query: str) -> Answer:
    return answer_of(members(with_query(request_of("list", tenant_of(provisioned), provisioned), **query)))


def test_invited_member_is_listed_and_gets_a_mail(
    members: Function, start: Start, acme: Provisioned, mails: Mails
) -> None:
    answer = invite(members, acme, email="New.Member@Acme.Example", role="analyst")

    assert {name: value for name, value in answer.items() if name not in {"id", "created_at"}} == {
        "email": ADDRESS,
        "name": None,
        "role": "analyst",
        "status": "invited",
        "last_signed_in_at": None,
    }
    assert listed(members, acme).document["data"][0] == answer

    start("sweep")(EVERY_MINUTE)
    assert mails()[-1] == (ADDRESS, "You are invited to Acme")


def test_members_are_listed_in_pages_newest_first(members: Function, acme: Provisioned, globex: Provisioned) -> None:
    invited = [invite(members, acme, email=f"member-{number}@acme.example")["id"] for number in range(4)]
    invite(members, globex)

    first = listed(members, acme, limit="3").document
    second = listed(members, acme, limit="3", cursor=first["pagination"]["next_cursor"]).document

    assert [each["id"] for each in first["data"]] == [invited[3], invited[2], invited[1]]
    assert [each["id"] for each in second["data"]] == [invited[0], str(acme.admin_user_id)]
    assert second["pagination"] == {"next_cursor": None, "has_more": False}


def test_cursor_of_another_organization_is_422(members: Function, acme: Provisioned, globex: Provisioned) -> None:
    invite(members, acme)
    cursor = listed(members, acme, limit="1").document["pagination"]["next_cursor"]

    request = with_query(request_of("list", tenant_of(globex), globex), cursor=cursor)

    problem_of(members(request), request, 422, "invalid")


def test_member_is_changed_and_removed(members: Function, databases: Databases, acme: Provisioned) -> None:
    member = invite(members, acme)
    activate(databases, member["id"])

    for case, changed in (("change_role", {"role": "analyst"}), ("disable", {"status": "disabled"})):
        answer = answer_of(members(request_of(case, tenant_of(acme), acme, member["id"])))
        assert (answer.status, {name: answer.document[name] for name in changed}) == (200, changed)

    removed = answer_of(members(request_of("remove", tenant_of(acme), acme, member["id"])))
    assert (removed.status, removed.body) == (204, "")
    assert [each["id"] for each in listed(members, acme).document["data"]] == [str(acme.admin_user_id)]


def test_disabled_member_becomes_active_again(members: Function, databases: Databases, acme: Provisioned) -> None:
    member = invite(members, acme)
    activate(databases, member["id"])
    members(request_of("disable", tenant_of(acme), acme, member["id"]))

    request = with_body(request_of("disable", tenant_of(acme), acme, member["id"]), {"status": "active"})

    assert answer_of(members(request)).document["status"] == "active"


def test_member_of_another_organization_is_404(
    members: Function, acme: Provisioned, globex: Provisioned, subtests: pytest.Subtests
) -> None:
    member = invite(members, globex)
    for case in WITH_ID:
        with subtests.test(case):
            request, unknown = (request_of(case, tenant_of(acme), acme, each) for each in (member["id"], uuid4()))
            foreign = problem_of(members(request), request, 404, "not_found")
            assert foreign["detail"] == problem_of(members(unknown), unknown, 404, "not_found")["detail"]
    assert listed(members, globex).document["data"][0] == member


def test_last_super_admin_is_409(members: Function, acme: Provisioned, subtests: pytest.Subtests) -> None:
    for case, caller in (
        ("change_role", tenant_of(acme)),
        ("disable", tenant_of(acme)),
        ("remove", tenant_of(acme)),
        ("disable_for_operator", OPERATOR),
    ):
        with subtests.test(case):
            request = request_of(case, caller, acme, acme.admin_user_id)
            problem_of(members(request), request, 409, "last_super_admin")


def test_address_of_a_member_is_409(members: Function, acme: Provisioned) -> None:
    invite(members, acme)

    request = with_body(request_of("invite", tenant_of(acme), acme), {"email": ADDRESS.upper(), "role": "admin"})

    assert "invited" in problem_of(members(request), request, 409, "conflict")["detail"]


def test_user_past_the_limit_is_402(members: Function, acme: Provisioned) -> None:
    for number in range(4):
        invite(members, acme, email=f"member-{number}@acme.example")

    request = request_of("invite", tenant_of(acme), acme)

    problem = problem_of(members(request), request, 402, "quota_exceeded")
    assert (problem["metric"], problem["limit"], problem["used"]) == ("users", 5, 5)


def test_repeated_invitation_gets_the_same_answer(members: Function, acme: Provisioned) -> None:
    request = with_headers(request_of("invite", tenant_of(acme), acme), idempotency_key="invite-1")

    answers = [answer_of(members(request)) for _ in range(2)]

    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].document == answers[1].document
    other = with_body(request, {"email": ADDRESS, "role": "admin"})
    problem_of(members(other), other, 422, "idempotency_key_reused")


@pytest.mark.parametrize("case", ["invite", *WITH_ID])
def test_write_routes_need_users_write(members: Function, acme: Provisioned, case: str) -> None:
    request = request_of(case, tenant_of(acme, scopes=PERMISSIONS - {USERS_WRITE}), acme, acme.admin_user_id)

    assert USERS_WRITE in problem_of(members(request), request, 403, "forbidden")["detail"]


def test_list_needs_users_read(members: Function, acme: Provisioned) -> None:
    request = request_of("list", tenant_of(acme, scopes=PERMISSIONS - {USERS_READ}), acme)

    assert USERS_READ in problem_of(members(request), request, 403, "forbidden")["detail"]


def test_role_past_the_callers_permissions_is_403(members: Function, acme: Provisioned) -> None:
    admin = tenant_of(acme, scopes=ROLES["admin"])
    wanted = {"email": ADDRESS, "role": "super_admin"}

    for request in (
        with_body(request_of("invite", admin, acme), wanted),
        request_of("change_role", admin, acme, acme.admin_user_id),
        request_of("remove", admin, acme, acme.admin_user_id),
    ):
        assert "organization:delete, sso:write" in problem_of(members(request), request, 403, "forbidden")["detail"]


@pytest.mark.parametrize("case", FOR_OPERATORS)
def test_operators_routes_are_not_for_tenants(
    members: Function, acme: Provisioned, globex: Provisioned, case: str
) -> None:
    own = request_of(case, tenant_of(acme), acme, acme.admin_user_id)
    foreign = request_of(case, tenant_of(acme), globex, globex.admin_user_id)

    problem_of(members(own), own, 403, "forbidden")
    problem_of(members(foreign), foreign, 404, "not_found")


def test_operator_lists_disables_and_invites_again(
    members: Function, start: Start, databases: Databases, acme: Provisioned, mails: Mails
) -> None:
    active, invited = (invite(members, acme, email=f"{name}@acme.example") for name in ("active", "invited"))
    activate(databases, active["id"])

    disabled = answer_of(members(request_of("disable_for_operator", OPERATOR, acme, active["id"])))
    again = answer_of(members(request_of("invite_again_for_operator", OPERATOR, acme, invited["id"])))
    answer = answer_of(members(request_of("list_for_operator", OPERATOR, acme)))

    assert (disabled.status, again.status, again.document) == (204, 200, invited)
    assert [(each["email"], each["status"]) for each in answer.document["data"]] == [
        ("invited@acme.example", "invited"),
        ("active@acme.example", "disabled"),
        ("admin@acme.example", "active"),
    ]
    start("sweep")(EVERY_MINUTE)
    assert [address for address, _ in mails()].count("invited@acme.example") == 1
    assert "ot_" not in disabled.body + again.body + answer.body


def test_operator_finds_no_member_of_another_organization(
    members: Function, acme: Provisioned, globex: Provisioned
) -> None:
    member = invite(members, globex)

    for case in ("disable_for_operator", "invite_again_for_operator"):
        request = request_of(case, OPERATOR, acme, member["id"])
        problem_of(members(request), request, 404, "not_found")


def test_members_of_an_erased_organization_are_410(members: Function, databases: Databases, acme: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute("UPDATE organizations SET status = 'erased'")

    request = request_of("list_for_operator", OPERATOR, acme)

    problem_of(members(request), request, 410, "erased")


@pytest.mark.parametrize(
    ("case", "body", "location"),
    [
        ("invite", {"email": "no address", "role": "viewer"}, "body/email"),
        ("invite", {"email": ADDRESS, "role": "owner"}, "body/role"),
        ("invite", {"email": ADDRESS}, "body/role"),
        ("change_role", {}, "body"),
        ("change_role", {"role": None}, "body/role"),
        ("change_role", {"status": "removed"}, "body/status"),
        ("change_role", {"status": "invited"}, "body/status"),
        ("change_role", {"role": "viewer", "email": ADDRESS}, "body/email"),
    ],
)
def test_invalid_member_is_422(
    members: Function, acme: Provisioned, case: str, body: dict[str, object], location: str
) -> None:
    request = with_body(request_of(case, tenant_of(acme), acme, acme.admin_user_id), body)

    errors = problem_of(members(request), request, 422, "invalid")["errors"]

    assert [error["location"] for error in errors] == [location]


def test_answer_and_log_have_no_address_or_token(
    members: Function, acme: Provisioned, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    member = invite(members, acme)
    members(request_of("invite_again", tenant_of(acme), acme, member["id"]))

    assert logged()
    assert ADDRESS not in str(logged())
