"""The standing of an organization: the state that each request needs."""

from dataclasses import dataclass
from typing import Final

from tenancy.errors import ErasedError, NotFoundError
from tenancy.rules.entitlements import Entitlements
from tenancy.rules.organization import Organization, OrganizationStatus

LIVE: Final = "live"
REVOKED: Final = "revoked"


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
