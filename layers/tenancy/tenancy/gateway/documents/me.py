"""Documents of the member that calls."""

from typing import Any, TypedDict
from uuid import UUID

from pydantic import model_validator

from tenancy.gateway.answer_types import Uuid
from tenancy.gateway.documents.sessions import Password
from tenancy.gateway.publications import report_publication
from tenancy.rules.body_members import Name
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.partial_change import PartialChange
from tenancy.rules.people.sessions import SessionMember
from tenancy.rules.permissions import ROLES
from tenancy.rules.tiers import Tier
from tenancy.use_cases.sessions.me import ChangedMember, NewPassword, OwnChange


class MemberChange(PartialChange):
    """The body of PATCH /v1/me. A new password needs the current one."""

    name: Name | None = None
    password: Password | None = None
    current_password: Password | None = None

    @model_validator(mode="after")
    def _has_both_passwords(self) -> "MemberChange":
        if (self.password is None) != (self.current_password is None):
            raise ValueError("Expected both password and current_password, or neither.")
        return self

    def apply_in(self, session_id: UUID | None) -> OwnChange:
        """Return the change, requested in that session."""
        password = None
        if self.password is not None and self.current_password is not None:
            password = NewPassword(
                password=self.password.get_secret_value(), current_password=self.current_password.get_secret_value()
            )
        return OwnChange(name=self.name, password=password, session_id=session_id)


class OrganizationOfMemberAnswer(TypedDict):
    """The organization of the member."""

    id: Uuid
    name: str
    subdomain: str
    tier: Tier
    status: OrganizationStatus


class MeAnswer(TypedDict):
    """The member that calls, with the permissions of its role."""

    id: Uuid
    email: str
    name: str | None
    role: str
    permissions: list[str]
    organization: OrganizationOfMemberAnswer


def me_document(member: SessionMember) -> dict[str, Any]:
    """Return the answer of GET /v1/me."""
    return {
        "id": str(member.user_id),
        "email": member.email,
        "name": member.name,
        "role": member.role,
        "permissions": sorted(ROLES[member.role]),
        "organization": {
            "id": str(member.organization_id),
            "name": member.organization_name,
            "subdomain": member.subdomain,
            "tier": member.tier.value,
            "status": member.organization_status.value,
        },
    }


def changed_document(changed: ChangedMember) -> dict[str, Any]:
    """Return the answer of PATCH /v1/me.

    Count a metric if the revoked tokens are not in Redis yet.
    """
    report_publication(changed.member.organization_id, is_published=changed.is_published)
    return me_document(changed.member)
