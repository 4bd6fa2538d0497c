"""Persons that become members by single sign-on: made, invited, linked or refused."""

from datetime import UTC, datetime

import pytest

from tenancy.rules.people.member import MembershipChange, MemberStatus
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.sso.refusals import SsoFault
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.people.change_member import change_member
from tests.given import OPERATOR, Databases
from tests.handlers.functions import Function, LogLines, superuser
from tests.handlers.requests import answer_of
from tests.handlers.single_sign_on.browser import SsoBrowser, members_of, prove_domain, put_request, settings_of
from tests.handlers.single_sign_on.provider import Provider

ADA = "ada@acme.example"
INSERT_USER = """
    INSERT INTO users (id, organization_id, email, role, status, password_hash)
    VALUES (gen_random_uuid(), %s, %s, %s, %s, %s)
"""
INVITE = """
    INSERT INTO one_time_tokens (organization_id, id, user_id, purpose, created_at, expires_at)
    SELECT organization_id, gen_random_uuid(), id, 'invitation', now(), now() + interval '1 day' FROM users
    WHERE organization_id = %s AND email = %s
"""
DISABLE = "UPDATE users SET status = %s WHERE organization_id = %s AND email = %s"


def insert_user(
    databases: Databases, provisioned: Provisioned, email: str, role: str, status: str, password_hash: str | None = None
) -> None:
    with superuser(databases) as conn:
        conn.execute(INSERT_USER, (provisioned.organization.id, email, role, status, password_hash))


def set_status(databases: Databases, provisioned: Provisioned, status: str) -> None:
    with superuser(databases) as conn:
        conn.execute(DISABLE, (status, provisioned.organization.id, ADA))


def fault_of(logged: LogLines) -> str:
    return next(str(line["sso_fault"]) for line in reversed(logged()) if "sso_fault" in line)


def test_second_log_in_makes_no_second_member(
    browser: SsoBrowser, provider: Provider, databases: Databases, connected: Provisioned
) -> None:
    assert browser.log_in(provider).status == 200
    provider.person.email = "renamed@acme.example"

    assert browser.log_in(provider).status == 200

    assert [email for email, *_ in members_of(databases, connected) if email.startswith(("ada", "renamed"))] == [ADA]


def test_invitation_is_consumed_and_gives_its_role(
    browser: SsoBrowser, provider: Provider, databases: Databases, connected: Provisioned
) -> None:
    insert_user(databases, connected, ADA, "analyst", "invited")

    assert browser.log_in(provider).status == 200

    assert (ADA, "analyst", "active", False) in members_of(databases, connected)


def test_invitation_admits_an_address_of_any_domain(
    browser: SsoBrowser, provider: Provider, databases: Databases, connected: Provisioned
) -> None:
    insert_user(databases, connected, "guest@other.example", "viewer", "invited")
    provider.person.email = "guest@other.example"

    assert browser.log_in(provider).status == 200


def test_member_with_a_password_is_linked_by_a_proven_domain(
    browser: SsoBrowser, provider: Provider, databases: Databases, connected: Provisioned
) -> None:
    insert_user(databases, connected, ADA, "admin", "active", "a-hash")

    assert browser.log_in(provider).status == 200

    assert (ADA, "admin", "active", True) in members_of(databases, connected)


def test_member_with_a_password_is_not_linked_without_a_proof(
    browser: SsoBrowser, provider: Provider, databases: Databases, connected: Provisioned, logged: LogLines
) -> None:
    insert_user(databases, connected, "ada@unproven.example", "admin", "active", "a-hash")
    provider.person.email = "ada@unproven.example"

    assert browser.log_in(provider).status == 403
    assert fault_of(logged) == SsoFault.DOMAIN_UNPROVEN


def test_another_person_with_the_same_address_is_refused(
    browser: SsoBrowser, provider: Provider, logged: LogLines
) -> None:
    assert browser.log_in(provider).status == 200
    provider.person.subject = "subject-2"

    assert browser.log_in(provider).status == 403
    assert fault_of(logged) == SsoFault.OTHER_SUBJECT


@pytest.mark.parametrize(
    ("status", "fault"), [("disabled", SsoFault.MEMBER_DISABLED), ("removed", SsoFault.MEMBER_REMOVED)]
)
@pytest.mark.parametrize("subject", ["subject-1", "subject-2"])
def test_disabled_and_removed_members_stay_so(
    browser: SsoBrowser,
    provider: Provider,
    databases: Databases,
    connected: Provisioned,
    logged: LogLines,
    status: str,
    fault: SsoFault,
    subject: str,
) -> None:
    assert browser.log_in(provider).status == 200
    set_status(databases, connected, status)
    provider.person.subject = subject

    assert browser.log_in(provider).status == 403

    assert fault_of(logged) == fault
    assert (ADA, "viewer", status, False) in members_of(databases, connected)


