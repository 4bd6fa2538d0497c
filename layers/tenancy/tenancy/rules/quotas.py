"""Quotas: the limit of each metric, its use, and the refusals over it."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final
from uuid import UUID

from tenancy.errors import NotFoundError, QuotaExceededError, RateLimitedError
from tenancy.rules.durations import QUOTA_RETRY_AFTER_SECONDS
from tenancy.rules.entitlements import Entitlements
from tenancy.rules.tiers import NOTICE_PERCENTS
from tenancy.rules.usage import TOTAL_PERIOD, month_of


class Metric(StrEnum):
    """The metrics with a quota.

    Those in `MONTHLY` count per UTC month, the others in total. API_REQUESTS are the requests of secret keys and
    members, INGEST_REQUESTS those of write keys.
    """

    EVENTS = "events"
    API_REQUESTS = "api_requests"
    INGEST_REQUESTS = "ingest_requests"
    STORAGE_BYTES = "storage_bytes"
    ML_PREDICTIONS = "ml_predictions"
    USERS = "users"
    APPS = "apps"


METERED: Final = frozenset({Metric.ML_PREDICTIONS, Metric.STORAGE_BYTES})  # reported by clients
MONTHLY: Final = frozenset({Metric.EVENTS, Metric.API_REQUESTS, Metric.INGEST_REQUESTS, Metric.ML_PREDICTIONS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A quota with the amounts *used* and *reserved*.

    A *limit* of None is unlimited.
    """

    used: int
    limit: int | None
    reserved: int = 0

    @property
    def remaining(self) -> int | None:
        """The amount that is left, at least 0.

        None without a limit.
        """
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)

    @property
    def is_passed(self) -> bool:
        """Whether the use exceeds the quota."""
        return self.limit is not None and self.used > self.limit

    def admits(self, amount: int) -> bool:
        """Whether *amount* more fits.

        A negative amount always fits.
        """
        return self.limit is None or amount <= 0 or self.used + self.reserved + amount <= self.limit


def limit_of(entitlements: Entitlements, metric: Metric) -> int | None:
    """Return the quota of *metric*, per month or in total.

    None is unlimited.
    """
    quotas = entitlements.quotas
    limits: dict[Metric, int | None] = {
        Metric.EVENTS: quotas.events_per_month,
        Metric.API_REQUESTS: quotas.api_requests_per_month,
        Metric.INGEST_REQUESTS: quotas.ingest_requests_per_month,
        Metric.STORAGE_BYTES: quotas.storage_bytes,
        Metric.ML_PREDICTIONS: quotas.ml_predictions_per_month,
        Metric.USERS: quotas.users,
        Metric.APPS: quotas.apps,
    }
    return limits[metric]


def quota_exceeded(entitlements: Entitlements, metric: Metric, *, used: int, reserved: int = 0) -> QuotaExceededError:
    """Return the refusal for a request that exceeds the quota of *metric*."""
    limit = limit_of(entitlements, metric) or 0
    remaining = limit - used - reserved
    detail = f"Quota exceeded: {used} of {limit} {_unit(metric)} used{_per(metric)}"
    detail += f", {reserved} reserved." if reserved else "."
    if remaining > 0:
        detail += f" The remaining {remaining} are not enough."
    return QuotaExceededError(detail, tier=entitlements.tier, metric=metric, limit=limit, used=used)


def quota_retry_later(entitlements: Entitlements, metric: Metric) -> RateLimitedError:
    """Return the refusal for Segment SDKs.

    They retry after a 429 and drop events after a 402.
    """
    limit = limit_of(entitlements, metric) or 0
    return RateLimitedError(
        f"Quota exceeded: the request does not fit into the quota of {limit} {_unit(metric)}{_per(metric)}. "
        f"Retry after {QUOTA_RETRY_AFTER_SECONDS} s. An upgrade or the next month gives new quota.",
        tier=entitlements.tier,
        limit=limit,
        retry_after=QUOTA_RETRY_AFTER_SECONDS,
    )


def _unit(metric: Metric) -> str:
    return metric.replace("_", " ")


def _per(metric: Metric) -> str:
    return " this month" if metric in MONTHLY else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaNotice:
    """A reached threshold of a quota.

    It is sent once per *period* (a first day or `TOTAL_PERIOD`).
    """

    organization_id: UUID
    metric: Metric
    period: date
    percent: int
    used: int
    quota: int


def period_of(metric: Metric, today: date) -> date:
    """Return the first day of the period in which *metric* is counted."""
    return month_of(today).start if metric in MONTHLY else TOTAL_PERIOD


def list_reached_thresholds(
    organization_id: UUID, entitlements: Entitlements, metric: Metric, *, used: int, today: date
) -> list[QuotaNotice]:
    """Return all thresholds that *used* has reached, also those that one step skipped.

    No threshold is reached before the first use, also of a quota of 0.
    """
    quota = limit_of(entitlements, metric)
    if quota is None or not used:
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


def parse_metric(name: str) -> Metric:
    """Return the metric *name* if clients may report it.

    Raises:
        NotFoundError: clients report no metric of that name.
    """
    if name not in METERED:
        raise NotFoundError(f"Unknown metric. Use {' or '.join(sorted(METERED))}.")
    return Metric(name)
