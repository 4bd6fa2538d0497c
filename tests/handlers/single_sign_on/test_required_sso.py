"""Organizations that require single sign-on, and the end of it."""

import pytest

from tenancy.rules.people.opaque_tokens import TokenType, generate_token
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import PASSWORD, Databases
from tests.handlers.functions import Function, Start, superuser
from tests.handlers.logged_in import log_in_request, post
from tests.handlers.requests import OPERATOR, answer_of, called_by, problem_of, sample, with_body, with_path
from tests.handlers.single_sign_on.browser import SsoBrowser, as_admin, put_request, settings_of
from tests.handlers.single_sign_on.provider import Provider

MAILS = "SELECT kind, payload->>'to' FROM outbox WHERE organization_id = %s AND kind LIKE '%%_mail' ORDER BY kind, 2"
LIVE_TOKENS = (
    "SELECT purpose FROM one_time_tokens WHERE organization_id = %s AND expires_at > now() + interval '6 days'"
)
MAKE_OLDER = "UPDATE audit_log SET occurred_at = occurred_at - interval '61 minutes'"
USE_UP_MAILS = """
    INSERT INTO one_time_tokens (organization_id, id, user_id, purpose, created_at, expires_at)
    SELECT organization_id, gen_random_uuid(), id, 'password_reset', now() - interval '2 minutes', now()
    FROM users, generate_series(1, %s) WHERE password_hash IS NULL
"""
DEMOTE = "UPDATE users SET role = 'admin' WHERE organization_id = %s"


@pytest.fixture
def requiring(sso: Function, provider: Provider, connected: Provisioned) -> Provisioned:
    assert answer_of(sso(put_request(connected, settings_of(provider, required=True)))).status == 200
    return connected


def mails_of(databases: Databases, provisioned: Provisioned) -> list[str]:
    with superuser(databases) as conn:
        return [kind for kind, _ in conn.execute(MAILS, (provisioned.organization.id,))]


def test_password_of_a_member_is_refused(identity: Function, databases: Databases, requiring: Provisioned) -> None:
    with superuser(databases) as conn:
        conn.execute(DEMOTE, (requiring.organization.id,))
    request = log_in_request(requiring)

    problem_of(identity(request), request, 403, "sso_required")


def test_wrong_password_is_401(identity: Function, requiring: Provisioned) -> None:
    request = log_in_request(requiring, password="a wrong password of some length")

    problem_of(identity(request), request, 401, "unauthenticated")


def test_right_passwords_are_no_failed_attempts(
    identity: Function, databases: Databases, requiring: Provisioned
) -> None:
    with superuser(databases) as conn:
        conn.execute(DEMOTE, (requiring.organization.id,))
    request = log_in_request(requiring)

    assert {answer_of(identity(request)).status for _ in range(6)} == {403}


def test_super_admin_logs_in_with_a_password_and_a_mail(
    identity: Function, databases: Databases, requiring: Provisioned
) -> None:
    answer = answer_of(identity(log_in_request(requiring)))

    assert answer.status == 200
    assert "break_glass_mail" in mails_of(databases, requiring)
    with superuser(databases) as conn:
        rows = conn.execute(
            "SELECT count(*) FROM audit_log WHERE organization_id = %s AND action = 'session.break_glass'",
            (requiring.organization.id,),
        ).fetchall()
    assert rows == [(1,)]


def test_invitation_is_not_accepted_with_a_password(
    identity: Function, databases: Databases, requiring: Provisioned
) -> None:
    token = generate_token(TokenType.ONE_TIME, requiring.organization.id)
    with superuser(databases) as conn:
        conn.execute(
            "WITH invited AS (INSERT INTO users (id, organization_id, email, role, status) VALUES (gen_random_uuid(),"
            " %(organization_id)s, 'new@acme.example', 'viewer', 'invited') RETURNING organization_id, id)"
            " INSERT INTO one_time_tokens (organization_id, id, user_id, purpose, digest, created_at, expires_at)"
            " SELECT organization_id, gen_random_uuid(), id, 'invitation', %(digest)s, now(), now() + interval '1 day'"
            " FROM invited",
            {"organization_id": requiring.organization.id, "digest": token.digest},
        )
    request = post("accept", {"token": token.text, "password": PASSWORD})

    problem_of(identity(request), request, 403, "sso_required")


