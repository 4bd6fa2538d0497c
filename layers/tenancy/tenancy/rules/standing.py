"""How an organization stands, as far as every request has to know it."""

from dataclasses import dataclass
from typing import Final

from tenancy.errors import ErasedError, NotFoundError
from tenancy.rules.organization import Organization, OrganizationStatus
from tenancy.rules.tiers import Tier

LIVE: Final = "live"
REVOKED: Final = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """*epoch* counts revocations of all its people's tokens; *version* grows with every change (microseconds)."""

    tier: Tier
    status: OrganizationStatus
    epoch: int
    version: int


def require_existing[T: (Organization, Standing)](found: T | None) -> T:
    """Return *found*, when the operator may still ask about it.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: there is none any more.
    """
    if found is None:
        raise NotFoundError("There is no such organization.")
    if found.status is OrganizationStatus.ERASED:
        raise ErasedError
    return found
