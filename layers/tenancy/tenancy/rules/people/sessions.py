"""Sessions of members, and the member as a session needs it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from tenancy.rules.durations import SESSION_IDLE_TIME, SESSION_MAX_LIFETIME, SUCCESSOR_RETENTION
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.people.opaque_tokens import OpaqueToken
from tenancy.rules.tiers import Tier

MAX_SESSIONS: Final = 100  # of a member. A log-in over it ends the session that was refreshed longest ago.
# Of a session, after which it ends, so that its used tokens do not grow without end. One refresh per life of an access
# token makes 8,640 in the 90 days of a session.
MAX_REFRESHES: Final = 10_000
MEMBER_ACTIVE: Final = "active"
# As for access tokens. Admission refuses the requests of members of a suspended organization, and says why.
LOG_IN_STATUSES: Final = frozenset({OrganizationStatus.ACTIVE, OrganizationStatus.SUSPENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMember:
    """A member and its organization, as stored.

    *epoch* and *organization_epoch* count revocations of access tokens. *password_hash* is None for a member that was
    invited.
    """

    organization_id: UUID
    organization_name: str
    subdomain: str
    tier: Tier
    organization_status: OrganizationStatus
    organization_epoch: int
    user_id: UUID
    email: str
    name: str | None
    role: str
    status: str
    epoch: int
    password_hash: str | None = field(repr=False)

    @property
    def may_log_in(self) -> bool:
        """Whether the member may have sessions now."""
        return self.status == MEMBER_ACTIVE and self.organization_status in LOG_IN_STATUSES

    @property
    def epochs(self) -> str:
        """Both epochs as `organization.user`, the form of access tokens."""
        return f"{self.organization_epoch}.{self.epoch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenInFamily:
    """A stored refresh token, and its session.

    *used_at* is None for the newest token of the family. *successor* is encrypted. It is None for the newest token, and
    for tokens that were used more than 30 seconds ago. *refreshes* is the number of used tokens.
    """

    session_id: UUID
    used_at: datetime | None
    successor: bytes | None
    organization_epoch: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    refreshes: int

    def is_live(self, member: SessionMember, *, now: datetime) -> bool:
        """Return whether the session of *member* can be refreshed at *now*."""
        is_current = self.organization_epoch == member.organization_epoch
        return self.ended_at is None and self.expires_at > now and is_current and member.may_log_in

    def repeats_at(self, now: datetime) -> bool:
        """Return whether the used token gets the same successor again at *now*."""
        return self.used_at is not None and self.successor is not None and now - self.used_at <= SUCCESSOR_RETENTION


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTokens:
    """The tokens of a session, in full. *access_token* is not in the representation."""

    access_token: str = field(repr=False)
    refresh_token: OpaqueToken


def session_expiry(*, created_at: datetime, now: datetime) -> datetime:
    """Return the time at which a session ends if *now* was its last refresh."""
    return min(now + SESSION_IDLE_TIME, created_at + SESSION_MAX_LIFETIME)
