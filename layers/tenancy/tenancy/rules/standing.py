"""The standing of an organization: the state that each request needs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tenancy.errors import ErasedError, NotFoundError
from tenancy.rules.entitlements import Entitlements
from tenancy.rules.organization import Organization, OrganizationStatus
from tenancy.rules.unix_time import milliseconds_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Entitlements, status and revocations of an organization.

    *epoch* counts how often all access tokens of the organization were revoked. *version* grows with each change
    (microseconds since 1970).
    """

    entitlements: Entitlements
    status: OrganizationStatus
    epoch: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialState:
    """The state of a key or member, as it decides on the next request.

    A key is refused from *ends_at* on. None is never. *epoch* counts how often the access tokens of a member were
    revoked. It is None for a key.
    """

    is_revoked: bool = False
    ends_at: datetime | None = None
    epoch: int | None = None

    @property
    def text(self) -> str:
        """The state in Redis: `live`, `live until <ms since 1970>`, `revoked` or the epoch."""
        if self.is_revoked:
            return "revoked"
        if self.epoch is not None:
            return str(self.epoch)
        return "live" if self.ends_at is None else f"live until {milliseconds_of(self.ends_at)}"

    def admits(self, epochs: str, standing: Standing, *, now: datetime) -> bool:
        """Return whether the credential is valid at *now*.

        *epochs* are those of its token, empty for a key. stores/redis/admit.lua decides by the same rule.
        """
        if self.is_revoked or (self.ends_at is not None and milliseconds_of(self.ends_at) <= milliseconds_of(now)):
            return False
        return epochs == ("" if self.epoch is None else f"{standing.epoch}.{self.epoch}")


LIVE: Final = CredentialState()
REVOKED: Final = CredentialState(is_revoked=True)


def require_existing[T: (Organization, Standing)](found: T | None) -> T:
    """Return *found* if it exists and is not erased.

    Raises:
        NotFoundError: the organization does not exist.
        ErasedError: the organization was erased.
    """
    if found is None:
        raise NotFoundError("There is no such organization.")
    if found.status is OrganizationStatus.ERASED:
        raise ErasedError
    return found
