"""The entitlements of an organization: the quotas of its tier with its overrides applied.

Every limit of an organization is read from here, never from the table of the tiers
(docs/decisions/0046-entitlements.md).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from tenancy.errors import NotInTierError
from tenancy.rules.tiers import (
    LONGEST_AUDIT_RETENTION_DAYS,
    LONGEST_RETENTION_DAYS,
    MAX_REQUESTS_PER_MINUTE,
    QUOTAS,
    SHORTEST_AUDIT_RETENTION_DAYS,
    Quotas,
    Tier,
)

UNLIMITED_OVERRIDE: Final = "unlimited"  # the override that lifts a limit
SHORTEST_RETENTION_DAYS: Final = 1
MAX_EVENTS_PER_MONTH: Final = 10**12
MAX_PREDICTIONS_PER_MONTH: Final = 10**12
MAX_STORAGE_GB: Final = 10**6
MAX_SEATS: Final = 10**6

type OverrideValue = bool | int | str
type Overrides = Mapping[str, OverrideValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The least and the largest number of an override.

    Only a limit that *may_be_lifted* may be unlimited.
    """

    least: int
    most: int
    may_be_lifted: bool = True


# Every quota and limit of the tiers that an override may change, by its name in `Quotas`.
BOUNDS: Final[Mapping[str, Bounds]] = MappingProxyType(
    {
        "events_per_month": Bounds(least=0, most=MAX_EVENTS_PER_MONTH),
        # The sum of both rates has a bound of its own (rules/usage_plans.py).
        "api_requests_per_minute": Bounds(least=1, most=MAX_REQUESTS_PER_MINUTE, may_be_lifted=False),
        "ingest_requests_per_minute": Bounds(least=1, most=MAX_REQUESTS_PER_MINUTE, may_be_lifted=False),
        "storage_gb": Bounds(least=0, most=MAX_STORAGE_GB),
        "users": Bounds(least=0, most=MAX_SEATS),
        "apps": Bounds(least=0, most=MAX_SEATS),
        "data_retention_days": Bounds(least=SHORTEST_RETENTION_DAYS, most=LONGEST_RETENTION_DAYS, may_be_lifted=False),
        # PostgreSQL takes no checkpoint of younger entries (layers/migrations/postgres/0007_audit_policies.sql).
        "audit_retention_days": Bounds(
            least=SHORTEST_AUDIT_RETENTION_DAYS, most=LONGEST_AUDIT_RETENTION_DAYS, may_be_lifted=False
        ),
        "ml_predictions_per_month": Bounds(least=0, most=MAX_PREDICTIONS_PER_MONTH),
    }
)
WHITE_LABEL_FLAG: Final = "white_label"
FLAG_NAMES: Final = ("custom_models", WHITE_LABEL_FLAG, "sso")
ENTITLEMENT_NAMES: Final = (*BOUNDS, *FLAG_NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlements:
    """The quotas, limits and flags of an organization.

    *quotas* are those of the *tier*, with the *overrides* applied.
    """

    tier: Tier
    overrides: Overrides = field(hash=False)
    quotas: Quotas[int | None] = field(init=False)

    def __post_init__(self) -> None:
        """Apply the overrides.

        An override that this release does not know has no effect.
        """
        changes: dict[str, Any] = {
            name: None if value == UNLIMITED_OVERRIDE else value
            for name, value in self.overrides.items()
            if name in ENTITLEMENT_NAMES
        }
        quotas = QUOTAS[self.tier]
        object.__setattr__(self, "quotas", replace(quotas, **changes) if changes else quotas)

    @property
    def values(self) -> Mapping[str, int | bool | None]:
        """The value of each entitlement by its name. None is unlimited."""
        return {name: getattr(self.quotas, name) for name in ENTITLEMENT_NAMES}


def require_flag(entitlements: Entitlements, flag: str) -> None:
    """Require that *entitlements* include *flag*, one of `FLAG_NAMES`.

    Raises:
        NotInTierError: they do not.
    """
    if not entitlements.values[flag]:
        raise NotInTierError(tier=entitlements.tier, entitlement=flag)


def list_tiers() -> list[Entitlements]:
    """Return each tier as it is sold."""
    return [Entitlements(tier=tier, overrides={}) for tier in Tier]


def change_overrides(overrides: Overrides, changes: Mapping[str, OverrideValue | None]) -> Overrides:
    """Return *overrides* after *changes*, in the order of `ENTITLEMENT_NAMES`.

    None removes an override.
    """
    changed = {**overrides, **changes}
    return {name: value for name in ENTITLEMENT_NAMES if (value := changed.get(name)) is not None}


def retention_days_of(tier: Tier, retention_days: int | None) -> int:
    """Return the days for which an organization keeps events, or kept them before a change.

    *retention_days* is None if there is no override. It is also None in a `tier_changes` row of the previous release,
    which did not store it. Then the days of *tier* apply.
    """
    return QUOTAS[tier].data_retention_days if retention_days is None else retention_days


def first_kept_day(retentions: Iterable[int], now: datetime) -> date:
    """Return the first day that an organization with these *retentions* keeps.

    They are those of the last 30 days, and the longest one applies.
    """
    return (now - timedelta(days=max(retentions))).date()
