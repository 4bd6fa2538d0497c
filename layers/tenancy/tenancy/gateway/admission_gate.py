"""The gate that every authenticated request comes through: admitted or refused, its answer says the limits."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tenancy.gateway.http import Request
from tenancy.gateway.metrics import count
from tenancy.rules.admission import Admission
from tenancy.rules.rate_limit import RateState
from tenancy.rules.tenant import Caller, Operator, Tenant
from tenancy.rules.tiers import RATE_LIMIT_WINDOW_SECONDS
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import Admissions

if TYPE_CHECKING:
    from tenancy.stores.postgres.client import Database

ADMISSION_DEGRADED: Final = "AdmissionDegraded"
POLICY: Final = '"rpm"'  # requests per minute


class AdmissionGate:
    """Admits requests, and notes on each what its answer has to say of limits."""

    def __init__(self, redis: Redis, db: "Callable[[], Database]") -> None:
        """Count in *redis*; *db* is asked for where Redis does not know."""
        self._admissions = Admissions(redis, db)

    def admit(self, request: Request, caller: Caller, *, all_or_nothing: bool = False, now: datetime) -> Caller:
        """Return *caller*, with the tier of now, when its request is admitted; *is_whole* for a Segment SDK's.

        Raises:
            UnauthenticatedError, RateLimitedError, OrganizationInactiveError, QuotaExceededError: it is not.
            UnavailableError: Redis and PostgreSQL are away.
        """
        return _as_of_now(caller, self._decide(request, caller, all_or_nothing=all_or_nothing, now=now))

    def reserve(
        self, request: Request, tenant: Tenant, *, events: int, all_or_nothing: bool, now: datetime
    ) -> Admission:
        """Admit a request that brings *events*, and return how many of them are accepted and held.

        Raises:
            UnauthenticatedError, RateLimitedError, OrganizationInactiveError, QuotaExceededError, UnavailableError: as
                for `admit`.
        """
        return self._decide(request, tenant, events=events, all_or_nothing=all_or_nothing, now=now)

    def give_back(self, tenant: Tenant, admission: Admission, *, reserved_at: datetime) -> None:
        """Give back the reserved events of an *admission* that were not taken after all."""
        self._admissions.give_back(tenant, admission, reserved_at=reserved_at)

    def _decide(
        self, request: Request, caller: Caller, *, events: int = 0, all_or_nothing: bool = False, now: datetime
    ) -> Admission:
        admission = self._admissions.admit(caller, events=events, all_or_nothing=all_or_nothing, now=now)
        if admission.degraded_by:
            count(ADMISSION_DEGRADED, {"reason": admission.degraded_by})
        if admission.rate is not None:
            request.answer_headers.update(_rate_headers(admission.rate))
        admission.require_admitted(all_or_nothing=all_or_nothing)
        return admission


def _as_of_now(caller: Caller, admission: Admission) -> Caller:
    if isinstance(caller, Operator) or admission.tier is None:
        return caller
    return replace(caller, tier=admission.tier)


def _rate_headers(rate: RateState) -> dict[str, str]:
    """Return the headers of the IETF draft "RateLimit header fields for HTTP", 11."""
    return {
        "RateLimit": f"{POLICY};r={rate.remaining};t={rate.seconds_left}",
        "RateLimit-Policy": f"{POLICY};q={rate.limit};w={RATE_LIMIT_WINDOW_SECONDS}",
    }