def test_invited_person_returns_with_another_subject(
    browser: SsoBrowser, provider: Provider, databases: Databases, connected: Provisioned
) -> None:
    assert browser.log_in(provider).status == 200
    set_status(databases, connected, "invited")
    with superuser(databases) as conn:
        conn.execute(INVITE, (connected.organization.id, ADA))
    provider.person.subject = "subject-2"

    assert browser.log_in(provider).status == 200
    provider.person.subject = "subject-1"
    assert browser.log_in(provider).status == 403


def test_other_subject_of_an_invited_member_needs_a_live_invitation(
    browser: SsoBrowser, provider: Provider, databases: Databases, connected: Provisioned, logged: LogLines
) -> None:
    assert browser.log_in(provider).status == 200
    set_status(databases, connected, "invited")
    provider.person.subject = "subject-2"

    assert browser.log_in(provider).status == 403
    assert fault_of(logged) == SsoFault.OTHER_SUBJECT
    provider.person.subject = "subject-1"
    assert browser.log_in(provider).status == 200


@pytest.mark.parametrize(("subject", "status"), [("subject-1", 200), ("subject-2", 403)])
def test_disabled_member_that_is_enabled_again_is_the_same_person(
    browser: SsoBrowser,
    provider: Provider,
    databases: Databases,
    targets: OutboxTargets,
    connected: Provisioned,
    subject: str,
    status: int,
) -> None:
    assert browser.log_in(provider).status == 200
    with superuser(databases) as conn:
        [(user_id,)] = conn.execute("SELECT id FROM users WHERE email = %s", (ADA,)).fetchall()
    for wanted in (MemberStatus.DISABLED, MemberStatus.ACTIVE):
        change_member(
            databases.platform,
            targets,
            connected.organization.id,
            user_id,
            MembershipChange(status=wanted),
            permissions=PERMISSIONS,
            actor=OPERATOR,
            now=datetime.now(UTC),
        )
    provider.person.subject = subject

    assert (ADA, "viewer", "active", False) in members_of(databases, connected)
    assert browser.log_in(provider).status == status


def test_limit_of_users_refuses_a_new_member(
    browser: SsoBrowser, provider: Provider, databases: Databases, connected: Provisioned, logged: LogLines
) -> None:
    with superuser(databases) as conn:
        conn.execute(
            "UPDATE organizations SET overrides = '{\"users\": 1}' WHERE id = %s", (connected.organization.id,)
        )

    assert browser.log_in(provider).status == 403
    assert fault_of(logged) == SsoFault.NO_SEAT


def test_one_person_is_two_members_of_two_organizations(
    browser: SsoBrowser,
    sso: Function,
    provider: Provider,
    databases: Databases,
    connected: Provisioned,
    globex: Provisioned,
) -> None:
    """Both have the same provider. The subject is that of each organization, and so is the proof of the domain."""
    assert answer_of(sso(put_request(globex, settings_of(provider)))).status == 200
    assert browser.log_in(provider).status == 200
    other = SsoBrowser(sso=sso, identity=browser.identity, provisioned=globex)

    assert other.log_in(provider).status == 403
    prove_domain(databases, globex, "globex.example")
    provider.person.email = "ada@globex.example"
    assert other.log_in(provider).status == 200

    assert [email for email, *_ in members_of(databases, globex) if email.startswith("ada")] == ["ada@globex.example"]
    assert [email for email, *_ in members_of(databases, connected) if email.startswith("ada")] == [ADA]


def test_state_of_another_organization_is_refused(
    browser: SsoBrowser, sso: Function, provider: Provider, globex: Provisioned, logged: LogLines
) -> None:
    assert answer_of(sso(put_request(globex, settings_of(provider)))).status == 200
    other = SsoBrowser(sso=sso, identity=browser.identity, provisioned=globex)
    foreign = provider.authorize(other.start().headers["location"])
    own = provider.authorize(browser.start().headers["location"])

    refused = browser.come_back({**own, "state": foreign["state"]}, globex.organization.id)

    assert refused.status == 401
    assert fault_of(logged) == SsoFault.COOKIE_MISSING
