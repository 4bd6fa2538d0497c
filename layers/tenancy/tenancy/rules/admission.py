"""Admission: a request is admitted, or refused by credential, status, rate limit or quota."""

from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from tenancy.errors import OrganizationInactiveError, RateLimitedError, UnauthenticatedError
from tenancy.rules.entitlements import Entitlements
from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.quotas import Metric, quota_exceeded, quota_retry_later
from tenancy.rules.rate_limit import RateState
from tenancy.rules.tenant import AdmittedTenant, Tenant
from tenancy.rules.tiers import Tier
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


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """The decision on one request, with its reasons.

    *entitlements* and *status* are the current ones of the organization, None for the operator. The first *accepted*
    events of the request count, the next *held* events are held, and the rest is refused. *metric* and *used* name the
    quota that was reached. *degraded_by* is the error of an unreachable Redis, else empty. *rate* is None if the
    request is not authenticated.
    """

    verdict: AdmissionVerdict
    rate: RateState | None
    entitlements: Entitlements | None = None
    status: OrganizationStatus | None = None
    accepted: int = 0
    held: int = 0
    metric: Metric = Metric.EVENTS
    used: int = 0
    degraded_by: str = ""

    @property
    def tier(self) -> Tier | None:
        """The current tier of the organization, or None for the operator."""
        return None if self.entitlements is None else self.entitlements.tier

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
        if self.verdict is AdmissionVerdict.INACTIVE and self.status is not None:
            raise OrganizationInactiveError(self.status.sentence)
        if self.verdict is AdmissionVerdict.RATE_LIMITED and self.rate is not None:
            raise RateLimitedError(
                f"Rate limit exceeded: {self.rate.limit} requests per minute. Retry after {self.rate.seconds_left} s.",
                tier=self.tier or PLATFORM_TIER,
                limit=self.rate.limit,
                retry_after=self.rate.seconds_left,
            )
        if self.verdict is AdmissionVerdict.OVER_QUOTA and self.entitlements is not None and all_or_nothing:
            raise quota_retry_later(self.entitlements, self.metric)
        if self.verdict is AdmissionVerdict.OVER_QUOTA and self.entitlements is not None:
            raise quota_exceeded(self.entitlements, self.metric, used=self.used)
        raise UnauthenticatedError

    def admitted(self, tenant: Tenant) -> AdmittedTenant:
        """Return *tenant* with its current entitlements.

        Raises:
            UnauthenticatedError: this is no admission of a tenant.
        """
        if self.entitlements is None:
            raise UnauthenticatedError
        return AdmittedTenant.of(tenant, self.entitlements)

    def with_events(self, events: int, so_far: MonthSoFar, *, all_or_nothing: bool) -> "Admission":
        """Return this admission with as many of *events* as fit into the month after *so_far*.

        stores/redis/admit.lua decides by the same rule.
        """
        if self.entitlements is None:
            return self
        quotas, metric, used = self.entitlements.quotas, Metric.EVENTS, so_far.events
        room = _room(quotas.events_per_month, used, events)
        if quotas.storage_bytes is not None and so_far.storage_bytes >= quotas.storage_bytes:
            metric, used, room = Metric.STORAGE_BYTES, so_far.storage_bytes, 0
        accepted = min(events, room)
        held = min(events - accepted, _room(quotas.grace_events_per_month, so_far.held, events))
        if all_or_nothing and accepted + held < events:
            accepted = held = 0
        return replace(self, accepted=accepted, held=held, metric=metric, used=used)


def _room(limit: int | None, used: int, wanted: int) -> int:
    """Return how much is left of *limit*, or *wanted* without a limit."""
    return wanted if limit is None else max(0, limit - used)
