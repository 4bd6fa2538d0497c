"""The decision on a request: admitted, or refused because of who asks, how often, or how much of what."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tenancy.errors import OrganizationInactiveError, RateLimitedError, UnauthenticatedError
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.quotas import Metric, quota_exceeded, quota_retry_later
from tenancy.rules.rate_limit import RateState
from tenancy.rules.tiers import Tier

HELD_FOR_QUOTA: Final = "quota"
PLATFORM_TIER: Final = "platform"  # what stands for a tier where the operator calls


class AdmissionVerdict(StrEnum):
    """What becomes of a request."""

    ADMITTED = "admitted"
    UNAUTHENTICATED = "unauthenticated"
    RATE_LIMITED = "rate_limited"
    INACTIVE = "inactive"
    OVER_QUOTA = "over_quota"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What was decided. *tier* and *status* are the organization's of now, None for the operator.

    Of the events that the request brings the first *accepted* ones count, the next *held* ones are kept apart, and the
    rest is refused; *metric* and *used* say what of the quotas they met. *degraded_by* is why Redis is away, empty when
    it is not: limits hold for this process alone then, and quotas not at all. *rate* is None for nobody's request.
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
        """Let the request pass when it is admitted; *is_whole* for a Segment SDK, which drops what is answered 402.

        Raises:
            UnauthenticatedError: the credential was revoked since the authorizer saw it.
            RateLimitedError: too many requests within a minute, or *is_whole* and the month's are used up.
            OrganizationInactiveError: the organization is suspended or deleted.
            QuotaExceededError: the month's requests are used up.
        """
        if self.verdict is AdmissionVerdict.ADMITTED:
            return
        if self.verdict is AdmissionVerdict.INACTIVE:
            raise OrganizationInactiveError(f"The organization is {self.status}.")
        if self.verdict is AdmissionVerdict.RATE_LIMITED and self.rate is not None:
            raise RateLimitedError(
                f"More than {self.rate.limit} requests within a minute.",
                tier=self.tier or PLATFORM_TIER,
                limit=self.rate.limit,
                retry_after=self.rate.seconds_left,
            )
        if self.verdict is AdmissionVerdict.OVER_QUOTA and self.tier is not None and all_or_nothing:
            raise quota_retry_later(self.tier, self.metric)
        if self.verdict is AdmissionVerdict.OVER_QUOTA and self.tier is not None:
            raise quota_exceeded(self.tier, self.metric, used=self.used)
        raise UnauthenticatedError
