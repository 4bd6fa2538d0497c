"""The usage plans of API Gateway: a rough throttle of each gateway key, around the exact rate limit of admission."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from tenancy.rules.entitlements import Entitlements, list_tiers
from tenancy.rules.tiers import (
    ACCOUNT_BURST,
    CUSTOM_REQUESTS_PER_MINUTE,
    GATEWAY_FENCE_FACTOR,
    RATE_LIMIT_WINDOW_SECONDS,
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


# The largest rate limit around which the fence of each plan fits, from the smallest to the largest.
PLAN_REQUESTS_PER_MINUTE: Final[Mapping[UsagePlan, int]] = MappingProxyType(
    {
        **{UsagePlan(each.tier): each.quotas.api_requests_per_minute for each in list_tiers()},
        UsagePlan.CUSTOM: CUSTOM_REQUESTS_PER_MINUTE,
    }
)


def fence_of(plan: UsagePlan) -> Fence:
    """Return the throttle of *plan*."""
    requests = PLAN_REQUESTS_PER_MINUTE[plan] * GATEWAY_FENCE_FACTOR
    rate = round(requests / RATE_LIMIT_WINDOW_SECONDS, 2)
    return Fence(rate_per_second=rate, burst=min(requests, ACCOUNT_BURST))


def plan_of(entitlements: Entitlements) -> UsagePlan:
    """Return the plan of the tier, or else the smallest one whose fence fits around the rate limit.

    The bounds of overrides let no rate limit be larger than the largest plan.
    """
    rate, own = entitlements.quotas.api_requests_per_minute, UsagePlan(entitlements.tier)
    fitting = [plan for plan, requests in PLAN_REQUESTS_PER_MINUTE.items() if requests >= rate]
    return own if own in fitting else fitting[0]
