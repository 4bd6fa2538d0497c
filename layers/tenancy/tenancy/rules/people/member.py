"""Members of an organization: their states, their roles, and the changes of both."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from tenancy.errors import ConflictError, ForbiddenError
from tenancy.rules.permissions import ROLES


class Role(StrEnum):
    """The role of a member. `rules/permissions.py` has its permissions."""

    SUPER_ADMIN = "super_admin"
    ADMIN = "admin"
    ANALYST = "analyst"
    VIEWER = "viewer"


class MemberStatus(StrEnum):
    """The state of a member.

    An invited member has no password yet. A disabled member cannot log in. It can be made active again, or invited if
    it has never accepted an invitation. No list shows a removed member.
    """

    ACTIVE = "active"
    INVITED = "invited"
    DISABLED = "disabled"
    REMOVED = "removed"


MEMBER_JOINED: Final = "member.joined"  # the action of an audit record: an invitation was accepted
ROLE_TEXT: Final = "This credential cannot give the role to a member, and cannot change a member with the role."
# A member has one of these until it is removed.
PRESENT: Final = frozenset({MemberStatus.ACTIVE, MemberStatus.INVITED, MemberStatus.DISABLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMember:
    """A stored member, without its password hash.

    *name* is None until the member has chosen one. *last_signed_in_at* is None until the first log-in.
    """

    id: UUID
    email: str
    name: str | None
    role: Role
    status: MemberStatus
    created_at: datetime
    has_password: bool
    last_signed_in_at: datetime | None = None

    @property
    def is_active_super_admin(self) -> bool:
        """Whether the member can log in with the role that has all permissions."""
        return self.status is MemberStatus.ACTIVE and self.role is Role.SUPER_ADMIN and self.has_password


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipChange:
    """A new role or status of a member. None leaves it as it is."""

    role: Role | None = None
    status: MemberStatus | None = None

    def apply_to(self, member: StoredMember, *, has_subject: bool) -> StoredMember:
        """Return *member* with the change.

        A disabled member that never joined becomes invited instead of active. A member has joined if it has a password,
        or if it *has_subject*: a provider of single sign-on knows it.

        Raises:
            ConflictError: an invited member would become active without an accepted invitation.
        """
        if self.status is MemberStatus.ACTIVE and member.status is MemberStatus.INVITED:
            raise ConflictError("The member has not accepted the invitation yet. Send the invitation again instead.")
        status = self.status or member.status
        if self.status is MemberStatus.ACTIVE and not (member.has_password or has_subject):
            status = MemberStatus.INVITED
        return replace(member, role=self.role or member.role, status=status)


def require_permissions_of(role: Role, permissions: Collection[str], *, so: str = ROLE_TEXT) -> None:
    """Refuse a caller with *permissions* that are not all permissions of *role*.

    A caller grants no role that can do more than the caller can, and changes no member with such a role. *so* ends the
    text: it says what the caller cannot do.

    Raises:
        ForbiddenError: the caller lacks a permission of the role.
    """
    lacking = sorted(ROLES[role].difference(permissions))
    if lacking:
        raise ForbiddenError(f"The role {role} has permissions that the credential lacks: {', '.join(lacking)}. {so}")
