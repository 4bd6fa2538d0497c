"""The tiers: the table of quotas and limits that are sold, and the numbers derived from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

RATE_LIMIT_WINDOW_SECONDS: Final = 60
RATE_LIMIT_BLOCK_SECONDS: Final = 60  # from the first request over the limit
PLATFORM_REQUESTS_PER_MINUTE: Final = 1_500  # of one platform key
MINUTES_PER_QUOTA_MONTH: Final = 60 * 24 * 30
BYTES_PER_GIB: Final = 1024**3
GATEWAY_FENCE_FACTOR: Final = 2  # usage plans throttle roughly, at twice the tier's rate; admission limits exactly
GRACE_PERCENT: Final = 10  # of the month's quota of events: so many more are held before events are refused
NOTICE_PERCENTS: Final = (80, 100)  # of a quota: thresholds that send a notice


class Tier(StrEnum):
    """The name of a set of quotas."""

    STARTER = "starter"
    GROWTH = "growth"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The quotas and limits of a tier.

    `None` is unlimited. The price is in US dollars per month.
    """

    events_per_month: int
    api_requests_per_minute: int
    storage_gb: int
    users: int | None
    apps: int | None
    data_retention_days: int
    audit_retention_days: int
    ml_predictions_per_month: int
    custom_models: bool
    white_label: bool
    sso: bool
    support_level: str
    price_per_month: int

    @property
    def storage_bytes(self) -> int:
        """The storage quota in bytes."""
        return self.storage_gb * BYTES_PER_GIB

    @property
    def api_requests_per_month(self) -> int:
        """The monthly request quota: 30 days at the full rate limit."""
        return self.api_requests_per_minute * MINUTES_PER_QUOTA_MONTH

    @property
    def grace_events_per_month(self) -> int:
        """The number of events over the monthly quota that are held instead of refused."""
        return self.events_per_month * GRACE_PERCENT // 100

    @property
    def gateway_rate_per_second(self) -> float:
        """The steady rate of the usage plan, an outer limit around the rate limit."""
        return round(self.api_requests_per_minute * GATEWAY_FENCE_FACTOR / RATE_LIMIT_WINDOW_SECONDS, 2)

    @property
    def gateway_burst(self) -> int:
        """The burst of the usage plan, in requests."""
        return self.api_requests_per_minute * GATEWAY_FENCE_FACTOR


QUOTAS: Final[Mapping[Tier, Quotas]] = MappingProxyType(
    {
        Tier.STARTER: Quotas(
            events_per_month=1_000_000,
            api_requests_per_minute=100,
            storage_gb=10,
            users=5,
            apps=2,
            data_retention_days=90,
            audit_retention_days=365,
            ml_predictions_per_month=10_000,
            custom_models=False,
            white_label=False,
            sso=False,
            support_level="community",
            price_per_month=99,
        ),
        Tier.GROWTH: Quotas(
            events_per_month=10_000_000,
            api_requests_per_minute=500,
            storage_gb=50,
            users=20,
            apps=10,
            data_retention_days=180,
            audit_retention_days=730,
            ml_predictions_per_month=100_000,
            custom_models=False,
            white_label=False,
            sso=True,
            support_level="email",
            price_per_month=499,
        ),
        Tier.ENTERPRISE: Quotas(
            events_per_month=100_000_000,
            api_requests_per_minute=2_000,
            storage_gb=500,
            users=None,
            apps=None,
            data_retention_days=730,
            audit_retention_days=2_555,
            ml_predictions_per_month=1_000_000,
            custom_models=True,
            white_label=True,
            sso=True,
            support_level="priority",
            price_per_month=2_499,
        ),
    }
)

SHORTEST_RETENTION_DAYS: Final = min(quotas.data_retention_days for quotas in QUOTAS.values())
LONGEST_RETENTION_DAYS: Final = max(quotas.data_retention_days for quotas in QUOTAS.values())


def first_kept_day(tiers: Iterable[Tier], now: datetime) -> date:
    """Return the first retained day of an organization with these *tiers* in the last 30 days."""
    return (now - timedelta(days=max(QUOTAS[tier].data_retention_days for tier in tiers))).date()
