"""Documents of members."""

from typing import Annotated, Any, Final, TypedDict
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema

from tenancy.gateway.answer_types import Time, Uuid
from tenancy.gateway.publications import report_publication
from tenancy.gateway.times import format_time
from tenancy.rules.address_member import Address
from tenancy.rules.partial_change import PartialChange
from tenancy.rules.people.member import PRESENT, MembershipChange, MemberStatus, Role, StoredMember
from tenancy.use_cases.people.change_member import ChangedMembership
from tenancy.use_cases.people.invite_member import Invitation

SETTABLE: Final = frozenset({MemberStatus.ACTIVE, MemberStatus.DISABLED})


def _settable(status: MemberStatus) -> MemberStatus:
    if status not in SETTABLE:
        raise ValueError("Expected active or disabled. Use DELETE to remove a member.")
    return status


ShownStatus = Annotated[MemberStatus, WithJsonSchema({"type": "string", "enum": sorted(PRESENT)})]
SettableStatus = Annotated[
    MemberStatus, AfterValidator(_settable), WithJsonSchema({"type": "string", "enum": sorted(SETTABLE)})
]


class NewMember(BaseModel):
    """The body of POST /v1/users: an address, and the role of the invited member."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: Address
    role: Role

    def invitation(self) -> Invitation:
        """Return the invitation."""
        return Invitation(email=self.email, role=self.role)


class MemberPatch(PartialChange):
    """The body of PATCH /v1/users/{user_id}: a role, a status or both."""

    role: Role | None = None
    status: SettableStatus | None = None

    def change(self) -> MembershipChange:
        """Return the change of the member."""
        return MembershipChange(role=self.role, status=self.status)


class MemberAnswer(TypedDict):
    """A member. Its name is null until the member has chosen one. Its last sign-in is null before the first one."""

    id: Uuid
    email: str
    name: str | None
    role: Role
    status: ShownStatus
    created_at: Time
    last_signed_in_at: Time | None


def member_document(member: StoredMember) -> dict[str, Any]:
    """Return a member, without its password and tokens."""
    return {
        "id": str(member.id),
        "email": member.email,
        "name": member.name,
        "role": member.role.value,
        "status": member.status.value,
        "created_at": format_time(member.created_at),
        "last_signed_in_at": format_time(member.last_signed_in_at) if member.last_signed_in_at else None,
    }


def report_unpublished_member(changed: ChangedMembership, organization_id: UUID) -> StoredMember:
    """Return the changed member. Count a metric if its new epoch is not in Redis yet."""
    report_publication(organization_id, is_published=changed.is_published)
    return changed.member
