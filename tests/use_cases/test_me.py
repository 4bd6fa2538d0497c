"""The member that calls: its name, and its password with the current one."""

from datetime import timedelta

import pytest

from tenancy.errors import InvalidError, NotFoundError, TooManyAttemptsError, UnauthenticatedError
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.people.log_in_attempts import MAX_FAILED_LOG_INS
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import run_due_entries
from tenancy.use_cases.sessions.me import ChangedMember, NewPassword, OwnChange, change_me, read_me
from tests.given import NOW, PASSWORD, Databases
from tests.handlers.functions import Mails
from tests.use_cases.admitting import Admit
from tests.use_cases.session_requests import (
    OTHER_PASSWORD,
    People,
    actions,
    actor_of,
    admin_of,
    change_member,
    new_password,
    rows,
    session_of,
)

MINUTE = timedelta(minutes=2)


def change(people: People, acme: Provisioned, wanted: OwnChange, *, after: timedelta = timedelta()) -> ChangedMember:
    return change_me(
        people.databases.platform,
        people.targets,
        people.attempts,
        admin_of(acme),
        wanted,
        actor_of(acme),
        now=NOW + after,
    )


def test_member_reads_itself(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    me, other = (read_me(databases.platform, admin_of(each)) for each in (acme, globex))

    assert (me.user_id, me.email, me.organization_id) == (acme.admin_user_id, acme.admin_email, acme.organization.id)
    assert other.email == globex.admin_email


def test_hash_is_not_in_a_representation(databases: Databases, acme: Provisioned) -> None:
    me = read_me(databases.platform, admin_of(acme))

    assert me.password_hash is not None
    assert me.password_hash not in repr(me)


def test_member_changes_its_name(people: People, acme: Provisioned) -> None:
    changed = change(people, acme, OwnChange(name="Ada"))

    assert changed.member.name == "Ada"
    assert changed.member.epoch == 0
    assert actions(people.databases, acme) == ["member.renamed"]


def test_new_password_replaces_the_old_one(people: People, acme: Provisioned) -> None:
    changed = change(people, acme, new_password())

    assert changed.is_published
    assert people.log_in(acme.organization.id, acme.admin_email, OTHER_PASSWORD).access_token
    with pytest.raises(UnauthenticatedError):
        people.log_in(acme.organization.id, acme.admin_email, PASSWORD)
    assert "member.password_changed" in actions(people.databases, acme)


def test_new_password_is_mailed_to_its_member(people: People, acme: Provisioned, mails: Mails) -> None:
    before = len(mails())

    change(people, acme, new_password())
    run_due_entries(people.databases.platform, people.targets, now=NOW + MINUTE)

    assert mails()[before:] == [(acme.admin_email, "Your password for Acme was changed")]


def test_new_password_ends_all_other_sessions(people: People, acme: Provisioned) -> None:
    own, other = people.log_in_admin(acme), people.log_in_admin(acme)

    change(people, acme, new_password(kept=session_of(own)))

    assert people.refresh(own.refresh_token).access_token
    with pytest.raises(UnauthenticatedError):
        people.refresh(other.refresh_token)


def test_new_password_without_a_session_ends_all(people: People, acme: Provisioned) -> None:
    own = people.log_in_admin(acme)

    change(people, acme, new_password())

    with pytest.raises(UnauthenticatedError):
        people.refresh(own.refresh_token)


def test_session_of_another_organization_is_not_kept(people: People, acme: Provisioned, globex: Provisioned) -> None:
    own, foreign = people.log_in_admin(acme), people.log_in_admin(globex)

    change(people, acme, new_password(kept=session_of(foreign)))

    with pytest.raises(UnauthenticatedError):
        people.refresh(own.refresh_token)
    assert people.refresh(foreign.refresh_token).access_token


def test_new_password_revokes_the_access_tokens(people: People, acme: Provisioned, admit: Admit) -> None:
    assert admit(admin_of(acme)).verdict is AdmissionVerdict.ADMITTED

    change(people, acme, new_password())

    assert admit(admin_of(acme)).verdict is AdmissionVerdict.UNAUTHENTICATED


def test_wrong_current_password_changes_nothing(people: People, acme: Provisioned) -> None:
    with pytest.raises(InvalidError) as refused:
        change(people, acme, new_password(current="another wrong password"))

    assert [each.location for each in refused.value.errors] == ["body/current_password"]
    assert people.log_in_admin(acme).access_token


@pytest.mark.parametrize("password", ["acmeacmeacme", "password1234", "admin@acme.example"])
def test_new_password_must_be_good(people: People, acme: Provisioned, password: str) -> None:
    weak = OwnChange(password=NewPassword(password=password, current_password=PASSWORD))

    with pytest.raises(InvalidError) as refused:
        change(people, acme, weak)

    assert [each.location for each in refused.value.errors] == ["body/password"]
    assert people.log_in_admin(acme).access_token


def test_wrong_current_passwords_count_like_log_ins(people: People, acme: Provisioned) -> None:
    for number in range(MAX_FAILED_LOG_INS):
        with pytest.raises(InvalidError):
            change(people, acme, new_password(current="another wrong password"), after=number * MINUTE)

    with pytest.raises(TooManyAttemptsError):
        change(people, acme, new_password(), after=MAX_FAILED_LOG_INS * MINUTE)
    with pytest.raises(TooManyAttemptsError):
        people.log_in_admin(acme, now=NOW + MAX_FAILED_LOG_INS * MINUTE)


def test_removed_member_is_not_found(people: People, acme: Provisioned, globex: Provisioned) -> None:
    stranger = admin_of(globex)
    foreign = admin_of(acme)
    mixed = type(foreign)(
        organization_id=foreign.organization_id,
        subdomain=foreign.subdomain,
        scopes=frozenset(),
        credential_id=stranger.credential_id,
        kind=foreign.kind,
    )

    with pytest.raises(NotFoundError):
        read_me(people.databases.platform, mixed)


@pytest.mark.parametrize("status", ["removed", "disabled"])
def test_former_member_changes_nothing(people: People, acme: Provisioned, status: str) -> None:
    """Its request was admitted before."""
    change_member(people.databases, acme, f"status = '{status}', name = NULL")

    for wanted in (OwnChange(name="Ghost"), new_password()):
        with pytest.raises(NotFoundError):
            change(people, acme, wanted)

    assert rows(people.databases, "SELECT name FROM users WHERE id = %s", acme.admin_user_id) == [(None,)]


def test_password_is_in_no_row_of_the_change(people: People, acme: Provisioned) -> None:
    change(people, acme, new_password())

    stored = str([rows(people.databases, f"SELECT * FROM {table}") for table in ("users", "audit_log", "outbox")])

    assert OTHER_PASSWORD not in stored
    assert PASSWORD not in stored
