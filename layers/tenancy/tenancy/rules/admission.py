"""Admission: a request is admitted, or refused by credential, status, rate limit or quota."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tenancy.errors import OrganizationInactiveError, RateLimitedError, UnauthenticatedError
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.quotas import Metric, quota_exceeded, quota_retry_later
from tenancy.rules.rate_limit import RateState
from tenancy.rules.tiers import Tier

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
    that was reached. *degraded_by* is the error of an unreachable Redis, else empty. Without Redis the rate limit
    applies per process and quotas do not apply. *rate* is None if the request is not authenticated.
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
