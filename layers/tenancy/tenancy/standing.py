"""How an organization stands, as far as every request has to know it."""

from dataclasses import dataclass
from typing import Final

from tenancy.organization import Status
from tenancy.tiers import Tier

LIVE: Final = "live"
REVOKED: Final = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """*epoch* counts revocations of all its people's tokens; *version* grows with every change (microseconds)."""

    tier: Tier
    status: Status
    epoch: int
    version: int
