"""What a tier includes, metric by metric, and how much of it is used."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final
from uuid import UUID

from tenancy.errors import QuotaExceededError, RateLimitedError
from tenancy.rules.durations import QUOTA_RETRY_AFTER_SECONDS
from tenancy.rules.tiers import NOTICE_PERCENTS, QUOTAS, UPGRADE_URL, Tier
from tenancy.rules.usage import TOTAL_PERIOD, month_of


class Metric(StrEnum):
    """What is counted against a quota: the first, second and fourth per UTC month, the others in total."""

    EVENTS = "events"
    API_REQUESTS = "api_requests"
    STORAGE_BYTES = "storage_bytes"
    ML_PREDICTIONS = "ml_predictions"
    USERS = "users"
    APPS = "apps"


METERED: Final = frozenset({Metric.ML_PREDICTIONS, Metric.STORAGE_BYTES})  # what clients report themselves
MONTHLY: Final = frozenset({Metric.EVENTS, Metric.API_REQUESTS, Metric.ML_PREDICTIONS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much of a quota is used, and *reserved* beside it; *limit* None is unlimited."""

    used: int
    limit: int | None
    reserved: int = 0

    @property
    def remaining(self) -> int | None:
        """What is left, never below 0; None where there is no limit."""
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)

    @property
    def is_passed(self) -> bool:
        """Whether more is used than the quota."""
        return self.limit is not None and self.used > self.limit

    def admits(self, amount: int) -> bool:
        """Whether *amount* more fits; less always does."""
        return self.limit is None or amount <= 0 or self.used + self.reserved + amount <= self.limit


def limit_of(tier: Tier, metric: Metric) -> int | None:
    """Return the quota of *metric*: a month's, or in total; None is unlimited."""
    quotas = QUOTAS[tier]
    limits: dict[Metric, int | None] = {
        Metric.EVENTS: quotas.events_per_month,
        Metric.API_REQUESTS: quotas.api_requests_per_month,
        Metric.STORAGE_BYTES: quotas.storage_bytes,
        Metric.ML_PREDICTIONS: quotas.ml_predictions_per_month,
        Metric.USERS: quotas.users,
        Metric.APPS: quotas.apps,
    }
    return limits[metric]


def quota_exceeded(tier: Tier, metric: Metric, *, used: int, reserved: int = 0) -> QuotaExceededError:
    """Return the refusal of whoever asks for more of *metric* than the tier includes."""
    limit = limit_of(tier, metric) or 0
    aside = f", and {reserved} set aside" if reserved else ""
    detail = f"There is no room for it in the quota of {metric}: {used} of {limit} are used{aside}."
    return QuotaExceededError(detail, tier=tier, metric=metric, limit=limit, used=used, upgrade_url=UPGRADE_URL)


def quota_retry_later(tier: Tier, metric: Metric) -> RateLimitedError:
    """Return the same refusal for a Segment SDK, which sends again on 429, and drops for good on 402."""
    return RateLimitedError(
        f"The quota of {metric} is used up, and so is what can be held past it.",
        tier=tier,
        limit=limit_of(tier, metric) or 0,
        retry_after=QUOTA_RETRY_AFTER_SECONDS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaNotice:
    """A reached threshold of a quota, sent once per *period* (its first day, or `TOTAL_PERIOD`)."""

    organization_id: UUID
    metric: Metric
    period: date
    percent: int
    used: int
    quota: int


def period_of(metric: Metric, today: date) -> date:
    """Return the period that *metric* is counted in: its first day."""
    return month_of(today).start if metric in MONTHLY else TOTAL_PERIOD


def list_reached_thresholds(
    organization_id: UUID, tier: Tier, metric: Metric, *, used: int, today: date
) -> list[QuotaNotice]:
    """Return the thresholds that were reached: all of them, however large the last step was."""
    quota = limit_of(tier, metric)
    if quota is None:
        return []
    return [
        QuotaNotice(
            organization_id=organization_id,
            metric=metric,
            period=period_of(metric, today),
            percent=percent,
            used=used,
            quota=quota,
        )
        for percent in NOTICE_PERCENTS
        if used * 100 >= quota * percent
    ]
