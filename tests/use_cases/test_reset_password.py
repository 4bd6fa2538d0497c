"""Password resets: the request tells nothing, and a mailed token replaces the password once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tenancy.errors import InvalidError, UnauthenticatedError
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.durations import PASSWORD_RESET_LIFETIME
from tenancy.rules.people.one_time_tokens import REFUSED_TOKEN_TEXT, TOKEN_MAILS_AN_HOUR
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.rules.people.password_hashes import HASHER
from tenancy.rules.tenant import CallerKind
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.people.mailed_tokens import ChosenPassword
from tenancy.use_cases.people.reset_password import confirm_password_reset, request_password_reset
from tests.given import API_URL, NOW, Databases
from tests.handlers.functions import superuser
from tests.use_cases.admitting import Admit
from tests.use_cases.people import ADDRESS, SOURCE, People, mail_texts, mailed_tokens
from tests.use_cases.sso_connections import connect

ADMIN = "admin@acme.example"
UNKNOWN = "unknown@acme.example"
NEW_PASSWORD = "seventeen purple bicycles"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def people(databases: Databases, targets: OutboxTargets, encryptor: Encryptor, acme: Provisioned) -> People:
    return People(databases=databases, targets=targets, encryptor=encryptor, provisioned=acme)


def request(people: People, email: str = ADMIN, *, now: datetime = NOW) -> None:
    request_password_reset(people.databases.platform, people.organization_id, email=email, now=now, **SOURCE)


def request_token(people: People, email: str = ADMIN, *, now: datetime = NOW) -> OpaqueToken:
    """Request a reset, send the mail as the sweep does, and return its token."""
    request(people, email, now=now)
    people.sweep(now)
    return mailed_tokens(email)[-1]


def confirm(people: People, token: OpaqueToken, *, password: str = NEW_PASSWORD, now: datetime = NOW) -> None:
    chosen = ChosenPassword(token=token, password=password, **SOURCE)
    confirm_password_reset(people.databases.platform, people.targets, chosen, now=now)


def hash_of(people: People, email: str = ADMIN) -> str:
    with superuser(people.databases) as conn:
        statement = "SELECT password_hash FROM users WHERE organization_id = %s AND email = %s"
        [(password_hash,)] = conn.execute(statement, (people.organization_id, email)).fetchall()
    return str(password_hash)


def test_mailed_token_replaces_the_password(people: People) -> None:
    token = request_token(people)

    confirm(people, token)

    assert HASHER.verify(hash_of(people), NEW_PASSWORD)
    assert f"{API_URL}/console/reset?organization=acme#token={token.text}\n" in mail_texts(ADMIN)[-1]


def test_member_is_told_of_the_new_password(people: People) -> None:
    token = request_token(people)

    confirm(people, token)
    people.sweep(NOW + HOUR)

    assert f"the password of {ADMIN} for Acme was changed" in mail_texts(ADMIN)[-1]


def test_access_tokens_die_with_the_old_password(people: People, admit: Admit) -> None:
    member = people.join()
    tenant = people.tenant(member)
    assert admit(tenant).verdict is AdmissionVerdict.ADMITTED

    confirm(people, request_token(people, ADDRESS))

    assert admit(tenant).verdict is AdmissionVerdict.UNAUTHENTICATED


def test_token_of_a_reset_works_once(people: People) -> None:
    first, second = request_token(people), request_token(people)

    confirm(people, first)

    for token in (first, second):
        with pytest.raises(UnauthenticatedError, match=REFUSED_TOKEN_TEXT):
            confirm(people, token)


def test_expired_and_unknown_tokens_have_one_text(people: People) -> None:
    token = request_token(people)
    unknown = generate_token(TokenType.ONE_TIME, people.organization_id)

    before = hash_of(people)

    for each, now in ((token, NOW + PASSWORD_RESET_LIFETIME), (unknown, NOW)):
        with pytest.raises(UnauthenticatedError, match=REFUSED_TOKEN_TEXT):
            confirm(people, each, now=now)

    assert hash_of(people) == before


def test_invitation_is_no_token_of_a_reset(people: People) -> None:
    people.invite()
    people.sweep()
    [invitation] = mailed_tokens(ADDRESS)

    with pytest.raises(UnauthenticatedError):
        confirm(people, invitation)
    with pytest.raises(UnauthenticatedError):
        people.accept(request_token(people))


def test_bad_password_leaves_the_token(people: People) -> None:
    token = request_token(people)

    with pytest.raises(InvalidError) as refused:
        confirm(people, token, password="password1234")

    assert [(error.location, error.code) for error in refused.value.errors] == [("body/password", "too_common")]
    confirm(people, token)


def test_password_about_its_member_is_too_easy(people: People) -> None:
    token = request_token(people)

    with pytest.raises(InvalidError, match="too easy to guess"):
        confirm(people, token, password="admin@acme.example")


@pytest.mark.parametrize("email", [UNKNOWN, ADDRESS, "admin@globex.example"])
def test_address_without_an_active_member_gets_no_mail(people: People, globex: Provisioned, email: str) -> None:
    people.invite()
    people.sweep()
    assert globex.admin_email == "admin@globex.example"
    sent = len(mail_texts(email))

    request(people, email)
    people.sweep()

    assert len(mail_texts(email)) == sent
    assert [action for action, *_ in people.actions()] == ["member.invited"]


def test_disabled_member_gets_no_mail_and_its_token_is_refused(people: People) -> None:
    token = request_token(people)
    request(people)

    with superuser(people.databases) as conn:
        conn.execute("UPDATE users SET status = 'disabled'")
    people.sweep()

    assert mailed_tokens(ADMIN) == [token]
    with pytest.raises(UnauthenticatedError):
        confirm(people, token)


def test_address_gets_three_mails_an_hour(people: People) -> None:
    for minute in range(TOKEN_MAILS_AN_HOUR + 2):
        request(people, now=NOW + minute * MINUTE)
        people.sweep(NOW + minute * MINUTE)

    assert len(mailed_tokens(ADMIN)) == TOKEN_MAILS_AN_HOUR

    request_token(people, now=NOW + HOUR + MINUTE / 2)
    request(people, now=NOW + HOUR + MINUTE / 2)
    people.sweep(NOW + HOUR + MINUTE / 2)

    assert len(mailed_tokens(ADMIN)) == TOKEN_MAILS_AN_HOUR + 1


def test_used_tokens_count_against_the_mails_of_the_hour(people: People) -> None:
    for minute in range(TOKEN_MAILS_AN_HOUR):
        confirm(people, request_token(people, now=NOW + minute * MINUTE), now=NOW + minute * MINUTE)

    request(people, now=NOW + 10 * MINUTE)
    people.sweep(NOW + 10 * MINUTE)

    assert len(mailed_tokens(ADMIN)) == TOKEN_MAILS_AN_HOUR


def test_requests_of_one_organization_do_not_count_for_another(people: People, globex: Provisioned) -> None:
    other = replace(people, provisioned=globex)
    for _ in range(TOKEN_MAILS_AN_HOUR):
        request(people)

    other.join(ADDRESS)
    token = request_token(other, ADDRESS)

    assert token.organization_id == globex.organization.id


def test_ended_tokens_are_deleted(people: People) -> None:
    request_token(people)

    request(people, now=NOW + 3 * HOUR)

    with superuser(people.databases) as conn:
        assert conn.execute("SELECT created_at FROM one_time_tokens").fetchall() == [(NOW + 3 * HOUR,)]


def test_unknown_address_takes_the_same_statements(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as known:
        request(people)
    with recorded(monkeypatch) as unknown:
        request(people, UNKNOWN)

    assert known == unknown
    assert sum("INSERT INTO outbox" in statement for statement in known) == 1
    with superuser(people.databases) as conn:
        payloads = [row for (row,) in conn.execute("SELECT payload FROM outbox WHERE kind = 'password_reset_mail'")]
    assert [set(first) == set(second) for first, second in pairwise(payloads)] == [True]
    assert not [row for row in payloads if "@" in str(row)]


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """List the statements that run in the block."""
    statements: list[str] = []
    execute = psycopg.Connection.execute

    def recording(self: psycopg.Connection, query: Any, *values: Any) -> object:  # noqa: ANN401 - psycopg's
        statements.append(str(query))
        return execute(self, query, *values)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "execute", recording)
        yield statements


def test_reset_is_in_the_audit_log(people: People) -> None:
    confirm(people, request_token(people))

    user_id = people.provisioned.admin_user_id
    assert people.actions() == [
        ("password.reset", str(user_id), CallerKind.PERSON, user_id),
        ("password.reset_requested", str(user_id), CallerKind.PERSON, user_id),
    ]


def test_unknown_and_erased_organizations_are_no_error(people: People, globex: Provisioned) -> None:
    gone = globex.organization.id
    with superuser(people.databases) as conn:
        conn.execute("UPDATE organizations SET status = 'erased' WHERE id = %s", (gone,))

    for organization_id in (gone, uuid4()):
        request_password_reset(people.databases.platform, organization_id, email=ADMIN, now=NOW, **SOURCE)

    with superuser(people.databases) as conn:
        assert conn.execute("SELECT count(*) FROM one_time_tokens").fetchone() == (0,)


@pytest.mark.parametrize(("requires_sso", "mails"), [(False, 1), (True, 0)])
def test_member_without_password_gets_one_unless_sso_is_required(
    people: People, *, requires_sso: bool, mails: int
) -> None:
    member = people.invite()
    people.sweep()
    invitations = len(mailed_tokens(ADDRESS))
    with superuser(people.databases) as conn:
        conn.execute("UPDATE users SET status = 'active' WHERE id = %s", (member.id,))
    if requires_sso:
        connect(people.databases, people.organization_id)

    request(people, ADDRESS)
    people.sweep()

    assert len(mailed_tokens(ADDRESS)) == invitations + mails


def test_reset_token_gives_a_first_password(people: People) -> None:
    people.join()
    token = request_token(people, ADDRESS)
    with superuser(people.databases) as conn:
        conn.execute("UPDATE users SET password_hash = NULL WHERE email = %s", (ADDRESS,))

    confirm(people, token)

    assert hash_of(people, ADDRESS)
