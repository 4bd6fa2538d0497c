"""One-time tokens: the purposes for which a mail gives one to a person, and their limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from tenancy.rules.durations import INVITATION_LIFETIME, PASSWORD_RESET_LIFETIME
from tenancy.rules.people.member import MemberStatus, StoredMember

TOKEN_MAILS_AN_HOUR: Final = 3  # of one purpose, to one address of one organization
TIME_FORMAT: Final = "%Y-%m-%d %H:%M UTC"  # in texts for people
# The same for a wrong, used, replaced or expired token, and for one of an organization that does not exist.
REFUSED_TOKEN_TEXT: Final = "The one-time token is not valid: it is unknown, used, replaced or expired."  # noqa: S105


class TokenPurpose(StrEnum):
    """The one thing that a one-time token allows."""

    INVITATION = "invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a purpose


LIFETIMES: Final[Mapping[TokenPurpose, timedelta]] = MappingProxyType(
    {TokenPurpose.INVITATION: INVITATION_LIFETIME, TokenPurpose.PASSWORD_RESET: PASSWORD_RESET_LIFETIME}
)
# The status of the members that a token is for. A member with another status gets no mail, and its token is refused.
STATUSES: Final[Mapping[TokenPurpose, MemberStatus]] = MappingProxyType(
    {TokenPurpose.INVITATION: MemberStatus.INVITED, TokenPurpose.PASSWORD_RESET: MemberStatus.ACTIVE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeToken:
    """A one-time token that is neither used nor expired, and the *member* it is for.

    *is_mailed* tells whether it has a digest, so that a mail may be on its way.
    """

    id: UUID
    purpose: TokenPurpose
    member: StoredMember
    created_at: datetime
    expires_at: datetime
    is_mailed: bool

    @property
    def is_usable(self) -> bool:
        """Whether the member has the status that the token is for."""
        return self.member.status is STATUSES[self.purpose]
