"""Admission: a request is admitted, or refused by credential, status, rate limit or quota."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tenancy.errors import OrganizationInactiveError, RateLimitedError, UnauthenticatedError
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.quotas import Metric, quota_exceeded, quota_retry_later
from tenancy.rules.rate_limit import RateState
from tenancy.rules.tenant import AdmittedTenant, Tenant
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.rules.usage import MonthSoFar

HELD_FOR_QUOTA: Final = "quota"
PLATFORM_TIER: Final = "platform"  # shown as the tier of an operator's request


class AdmissionVerdict(StrEnum):
    """The decision on a request."""

    ADMITTED = "admitted"
    UNAUTHENTICATED = "unauthenticated"
    RATE_LIMITED = "rate_limited"
    INACTIVE = "inactive"
    OVER_QUOTA = "over_quota"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The decision on one request, with its reasons.

    *tier* and *status* are the current ones of the organization, None for the operator. The first *accepted* events
    of the request count, the next *held* events are held, and the rest is refused. *metric* and *used* name the quota
    that was reached. *degraded_by* is the error of an unreachable Redis, else empty. *rate* is None if the request is
    not authenticated.
    """

    verdict: AdmissionVerdict
    rate: RateState | None
    tier: Tier | None = None
    status: OrganizationStatus | None = None
    accepted: int = 0
    held: int = 0
    metric: Metric = Metric.EVENTS
    used: int = 0
    degraded_by: str = ""

    def require_admitted(self, *, all_or_nothing: bool = False) -> None:
        """Raise the refusal unless the request is admitted.

        *all_or_nothing* is for Segment SDKs. They drop a batch after a 402, so a used quota is 429 for them.

        Raises:
            UnauthenticatedError: the credential was revoked after the authorizer verified it.
            RateLimitedError: the rate limit is exceeded, or *all_or_nothing* is set and a quota is used.
            OrganizationInactiveError: the organization is suspended or deleted.
            QuotaExceededError: a quota is used.
        """
        if self.verdict is AdmissionVerdict.ADMITTED:
            return
        if self.verdict is AdmissionVerdict.INACTIVE:
            raise OrganizationInactiveError(f"The organization is {self.status}.")
        if self.verdict is AdmissionVerdict.RATE_LIMITED and self.rate is not None:
            raise RateLimitedError(
                f"Rate limit exceeded: {self.rate.limit} requests per minute. Retry after {self.rate.seconds_left} s.",
                tier=self.tier or PLATFORM_TIER,
                limit=self.rate.limit,
                retry_after=self.rate.seconds_left,
            )
        if self.verdict is AdmissionVerdict.OVER_QUOTA and self.tier is not None and all_or_nothing:
            raise quota_retry_later(self.tier, self.metric)
        if self.verdict is AdmissionVerdict.OVER_QUOTA and self.tier is not None:
            raise quota_exceeded(self.tier, self.metric, used=self.used)
        raise UnauthenticatedError

    def admitted(self, tenant: Tenant) -> AdmittedTenant:
        """Return *tenant* with its current tier.

        Raises:
            UnauthenticatedError: this is no admission of a tenant.
        """
        if self.tier is None:
            raise UnauthenticatedError
        return AdmittedTenant.of(tenant, self.tier)

    def with_events(self, events: int, so_far: MonthSoFar, *, all_or_nothing: bool) -> "Admission":
        """Return this admission with as many of *events* as fit into the month after *so_far*.

        stores/redis/admit.lua decides by the same rule.
        """
        if self.tier is None:
            return self
        quotas, metric, used = QUOTAS[self.tier], Metric.EVENTS, so_far.events
        room = max(0, quotas.events_per_month - used)
        if so_far.storage_bytes >= quotas.storage_bytes:
            metric, used, room = Metric.STORAGE_BYTES, so_far.storage_bytes, 0
        accepted = min(events, room)
        held = min(events - accepted, max(0, quotas.grace_events_per_month - so_far.held))
        if all_or_nothing and accepted + held < events:
            accepted = held = 0
        return replace(self, accepted=accepted, held=held, metric=metric, used=used)
