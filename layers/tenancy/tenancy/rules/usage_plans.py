"""The usage plans of API Gateway: rough throttles around the exact rate limits of admission."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from tenancy.errors import RatesTooLargeError
from tenancy.rules.entitlements import Entitlements, list_tiers
from tenancy.rules.tiers import (
    ACCOUNT_BURST,
    CUSTOM_REQUESTS_PER_MINUTE,
    GATEWAY_FENCE_FACTOR,
    RATE_LIMIT_WINDOW_SECONDS,
    Quotas,
)


class UsagePlan(StrEnum):
    """The usage plans of organizations: one for each tier, and one for larger rates."""

    STARTER = "starter"
    GROWTH = "growth"
    ENTERPRISE = "enterprise"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The throttle of a usage plan: the steady rate, and the burst in requests."""

    rate_per_second: float
    burst: int


def _sum_rates(quotas: Quotas[int | None]) -> int:
    """Return the requests a minute of both rate buckets, which share the gateway key."""
    return quotas.api_requests_per_minute + quotas.ingest_requests_per_minute


# The largest sum of both rate limits around which the fence of each plan fits, from the smallest to the largest.
PLAN_REQUESTS_PER_MINUTE: Final[Mapping[UsagePlan, int]] = MappingProxyType(
    {
        **{UsagePlan(each.tier): _sum_rates(each.quotas) for each in list_tiers()},
        UsagePlan.CUSTOM: CUSTOM_REQUESTS_PER_MINUTE,
    }
)


def fence_of(plan: UsagePlan) -> Fence:
    """Return the throttle of *plan*."""
    requests = PLAN_REQUESTS_PER_MINUTE[plan] * GATEWAY_FENCE_FACTOR
    rate = round(requests / RATE_LIMIT_WINDOW_SECONDS, 2)
    return Fence(rate_per_second=rate, burst=min(requests, ACCOUNT_BURST))


def plan_of(entitlements: Entitlements) -> UsagePlan:
    """Return the plan of the tier if it fits both rate limits, else the smallest that does.

    Raises:
        RatesTooLargeError: no fence fits.
    """
    rate, own = _sum_rates(entitlements.quotas), UsagePlan(entitlements.tier)
    fitting = [plan for plan, requests in PLAN_REQUESTS_PER_MINUTE.items() if requests >= rate]
    if not fitting:
        quotas = entitlements.quotas
        raise RatesTooLargeError(
            api=quotas.api_requests_per_minute,
            ingest=quotas.ingest_requests_per_minute,
            limit=CUSTOM_REQUESTS_PER_MINUTE,
        )
    return own if own in fitting else fitting[0]
