"""Changes of members: they bite at the next request, and the last super_admin stays."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from threading import Barrier
from uuid import UUID, uuid4

import pytest

from scripts.stack import postgres
from tenancy.errors import ConflictError, ForbiddenError, LastSuperAdminError, NotFoundError, UnauthenticatedError
from tenancy.rules.admission import AdmissionVerdict
from tenancy.rules.people.member import MembershipChange, MemberStatus, Role, StoredMember
from tenancy.rules.people.sessions import SessionMember
from tenancy.rules.permissions import PERMISSIONS, ROLES
from tenancy.rules.tenant import CallerKind
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.users import count_active_super_admins, count_users
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.people.change_member import ChangedMembership, change_member, remove_member
from tenancy.use_cases.sessions.refresh_session import Refresh, refresh_session
from tests.given import NOW, Databases
from tests.handlers.functions import superuser
from tests.use_cases.admitting import Admit
from tests.use_cases.people import ADDRESS, People, admin_of, mailed_tokens

DISABLE = MembershipChange(status=MemberStatus.DISABLED)
ACTIVATE = MembershipChange(status=MemberStatus.ACTIVE)
DEMOTE = MembershipChange(role=Role.VIEWER)

type Change = Callable[[People, UUID], ChangedMembership]


@pytest.fixture
def people(databases: Databases, targets: OutboxTargets, encryptor: Encryptor, acme: Provisioned) -> People:
    return People(databases=databases, targets=targets, encryptor=encryptor, provisioned=acme)


def change(
    people: People, user_id: UUID, wanted: MembershipChange, *, permissions: frozenset[str] = PERMISSIONS
) -> ChangedMembership:
    return change_member(
        people.databases.platform,
        people.targets,
        people.organization_id,
        user_id,
        wanted,
        permissions=permissions,
        actor=admin_of(people.provisioned),
        now=NOW,
    )


def remove(people: People, user_id: UUID, *, permissions: frozenset[str] = PERMISSIONS) -> ChangedMembership:
    return remove_member(
        people.databases.platform,
        people.targets,
        people.organization_id,
        user_id,
        permissions=permissions,
        actor=admin_of(people.provisioned),
        now=NOW,
    )


def disable(people: People, user_id: UUID) -> ChangedMembership:
    return change(people, user_id, DISABLE)


def demote(people: People, user_id: UUID) -> ChangedMembership:
    return change(people, user_id, DEMOTE)


CHANGES = pytest.mark.parametrize("make", [disable, demote, remove])


def stored(people: People, member: StoredMember) -> tuple[object, ...]:
    with superuser(people.databases) as conn:
        statement = "SELECT email, name, password_hash IS NOT NULL, role, status FROM users WHERE id = %s"
        [row] = conn.execute(statement, (member.id,)).fetchall()
    return row


@CHANGES
def test_tokens_of_a_changed_member_die_at_the_next_request(people: People, admit: Admit, make: Change) -> None:
    member = people.join(role=Role.ADMIN)
    tenant = people.tenant(member)
    assert admit(tenant).verdict is AdmissionVerdict.ADMITTED

    assert make(people, member.id).is_published

    assert admit(tenant).verdict is AdmissionVerdict.UNAUTHENTICATED


@CHANGES
def test_sweep_revokes_tokens_if_the_request_dies(people: People, admit: Admit, make: Change) -> None:
    member = people.join(role=Role.ADMIN)
    tenant = people.tenant(member)
    admit(tenant)

    assert not make(replace(people, targets=OutboxTargets()), member.id).is_published

    people.sweep(NOW.replace(hour=13))
    assert admit(tenant).verdict is AdmissionVerdict.UNAUTHENTICATED


@pytest.mark.parametrize("make", [disable, remove])
def test_sessions_of_a_former_member_end(people: People, make: Change) -> None:
    people.invite(role=Role.ADMIN)
    people.sweep()
    member = people.log_in(mailed_tokens(ADDRESS)[-1]).member

    make(people, member.id)

    with superuser(people.databases) as conn:
        assert conn.execute("SELECT ended_at FROM sessions").fetchall() == [(NOW,)]


def test_session_stays_after_a_change_of_the_role(people: People) -> None:
    people.invite(role=Role.ADMIN)
    people.sweep()
    joined, unpublished = people.log_in(mailed_tokens(ADDRESS)[-1]), list[UUID]()

    demote(people, joined.member.id)
    tokens = refresh_session(
        people.databases.platform,
        people.targets,
        sign_role,
        Refresh(token=joined.tokens.refresh_token, request_id="request-1", source_address=""),
        report_unpublished=unpublished.append,
        now=NOW,
    )

    assert unpublished == []
    assert tokens.access_token == Role.VIEWER


def sign_role(member: SessionMember, session_id: UUID, *, now: datetime) -> str:  # noqa: ARG001 - as a signer
    return member.role


def test_new_tokens_of_a_member_are_admitted_at_once(people: People, admit: Admit) -> None:
    """The revocation of its older tokens is still in Redis."""
    member = people.join(role=Role.ADMIN)
    admit(people.tenant(member))

    disable(people, member.id)
    disabled = people.tenant(member)
    change(people, member.id, ACTIVATE)

    assert admit(disabled).verdict is AdmissionVerdict.UNAUTHENTICATED
    assert admit(people.tenant(member)).verdict is AdmissionVerdict.ADMITTED


def test_removed_member_that_joins_again_is_admitted_at_once(people: People, admit: Admit) -> None:
    member = people.join()
    before = people.tenant(member)
    admit(before)
    remove(people, member.id)

    again = people.join()

    assert again.id == member.id
    assert admit(people.tenant(again)).verdict is AdmissionVerdict.ADMITTED
    assert admit(before).verdict is AdmissionVerdict.UNAUTHENTICATED


def test_member_that_is_disabled_by_hand_is_refused(people: People, admit: Admit) -> None:
    member = people.join()

    with superuser(people.databases) as conn:
        conn.execute("UPDATE users SET status = 'disabled' WHERE id = %s", (member.id,))

    assert admit(people.tenant(member)).verdict is AdmissionVerdict.UNAUTHENTICATED


def test_removed_member_leaves_its_address_and_its_place(people: People) -> None:
    member = people.join()

    remove(people, member.id)

    assert stored(people, member) == (ADDRESS, None, False, "viewer", "removed")
    with people.databases.platform.tenant_transaction(people.organization_id) as conn:
        assert count_users(conn, people.organization_id) == 1


def test_member_of_another_organization_is_not_found(people: People, globex: Provisioned) -> None:
    for make in (disable, demote, remove):
        for user_id in (globex.admin_user_id, uuid4()):
            with pytest.raises(NotFoundError, match="no such member"):
                make(people, user_id)


def test_removed_member_is_not_found(people: People) -> None:
    member = people.join()
    remove(people, member.id)

    for make in (disable, demote, remove):
        with pytest.raises(NotFoundError, match="no such member"):
            make(people, member.id)


@CHANGES
def test_last_active_super_admin_stays(people: People, make: Change) -> None:
    people.invite(role=Role.SUPER_ADMIN)  # who is not active yet
    admin_id = people.provisioned.admin_user_id

    with pytest.raises(LastSuperAdminError):
        make(people, admin_id)

    with people.databases.platform.tenant_transaction(people.organization_id) as conn:
        assert count_active_super_admins(conn, people.organization_id) == 1


@CHANGES
def test_one_of_two_super_admins_can_go(people: People, make: Change) -> None:
    people.join(role=Role.SUPER_ADMIN)

    make(people, people.provisioned.admin_user_id)

    with people.databases.platform.tenant_transaction(people.organization_id) as conn:
        assert count_active_super_admins(conn, people.organization_id) == 1


@CHANGES
def test_concurrent_requests_leave_one_super_admin(people: People, make: Change) -> None:
    members = [people.join(f"admin-{number}@acme.example", Role.SUPER_ADMIN).id for number in range(3)]
    user_ids, barrier = [people.provisioned.admin_user_id, *members], Barrier(4)

    with ThreadPoolExecutor(4) as pool:
        outcomes = Counter(pool.map(partial(_change_alone, people, make, barrier), user_ids))

    assert outcomes == {"changed": 3, "refused": 1}
    with people.databases.platform.tenant_transaction(people.organization_id) as conn:
        assert count_active_super_admins(conn, people.organization_id) == 1


def _change_alone(people: People, make: Change, barrier: Barrier, user_id: UUID) -> str:
    """Make the change with a connection of its own. The sweep publishes it."""
    url = people.databases.servers.postgres_url(postgres.PLATFORM, people.databases.name)
    with closing(Database(lambda: url)) as db:
        barrier.wait()
        try:
            make(replace(people, databases=replace(people.databases, platform=db), targets=OutboxTargets()), user_id)
        except LastSuperAdminError:
            return "refused"
    return "changed"


@CHANGES
def test_caller_changes_no_member_with_more_permissions(people: People, make: Change) -> None:
    member = people.join(role=Role.SUPER_ADMIN)
    before = stored(people, member)
    admin = ROLES["admin"]

    with pytest.raises(ForbiddenError, match="lacks: organization:delete, sso:write"):
        if make is remove:
            remove(people, member.id, permissions=admin)
        else:
            change(people, member.id, DISABLE if make is disable else DEMOTE, permissions=admin)

    assert stored(people, member) == before


def test_caller_gives_no_role_with_more_permissions(people: People) -> None:
    member = people.join()

    with pytest.raises(ForbiddenError, match=r"super_admin .*lacks: organization:delete, sso:write"):
        change(people, member.id, MembershipChange(role=Role.SUPER_ADMIN), permissions=ROLES["admin"])

    assert (
        change(people, member.id, MembershipChange(role=Role.ADMIN), permissions=ROLES["admin"]).member.role
        is Role.ADMIN
    )


def test_changes_are_in_the_audit_log(people: People) -> None:
    member = people.join()
    user_id = member.id

    change(people, user_id, MembershipChange(role=Role.ANALYST))
    disable(people, user_id)
    change(people, user_id, ACTIVATE)
    change(people, user_id, ACTIVATE)
    remove(people, user_id)

    records = [record for record in people.actions() if record[0] not in {"member.invited", "member.joined"}]
    assert sorted((action, target) for action, target, *_ in records) == [
        ("member.changed", f"{user_id}: disabled to active"),
        ("member.changed", f"{user_id}: viewer to analyst"),
        ("member.disabled", str(user_id)),
        ("member.removed", str(user_id)),
    ]
    actors = {(kind, actor) for _, _, kind, actor in records}
    assert actors == {(CallerKind.PERSON, people.provisioned.admin_user_id)}


def test_invited_member_becomes_active_by_its_invitation_only(people: People) -> None:
    member = people.invite()

    with pytest.raises(ConflictError, match="not accepted"):
        change(people, member.id, ACTIVATE)


def test_disabled_invitation_becomes_invited_again(people: People) -> None:
    member = people.invite()
    people.sweep()
    disable(people, member.id)

    assert change(people, member.id, ACTIVATE).member.status is MemberStatus.INVITED

    assert stored(people, member)[-1] == "invited"
    with pytest.raises(UnauthenticatedError):
        people.accept(mailed_tokens(ADDRESS)[-1])


@CHANGES
def test_super_admin_without_password_is_not_counted(people: People, make: Change) -> None:
    member = people.invite(role=Role.SUPER_ADMIN)
    with superuser(people.databases) as conn:
        conn.execute("UPDATE users SET status = 'active' WHERE id = %s", (member.id,))

    with pytest.raises(LastSuperAdminError):
        make(people, people.provisioned.admin_user_id)

    make(people, member.id)  # which leaves the one with a password


def test_invited_member_joins_with_its_new_role(people: People) -> None:
    member = people.invite(role=Role.VIEWER)
    people.sweep()

    change(people, member.id, MembershipChange(role=Role.ANALYST))

    [token] = mailed_tokens(ADDRESS)
    assert people.accept(token).role is Role.ANALYST


@pytest.mark.parametrize("make", [disable, remove])
def test_invitation_of_a_disabled_or_removed_member_is_refused(people: People, make: Change) -> None:
    member = people.invite()
    people.sweep()
    [token] = mailed_tokens(ADDRESS)

    make(people, member.id)

    with pytest.raises(UnauthenticatedError):
        people.accept(token)


@pytest.mark.parametrize("make", [disable, remove])
def test_disabled_or_removed_member_gets_no_mail(people: People, make: Change) -> None:
    member = people.invite()

    make(people, member.id)
    people.sweep()

    assert mailed_tokens(ADDRESS) == []