def test_single_sign_on_works_where_it_is_required(
    browser: SsoBrowser,
    provider: Provider,
    requiring: Provisioned,  # noqa: ARG001
) -> None:
    assert browser.log_in(provider).status == 200


def test_deleted_connection_lets_passwords_work_again(
    browser: SsoBrowser, provider: Provider, databases: Databases, requiring: Provisioned
) -> None:
    assert browser.log_in(provider).status == 200
    with superuser(databases) as conn:
        conn.execute(DEMOTE + " AND password_hash IS NOT NULL", (requiring.organization.id,))

    assert answer_of(browser.sso(as_admin(requiring, "delete_connection"))).status == 204

    assert answer_of(browser.identity(log_in_request(requiring))).status == 200
    assert "first_password_mail" in mails_of(databases, requiring)


def test_connection_that_ends_again_and_again_mails_once(
    browser: SsoBrowser, provider: Provider, databases: Databases, requiring: Provisioned
) -> None:
    assert browser.log_in(provider).status == 200

    for _ in range(4):
        assert answer_of(browser.sso(as_admin(requiring, "delete_connection"))).status == 204
        assert answer_of(browser.sso(put_request(requiring, settings_of(provider)))).status == 200

    mails = mails_of(databases, requiring)
    assert mails.count("first_password_mail") == 1
    assert mails.count("sso_ended_mail") == 1
    with superuser(databases) as conn:
        conn.execute(MAKE_OLDER)

    assert answer_of(browser.sso(as_admin(requiring, "delete_connection"))).status == 204

    mails = mails_of(databases, requiring)
    assert mails.count("first_password_mail") == 1, "its token lives"
    assert mails.count("sso_ended_mail") == 2


@pytest.mark.parametrize(("mails", "expected"), [(2, 1), (3, 0)])
def test_member_with_three_mails_this_hour_gets_none(
    browser: SsoBrowser, provider: Provider, databases: Databases, requiring: Provisioned, mails: int, expected: int
) -> None:
    assert browser.log_in(provider).status == 200
    with superuser(databases) as conn:
        conn.execute(USE_UP_MAILS, (mails,))

    assert answer_of(browser.sso(as_admin(requiring, "delete_connection"))).status == 204

    assert mails_of(databases, requiring).count("first_password_mail") == expected


@pytest.fixture
def provision(start: Start) -> Function:
    return start("provision")


def test_downgrade_ends_single_sign_on_at_once(
    browser: SsoBrowser, provider: Provider, provision: Function, databases: Databases, requiring: Provisioned
) -> None:
    assert browser.log_in(provider).status == 200
    members = provider.authorize(browser.start().headers["location"])
    path = f"/organizations/{requiring.organization.id}"
    request = with_path(
        called_by(sample("provision", "change_tier"), OPERATOR), path, "/organizations/{organization_id}"
    )
    request = {**request, "pathParameters": {"organization_id": str(requiring.organization.id)}}

    changed = answer_of(provision(with_body(request, {"tier": "starter"})))

    assert changed.status == 200, changed.body
    assert browser.come_back(members).status == 401
    assert browser.start().status == 401
    assert mails_of(databases, requiring).count("first_password_mail") == 1
    assert "sso_ended_mail" in mails_of(databases, requiring)
    with superuser(databases) as conn:
        rows = conn.execute(
            "SELECT required FROM sso_connections WHERE organization_id = %s", (requiring.organization.id,)
        ).fetchall()
        tokens = conn.execute(LIVE_TOKENS, (requiring.organization.id,)).fetchall()
    assert rows == [(False,)]
    assert tokens == [("password_reset",)]
    assert answer_of(browser.identity(log_in_request(requiring))).status == 200
