"""Refresh of a session: rotation, a repeated request, and the reuse of a token."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag

from tenancy.errors import UnauthenticatedError
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.durations import SESSION_IDLE_TIME, SESSION_MAX_LIFETIME, SUCCESSOR_RETENTION
from tenancy.rules.people.opaque_tokens import OpaqueToken, TokenType, generate_token
from tenancy.rules.people.session_tokens import decrypt_successor, encrypt_successor
from tenancy.rules.people.sessions import MAX_REFRESHES, MAX_SESSIONS
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tenancy.use_cases.sessions.end_sessions import log_out, log_out_everywhere
from tenancy.use_cases.sessions.refresh_session import parse_refresh_token
from tests.given import NOW, Databases
from tests.handlers.functions import Mails
from tests.use_cases.admitting import Admit
from tests.use_cases.session_requests import (
    SECOND,
    People,
    actions,
    actor_of,
    admin_of,
    change_member,
    change_organization,
    rows,
    session_of,
)

pytestmark = pytest.mark.usefixtures("cheap_hashes")

SET_REFRESHES = "UPDATE sessions SET refreshes = %s WHERE id = %s RETURNING id"
WITH_SUCCESSOR = "SELECT FROM refresh_tokens WHERE successor IS NOT NULL"

type Prepare = Callable[[Databases, Provisioned], None]


def refuse(people: People, token: OpaqueToken, *, after: timedelta = timedelta()) -> None:
    with pytest.raises(UnauthenticatedError):
        people.refresh(token, now=NOW + after)


def test_refresh_replaces_the_token(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)

    second = people.refresh(first.refresh_token, now=NOW + SECOND)
    third = people.refresh(second.refresh_token, now=NOW + 2 * SECOND)

    assert len({each.refresh_token for each in (first, second, third)}) == 3
    assert {session_of(each) for each in (first, second, third)} == {session_of(first)}


def test_repeated_refresh_returns_the_same_successor(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)

    second = people.refresh(first.refresh_token)
    repeated = people.refresh(first.refresh_token, now=NOW + SUCCESSOR_RETENTION)

    assert repeated.refresh_token == second.refresh_token
    assert actions(people.databases, acme) == ["session.started"]


def test_successor_is_repeated_after_it_was_used(people: People, acme: Provisioned) -> None:
    """A slow tab repeats the first token, while a fast one has used the second."""
    first = people.log_in_admin(acme)
    second = people.refresh(first.refresh_token)
    third = people.refresh(second.refresh_token, now=NOW + SECOND)

    repeated = people.refresh(first.refresh_token, now=NOW + 2 * SECOND)

    assert repeated.refresh_token == second.refresh_token
    assert people.refresh(second.refresh_token, now=NOW + 3 * SECOND).refresh_token == third.refresh_token


def test_parallel_refreshes_return_one_successor(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)
    url = people.databases.servers.postgres_url("tenancy_platform", people.databases.name)

    def refresh(_: int) -> OpaqueToken:
        platform = Database(lambda: url)
        databases = people.databases
        alone = People(
            databases=Databases(
                name=databases.name, servers=databases.servers, owner=databases.owner, functions=databases.functions,
                platform=platform, authorizer=databases.authorizer, clickhouse=databases.clickhouse,
            ),
            redis=people.redis,
            targets=people.targets,
        )  # fmt: skip
        try:
            return alone.refresh(first.refresh_token).refresh_token
        finally:
            platform.close()

    with ThreadPoolExecutor(8) as pool:
        successors = set(pool.map(refresh, range(8)))

    assert len(successors) == 1
    assert len(rows(people.databases, "SELECT FROM refresh_tokens")) == 2


def test_later_reuse_ends_the_session(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)
    second = people.refresh(first.refresh_token)

    refuse(people, first.refresh_token, after=SUCCESSOR_RETENTION + SECOND)

    refuse(people, second.refresh_token, after=SUCCESSOR_RETENTION + SECOND)
    assert sorted(actions(people.databases, acme)) == ["session.reuse_detected", "session.started"]


def test_reuse_ends_no_other_session(people: People, acme: Provisioned) -> None:
    other = people.log_in_admin(acme)
    first = people.log_in_admin(acme)
    people.refresh(first.refresh_token)

    refuse(people, first.refresh_token, after=SUCCESSOR_RETENTION + SECOND)

    assert people.refresh(other.refresh_token, now=NOW + SUCCESSOR_RETENTION + SECOND).access_token


def test_reuse_is_mailed_to_the_member_once(people: People, acme: Provisioned, mails: Mails) -> None:
    first = people.log_in_admin(acme)
    people.refresh(first.refresh_token)
    before = len(mails())

    for _ in range(2):
        refuse(people, first.refresh_token, after=SUCCESSOR_RETENTION + SECOND)
    run_due_entries(people.databases.platform, people.targets, now=NOW + timedelta(hours=1))

    assert mails()[before:] == [(acme.admin_email, "Your session at Acme was ended")]


def test_reuse_revokes_the_access_tokens(people: People, acme: Provisioned, admit: Admit) -> None:
    first = people.log_in_admin(acme)
    people.refresh(first.refresh_token)
    assert admit(admin_of(acme)).verdict is AdmissionVerdict.ADMITTED

    refuse(people, first.refresh_token, after=SUCCESSOR_RETENTION + SECOND)

    assert admit(admin_of(acme)).verdict is AdmissionVerdict.UNAUTHENTICATED


def test_reuse_that_redis_missed_is_reported(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)
    people.refresh(first.refresh_token)
    refuse(replace(people, targets=OutboxTargets()), first.refresh_token, after=SUCCESSOR_RETENTION + SECOND)

    assert people.unpublished == [acme.organization.id]


def test_session_expires_without_a_refresh(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)

    refuse(people, first.refresh_token, after=SESSION_IDLE_TIME)


def test_refreshed_session_expires_at_its_greatest_age(people: People, acme: Provisioned) -> None:
    tokens, age = people.log_in_admin(acme), timedelta()
    while age < SESSION_MAX_LIFETIME - timedelta(days=20):
        age += timedelta(days=20)
        tokens = people.refresh(tokens.refresh_token, now=NOW + age)

    refuse(people, tokens.refresh_token, after=SESSION_MAX_LIFETIME)
    assert people.refresh(tokens.refresh_token, now=NOW + SESSION_MAX_LIFETIME - SECOND).access_token


ENDED: dict[str, Prepare] = {
    "disabled": lambda databases, acme: change_member(databases, acme, "status = 'disabled'"),
    "removed": lambda databases, acme: change_member(databases, acme, "status = 'removed'"),
    "deleted": lambda databases, acme: change_organization(databases, acme, "status = 'deleted'"),
    "epoch of the organization": lambda databases, acme: change_organization(
        databases, acme, "token_epoch = token_epoch + 1"
    ),
}


@pytest.mark.parametrize("cause", ENDED)
def test_session_of_a_former_member_is_refused(people: People, acme: Provisioned, cause: str) -> None:
    first = people.log_in_admin(acme)
    ENDED[cause](people.databases, acme)

    refuse(people, first.refresh_token)


def test_changed_role_is_in_the_next_access_token(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)
    change_member(people.databases, acme, "role = 'viewer', token_epoch = token_epoch + 1")

    assert " 0.1 " in people.refresh(first.refresh_token).access_token


def test_log_out_ends_the_session(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)
    other = people.log_in_admin(acme)

    for _ in range(2):
        log_out(people.databases.platform, first.refresh_token.text, request_id="r", source_address="", now=NOW)

    refuse(people, first.refresh_token)
    assert people.refresh(other.refresh_token).access_token
    assert actions(people.databases, acme).count("session.ended") == 1


ENDS: dict[str, Callable[[People, Provisioned, OpaqueToken], object]] = {
    "log-out": lambda people, _, newest: log_out(
        people.databases.platform, newest.text, request_id="r", source_address="", now=NOW
    ),
    "log-out everywhere": lambda people, acme, _: log_out_everywhere(
        people.databases.platform, people.targets, admin_of(acme), actor_of(acme), now=NOW
    ),
    "over the maximum": lambda people, acme, _: [
        people.log_in_admin(acme, now=NOW + SECOND) for _ in range(MAX_SESSIONS)
    ],
}


@pytest.mark.parametrize("end", ENDS)
def test_end_of_a_session_forgets_its_successor(people: People, acme: Provisioned, end: str) -> None:
    refreshed = people.refresh(people.log_in_admin(acme).refresh_token)

    ENDS[end](people, acme, refreshed.refresh_token)

    assert rows(people.databases, WITH_SUCCESSOR) == []


def test_reuse_forgets_all_successors_of_the_session(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)
    second = people.refresh(first.refresh_token)
    people.refresh(second.refresh_token, now=NOW + 2 * SECOND)

    refuse(people, first.refresh_token, after=SUCCESSOR_RETENTION + SECOND)

    assert rows(people.databases, WITH_SUCCESSOR) == []


def test_session_ends_after_its_last_refresh(people: People, acme: Provisioned) -> None:
    first, other = people.log_in_admin(acme), people.log_in_admin(acme)
    rows(people.databases, SET_REFRESHES, MAX_REFRESHES - 1, session_of(first))

    last = people.refresh(first.refresh_token)
    repeated = people.refresh(first.refresh_token)

    assert repeated.refresh_token == last.refresh_token
    refuse(people, last.refresh_token)
    assert rows(people.databases, "SELECT id FROM sessions WHERE ended_at IS NOT NULL") == [(session_of(first),)]
    assert people.refresh(other.refresh_token).access_token


def test_used_token_of_a_full_session_is_a_reuse(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)
    people.refresh(first.refresh_token)
    rows(people.databases, SET_REFRESHES, MAX_REFRESHES, session_of(first))

    refuse(people, first.refresh_token, after=SUCCESSOR_RETENTION + SECOND)

    assert "session.reuse_detected" in actions(people.databases, acme)


def test_repeated_refresh_is_counted_once(people: People, acme: Provisioned) -> None:
    first = people.log_in_admin(acme)
    for _ in range(3):
        people.refresh(first.refresh_token)

    assert rows(people.databases, "SELECT refreshes FROM sessions") == [(1,)]


def test_log_out_ignores_an_unknown_token(people: People, acme: Provisioned) -> None:
    unknown = generate_token(TokenType.REFRESH, acme.organization.id)
    first = people.log_in_admin(acme)

    for text in (unknown.text, "", "rt_", "x" * 100):
        log_out(people.databases.platform, text, request_id="r", source_address="", now=NOW)

    assert people.refresh(first.refresh_token).access_token


def test_log_out_everywhere_ends_sessions_and_tokens(people: People, acme: Provisioned, admit: Admit) -> None:
    sessions = [people.log_in_admin(acme) for _ in range(3)]
    assert admit(admin_of(acme)).verdict is AdmissionVerdict.ADMITTED

    assert log_out_everywhere(people.databases.platform, people.targets, admin_of(acme), actor_of(acme), now=NOW)

    for each in sessions:
        refuse(people, each.refresh_token)
    assert admit(admin_of(acme)).verdict is AdmissionVerdict.UNAUTHENTICATED
    assert "sessions.all_ended" in actions(people.databases, acme)


def test_log_out_everywhere_ends_no_session_of_others(people: People, acme: Provisioned, globex: Provisioned) -> None:
    other = people.log_in_admin(globex)

    log_out_everywhere(people.databases.platform, people.targets, admin_of(acme), actor_of(acme), now=NOW)

    assert people.refresh(other.refresh_token).access_token


def test_token_with_another_organizations_id_is_unknown(people: People, acme: Provisioned, globex: Provisioned) -> None:
    """The id in a token only chooses where it is looked up."""
    text = people.log_in_admin(acme).refresh_token.text
    forged = text.replace(acme.organization.id.hex, globex.organization.id.hex)

    with pytest.raises(UnauthenticatedError):
        parse_refresh_token(forged)
    refuse(people, OpaqueToken(forged))


def test_organization_reads_no_session_of_another(
    databases: Databases, people: People, acme: Provisioned, globex: Provisioned
) -> None:
    people.log_in_admin(acme)

    with databases.platform.tenant_transaction(globex.organization.id) as conn:
        found = [conn.execute(f"SELECT FROM {table}".encode()).rowcount for table in ("sessions", "refresh_tokens")]

    assert found == [0, 0]


ACME = UUID("00000000-0000-4000-8000-0000000000ac")


def test_only_the_used_token_decrypts_its_successor() -> None:
    used, other, successor = (generate_token(TokenType.REFRESH, ACME) for _ in range(3))
    encrypted = encrypt_successor(used, successor)

    assert decrypt_successor(used, encrypted) == successor
    for changed in (encrypted[:-1] + bytes([encrypted[-1] ^ 1]), bytes([encrypted[0] ^ 1]) + encrypted[1:]):
        with pytest.raises(InvalidTag):
            decrypt_successor(used, changed)
    with pytest.raises(InvalidTag):
        decrypt_successor(other, encrypted)


def test_successor_is_encrypted_anew_each_time() -> None:
    used, successor = (generate_token(TokenType.REFRESH, ACME) for _ in range(2))

    assert encrypt_successor(used, successor) != encrypt_successor(used, successor)
