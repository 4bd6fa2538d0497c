"""Invitations: a mail with a token that works once, counted against the limit of users."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from scripts.stack import postgres
from tenancy.errors import (
    ConflictError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    InvalidError,
    QuotaExceededError,
    UnauthenticatedError,
)
from tenancy.rules.durations import INVITATION_LIFETIME, ONE_MINUTE, TOKEN_MAILS_TIME
from tenancy.rules.people.member import MemberStatus, Role, StoredMember
from tenancy.rules.people.one_time_tokens import REFUSED_TOKEN_TEXT, TOKEN_MAILS_AN_HOUR
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.rules.people.password_hashes import HASHER
from tenancy.rules.permissions import PERMISSIONS, USERS_WRITE
from tenancy.rules.tenant import CallerKind
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.people.change_member import remove_member
from tenancy.use_cases.people.invite_member import invite_again
from tests.given import API_URL, NOW, PASSWORD, Databases
from tests.handlers.functions import superuser
from tests.use_cases.people import ADDRESS, People, admin_of, mail_texts, mailed_tokens

SECOND = timedelta(seconds=1)


@pytest.fixture
def people(databases: Databases, targets: OutboxTargets, encryptor: Encryptor, acme: Provisioned) -> People:
    return People(databases=databases, targets=targets, encryptor=encryptor, provisioned=acme)


def send_again(people: People, member: StoredMember, *, now: datetime = NOW) -> StoredMember:
    return invite_again(
        people.databases.platform,
        people.organization_id,
        member.id,
        permissions=PERMISSIONS,
        actor=admin_of(people.provisioned),
        now=now,
    )


def remove(people: People, member: StoredMember) -> None:
    remove_member(
        people.databases.platform,
        people.targets,
        people.organization_id,
        member.id,
        permissions=PERMISSIONS,
        actor=admin_of(people.provisioned),
        now=NOW,
    )


def test_accepted_invitation_makes_an_active_member(people: People) -> None:
    invited = people.invite(role=Role.ANALYST)
    people.sweep()
    [token] = mailed_tokens(ADDRESS)

    member = people.accept(token)

    assert (invited.status, invited.name) == (MemberStatus.INVITED, None)
    joined = replace(invited, status=MemberStatus.ACTIVE, name="New Member", has_password=True)
    assert member == replace(joined, last_signed_in_at=NOW)
    with superuser(people.databases) as conn:
        [(password_hash, status, role)] = conn.execute(
            "SELECT password_hash, status, role FROM users WHERE id = %s", (member.id,)
        ).fetchall()
    assert (status, role) == ("active", "analyst")
    assert HASHER.verify(password_hash, PASSWORD)
    assert people.actions() == [
        ("member.invited", str(member.id), CallerKind.PERSON, people.provisioned.admin_user_id),
        ("member.joined", str(member.id), CallerKind.PERSON, member.id),
    ]


def test_accepted_invitation_starts_a_session(people: People) -> None:
    people.invite()
    people.sweep()

    joined = people.log_in(mailed_tokens(ADDRESS)[-1])

    with superuser(people.databases) as conn:
        [(user_id, ended_at)] = conn.execute("SELECT user_id, ended_at FROM sessions").fetchall()
        [(digest,)] = conn.execute("SELECT digest FROM refresh_tokens").fetchall()
    assert (user_id, ended_at, digest) == (joined.member.id, None, joined.tokens.refresh_token.digest)
    assert str(joined.member.id) in joined.tokens.access_token


def test_mail_gives_the_token_and_the_call(people: People) -> None:
    people.invite(role=Role.ANALYST)
    people.sweep()

    [text] = mail_texts(ADDRESS)

    [token] = mailed_tokens(ADDRESS)
    assert f"{API_URL}/console/accept?organization=acme#token={token.text}\n" in text
    assert "with the role analyst" in text
    assert "2026-12-01 12:00 UTC" in text


def test_no_row_holds_a_token(people: People) -> None:
    people.invite()
    people.sweep()

    [token] = mailed_tokens(ADDRESS)

    with superuser(people.databases) as conn:
        tables = conn.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        rows = [
            str(row)
            for (table,) in tables.fetchall()
            for row in conn.execute(f"SELECT t::text FROM {table} AS t".encode())
        ]
    assert token.digest.hex() in " ".join(rows)
    assert not [row for row in rows if token.text in row]


def test_token_is_used_once(people: People) -> None:
    people.join()
    [token] = mailed_tokens(ADDRESS)

    with pytest.raises(UnauthenticatedError, match=REFUSED_TOKEN_TEXT):
        people.accept(token)


def test_concurrent_requests_use_a_token_once(people: People) -> None:
    people.invite()
    people.sweep()
    [token] = mailed_tokens(ADDRESS)

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: accept_alone(people, token), range(4)))

    assert sorted(outcomes) == [False, False, False, True]


def accept_alone(people: People, token: OpaqueToken) -> bool:
    """Accept the invitation with a new connection, and return whether the token was valid."""
    url = people.databases.servers.postgres_url(postgres.PLATFORM, people.databases.name)
    with closing(Database(lambda: url)) as db:
        try:
            replace(people, databases=replace(people.databases, platform=db)).accept(token)
        except UnauthenticatedError:
            return False
    return True


def test_expired_token_is_refused(people: People) -> None:
    people.invite()
    people.sweep()
    [token] = mailed_tokens(ADDRESS)

    with pytest.raises(UnauthenticatedError, match=REFUSED_TOKEN_TEXT):
        people.accept(token, now=NOW + INVITATION_LIFETIME)

    assert people.accept(token, now=NOW + INVITATION_LIFETIME - SECOND).status is MemberStatus.ACTIVE


def test_unknown_and_foreign_tokens_are_refused(people: People, globex: Provisioned) -> None:
    people.invite()
    people.sweep()
    own, other = people.organization_id, globex.organization.id
    [token] = mailed_tokens(ADDRESS)
    renamed = OpaqueToken(token.text.replace(own.hex, other.hex))

    for each in (generate_token(TokenType.ONE_TIME, own), generate_token(TokenType.ONE_TIME, other), renamed):
        with pytest.raises(UnauthenticatedError, match=REFUSED_TOKEN_TEXT):
            people.accept(each)


def test_second_invitation_replaces_the_token(people: People) -> None:
    member = people.invite()
    people.sweep()

    send_again(people, member)
    people.sweep()

    first, second = mailed_tokens(ADDRESS)
    with pytest.raises(UnauthenticatedError):
        people.accept(first)
    assert people.accept(second).id == member.id


def test_invitation_replaced_before_its_mail_is_not_mailed(people: People) -> None:
    member = people.invite()

    send_again(people, member)
    people.sweep()

    assert len(mailed_tokens(ADDRESS)) == 1


def test_active_member_gets_no_second_invitation(people: People) -> None:
    member = people.join()

    with pytest.raises(ConflictError, match="active"):
        send_again(people, member)


@pytest.mark.parametrize("password", ["short", "new member acme", "password1234"])
def test_bad_password_leaves_the_invitation(people: People, password: str) -> None:
    people.invite()
    people.sweep()
    [token] = mailed_tokens(ADDRESS)

    with pytest.raises(InvalidError) as refused:
        people.accept(token, password=password)

    assert [error.location for error in refused.value.errors] == ["body/password"]
    assert people.accept(token).status is MemberStatus.ACTIVE


@pytest.mark.parametrize("status", ["active", "invited", "disabled"])
def test_address_of_a_member_is_not_invited_again(people: People, status: str) -> None:
    member = people.invite()
    with superuser(people.databases) as conn:
        conn.execute("UPDATE users SET status = %s WHERE id = %s", (status, member.id))

    with pytest.raises(ConflictError, match=status):
        people.invite()


def test_removed_member_is_invited_as_the_same_row(people: People) -> None:
    member = people.join(role=Role.ADMIN)
    remove(people, member)

    again = people.invite(role=Role.VIEWER)
    people.sweep()
    joined = people.accept(mailed_tokens(ADDRESS)[-1])

    invited = replace(member, role=Role.VIEWER, status=MemberStatus.INVITED, has_password=False)
    assert again == replace(invited, name=None, last_signed_in_at=None)
    assert joined == replace(member, role=Role.VIEWER)


def test_address_gets_three_invitations_an_hour(people: People) -> None:
    member = people.invite()
    for minute in range(1, TOKEN_MAILS_AN_HOUR):
        send_again(people, member, now=NOW + minute * ONE_MINUTE)

    with pytest.raises(ConflictError, match=r"3 invitations an hour\. Retry at .* UTC"):
        send_again(people, member, now=NOW + TOKEN_MAILS_TIME - SECOND)

    send_again(people, member, now=NOW + TOKEN_MAILS_TIME)
    with pytest.raises(ConflictError, match="3 invitations"):
        send_again(people, member, now=NOW + TOKEN_MAILS_TIME)


def test_removal_does_not_reset_the_limit_of_invitations(people: People) -> None:
    for _ in range(TOKEN_MAILS_AN_HOUR):
        remove(people, people.invite())

    with pytest.raises(ConflictError, match="3 invitations"):
        people.invite()

    people.sweep()
    assert mailed_tokens(ADDRESS) == []
    assert people.invite("second.member@acme.example").status is MemberStatus.INVITED


def test_address_in_two_organizations_is_two_members(people: People, globex: Provisioned) -> None:
    other = replace(people, provisioned=globex)

    members = [people.invite(), other.invite()]
    people.sweep()
    first, second = mailed_tokens(ADDRESS)

    assert {token.organization_id for token in (first, second)} == {people.organization_id, other.organization_id}
    assert len({member.id for member in members}) == 2
    assert {people.accept(token).id for token in (first, second)} == {member.id for member in members}


def test_invited_members_count_against_the_limit(people: People) -> None:
    limit = QUOTAS[Tier.STARTER].users
    assert limit is not None
    for number in range(limit - 1):
        people.invite(f"member-{number}@acme.example")

    with pytest.raises(QuotaExceededError):
        people.invite()

    with superuser(people.databases) as conn:
        assert conn.execute("SELECT count(*) FROM users WHERE email = %s", (ADDRESS,)).fetchone() == (0,)


def test_caller_invites_with_no_more_permissions_than_its_own(people: People) -> None:
    permissions = frozenset({USERS_WRITE, "stats:read", "usage:read"})

    for role in (Role.SUPER_ADMIN, Role.ADMIN, Role.ANALYST):
        with pytest.raises(ForbiddenError, match=r"lacks: .*audit:read"):
            people.invite(role=role, permissions=permissions)

    assert people.invite(role=Role.VIEWER, permissions=permissions).role is Role.VIEWER


def test_repeated_request_invites_once(people: People) -> None:
    answers = [people.invite(idempotency_key="key-1") for _ in range(2)]
    people.sweep()

    assert answers[0] == answers[1]
    assert len(mailed_tokens(ADDRESS)) == 1
    with pytest.raises(IdempotencyKeyReusedError):
        people.invite(role=Role.ADMIN, idempotency_key="key-1")


def test_repeated_request_invites_a_removed_member_once(people: People) -> None:
    member = people.join()
    remove(people, member)

    answers = [people.invite(idempotency_key="key-1") for _ in range(2)]

    assert {answer.id for answer in answers} == {member.id}
    assert [action for action, *_ in people.actions()].count("member.invited") == 2


@pytest.mark.parametrize("status", ["deleted", "erasing"])
def test_deleted_organization_mails_no_token(people: People, status: str) -> None:
    people.invite()
    with superuser(people.databases) as conn:
        conn.execute("UPDATE organizations SET status = %s", (status,))

    people.sweep()

    assert mail_texts(ADDRESS) == []


def test_invitation_of_a_deleted_organization_is_refused(people: People) -> None:
    people.invite()
    people.sweep()
    [token] = mailed_tokens(ADDRESS)
    with superuser(people.databases) as conn:
        conn.execute("UPDATE organizations SET status = 'deleted'")

    with pytest.raises(UnauthenticatedError, match=REFUSED_TOKEN_TEXT):
        people.accept(token)


def test_audit_log_has_no_address(people: People) -> None:
    people.join()

    assert people.actions()
    assert not [record for record in people.actions() if "@" in str(record)]
