"""The tiers: the table of quotas and limits that are sold, and the numbers derived from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

RATE_LIMIT_WINDOW_SECONDS: Final = 60
RATE_LIMIT_BLOCK_SECONDS: Final = 60  # from the first request over the limit; write keys are not blocked
PLATFORM_REQUESTS_PER_MINUTE: Final = 1_500  # of one platform key
MAX_REQUESTS_PER_MINUTE: Final = 60_000  # of one rate bucket of an organization
# Of both rate buckets of an organization together, in the usage plan `custom`. It fits the largest rate of one bucket
# beside the other bucket's rate in any tier. Twice as much is 27 % of the requests that an account has in a region.
CUSTOM_REQUESTS_PER_MINUTE: Final = 80_000
GATEWAY_FENCE_FACTOR: Final = 2  # usage plans throttle roughly, at twice the rate limit; admission limits exactly
ACCOUNT_BURST: Final = 5_000  # "Amazon API Gateway quotas": of an account in a region; a larger burst has no effect
MINUTES_PER_QUOTA_MONTH: Final = 60 * 24 * 30
BYTES_PER_GIB: Final = 1024**3
GRACE_PERCENT: Final = 10  # of the month's quota of events: so many more are held before events are refused
UNLIMITED_GRACE_EVENTS: Final = 10_000_000  # a month, without a quota of events: the band of the largest tier
NOTICE_PERCENTS: Final = (80, 100)  # of a quota: thresholds that send a notice


class Tier(StrEnum):
    """The name of a set of quotas."""

    STARTER = "starter"
    GROWTH = "growth"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas[Limit: (int, int | None)]:
    """The quotas and limits of a tier, or of an organization (`rules/entitlements.py`).

    `api_requests` are those of secret keys and members, `ingest_requests` those of write keys.

    `None` is unlimited. *Limit* is the type of numbers that each tier limits, and that an organization may have without
    limit. The price is in US dollars per month.
    """

    events_per_month: Limit
    api_requests_per_minute: int
    ingest_requests_per_minute: int
    storage_gb: Limit
    users: int | None
    apps: int | None
    data_retention_days: int
    audit_retention_days: int
    ml_predictions_per_month: Limit
    custom_models: bool
    white_label: bool
    sso: bool
    support_level: str
    price_per_month: int

    @property
    def storage_bytes(self) -> Limit:
        """The storage quota in bytes."""
        return self.storage_gb if self.storage_gb is None else self.storage_gb * BYTES_PER_GIB

    @property
    def api_requests_per_month(self) -> int:
        """The monthly request quota of secret keys and members: 30 days at the full rate limit."""
        return self.api_requests_per_minute * MINUTES_PER_QUOTA_MONTH

    @property
    def ingest_requests_per_month(self) -> int:
        """The monthly request quota of write keys: 30 days at the full rate limit."""
        return self.ingest_requests_per_minute * MINUTES_PER_QUOTA_MONTH

    @property
    def grace_events_per_month(self) -> int:
        """The number of events over the monthly quota that are held instead of refused.

        Without that quota, events are held only if the storage is used up.
        """
        limit = self.events_per_month
        return UNLIMITED_GRACE_EVENTS if limit is None else limit * GRACE_PERCENT // 100


QUOTAS: Final[Mapping[Tier, Quotas[int]]] = MappingProxyType(
    {
        Tier.STARTER: Quotas(
            events_per_month=1_000_000,
            api_requests_per_minute=100,
            ingest_requests_per_minute=1_000,
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
            ingest_requests_per_minute=5_000,
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
            ingest_requests_per_minute=20_000,
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

LONGEST_RETENTION_DAYS: Final = max(quotas.data_retention_days for quotas in QUOTAS.values())
SHORTEST_AUDIT_RETENTION_DAYS: Final = min(quotas.audit_retention_days for quotas in QUOTAS.values())
LONGEST_AUDIT_RETENTION_DAYS: Final = max(quotas.audit_retention_days for quotas in QUOTAS.values())
