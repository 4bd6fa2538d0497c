"""Persons that become members by single sign-on: made, invited, linked or refused."""

import pytest

from tenancy.rules.sso.refusals import SsoFault
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.handlers.functions import Function, LogLines, superuser
from tests.handlers.requests import answer_of
from tests.handlers.single_sign_on.browser import SsoBrowser, members_of, prove_domain, put_request, settings_of
from tests.handlers.single_sign_on.provider import Provider

ADA = "ada@acme.example"
INSERT_USER = """
    INSERT INTO users (id, organization_id, email, role, status, password_hash)
    VALUES (gen_random_uuid(), %s, %s, %s, %s, %s)
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
    provider.person.subject = "subject-2"

    assert browser.log_in(provider).status == 200
    provider.person.subject = "subject-1"
    assert browser.log_in(provider).status == 403


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

    assert browser.come_back({**own, "state": foreign["state"]}).status == 401

    assert fault_of(logged) == SsoFault.COOKIE_MISSING
