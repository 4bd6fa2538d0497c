"""Change the role or status of a member, and remove a member.

Reasons: docs/decisions/0059-members.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.errors import LastSuperAdminError, NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.people.member import PRESENT, MembershipChange, MemberStatus, StoredMember, require_permissions_of
from tenancy.rules.quotas import Metric
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.one_time_tokens import end_one_time_tokens
from tenancy.stores.postgres.seats import lock_seats
from tenancy.stores.postgres.sessions import end_sessions
from tenancy.stores.postgres.sso_identities import has_any_subject
from tenancy.stores.postgres.users import count_active_super_admins, lock_user, update_user, update_user_removed
from tenancy.use_cases.admission.enqueue_publication import enqueue_credential_publication
from tenancy.use_cases.organizations.require_changeable import require_changeable
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_entry
from tenancy.use_cases.people.invite_member import NO_MEMBER_TEXT

CHANGED: Final = "member.changed"
DISABLED: Final = "member.disabled"
REMOVED: Final = "member.removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedMembership:
    """A member after a change. If not *is_published*, the sweep publishes its new epoch later."""

    member: StoredMember
    is_published: bool


def change_member(
    platform_db: Homes,
    targets: OutboxTargets,
    organization_id: UUID,
    user_id: UUID,
    change: MembershipChange,
    *,
    permissions: frozenset[str],
    actor: Actor,
    now: datetime,
) -> ChangedMembership:
    """Change the role or status of a member, for a caller with *permissions*, and return it.

    The member's access tokens are refused at the next request. A change of the role ends no session: the next refresh
    gets an access token with the new role. A change of the status ends all of them. An invited member that is disabled
    loses its invitation. If it becomes active later, it is invited again, and needs a new invitation. A member that a
    provider knows has joined without a password. A change that changes nothing is published again.

    Raises:
        NotFoundError: the organization has no such member.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        ForbiddenError: the member's role, or its new one, has a permission that the caller lacks.
        LastSuperAdminError: no active super_admin would be left.
        ConflictError: the member has not accepted its invitation, and cannot become active.
        UnavailableError: the database is unreachable. The change may be committed. A retry is safe.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        before = _lock_changeable(conn, organization_id, user_id, permissions)
        has_subject = change.status is MemberStatus.ACTIVE and has_any_subject(conn, organization_id, user_id)
        after = change.apply_to(before, has_subject=has_subject)
        require_permissions_of(after.role, permissions)
        if after != before:
            _require_super_admin(conn, organization_id, before, after)
            _update(conn, organization_id, before, after, actor, now=now)
        publication = enqueue_credential_publication(conn, organization_id, user_id, now=now)
    return ChangedMembership(member=after, is_published=run_entry(platform_db, targets, publication, now=now))


def remove_member(
    platform_db: Homes,
    targets: OutboxTargets,
    organization_id: UUID,
    user_id: UUID,
    *,
    permissions: frozenset[str],
    actor: Actor,
    now: datetime,
) -> ChangedMembership:
    """Remove a member, and delete its name and password.

    Its sessions and tokens end. It no longer counts against the limit of users.

    The row stays with its address and role. An invitation of the address brings the member back with the same id.

    Raises:
        NotFoundError: the organization has no such member.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        ForbiddenError: the member's role has a permission that the caller lacks.
        LastSuperAdminError: no active super_admin would be left.
        UnavailableError: the database is unreachable. The member may be removed.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        before = _lock_changeable(conn, organization_id, user_id, permissions)
        _require_super_admin(conn, organization_id, before, None)
        update_user_removed(conn, organization_id, user_id)
        end_sessions(conn, organization_id, user_id, now=now)
        end_one_time_tokens(conn, organization_id, user_id, now=now)
        insert_audit_record(conn, organization_id, AuditRecord.done(REMOVED, str(user_id), actor, now=now))
        publication = enqueue_credential_publication(conn, organization_id, user_id, now=now)
    return ChangedMembership(member=before, is_published=run_entry(platform_db, targets, publication, now=now))


def _lock_changeable(
    conn: Connection, organization_id: UUID, user_id: UUID, permissions: frozenset[str]
) -> StoredMember:
    """Lock the organization's members, and return the one that the caller may change."""
    lock_seats(conn, organization_id, Metric.USERS)  # so that no two requests take the last super_admins at once
    require_changeable(conn, organization_id)
    member = lock_user(conn, organization_id, user_id)
    if member is None or member.status not in PRESENT:
        raise NotFoundError(NO_MEMBER_TEXT)
    require_permissions_of(member.role, permissions)
    return member


def _require_super_admin(
    conn: Connection, organization_id: UUID, before: StoredMember, after: StoredMember | None
) -> None:
    """Refuse a change after which no active super_admin is left. *after* is None for a removal."""
    stays = after is not None and after.is_active_super_admin
    if before.is_active_super_admin and not stays and count_active_super_admins(conn, organization_id) == 1:
        raise LastSuperAdminError


def _update(
    conn: Connection, organization_id: UUID, before: StoredMember, after: StoredMember, actor: Actor, *, now: datetime
) -> None:
    update_user(conn, organization_id, before.id, role=after.role, status=after.status)
    if after.status is not before.status:
        end_sessions(conn, organization_id, before.id, now=now)
        end_one_time_tokens(conn, organization_id, before.id, now=now)
    for action, target in _actions(before, after):
        insert_audit_record(conn, organization_id, AuditRecord.done(action, target, actor, now=now))


def _actions(before: StoredMember, after: StoredMember) -> Iterator[tuple[str, str]]:
    """Yield action and target of each audit record.

    A target has the member's id, never its address.
    """
    if after.role is not before.role:
        yield CHANGED, f"{before.id}: {before.role} to {after.role}"
    if after.status is MemberStatus.DISABLED and before.status is not after.status:
        yield DISABLED, str(before.id)
    elif after.status is not before.status:
        yield CHANGED, f"{before.id}: {before.status} to {after.status}"
