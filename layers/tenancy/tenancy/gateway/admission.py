"""Admission of a request: its rate limit headers, and a metric while Redis is unreachable."""

from datetime import datetime
from typing import Final

from tenancy.gateway.http import Request
from tenancy.gateway.metrics import count
from tenancy.rules.admission import Admission
from tenancy.rules.rate_limit import RateState
from tenancy.rules.tenant import AdmittedCaller, Caller, Operator
from tenancy.rules.tiers import RATE_LIMIT_WINDOW_SECONDS
from tenancy.use_cases.admission.admit import AdmissionGate

ADMISSION_DEGRADED: Final = "AdmissionDegraded"
POLICY: Final = '"rpm"'  # requests per minute


def admit_request(gate: AdmissionGate, request: Request, caller: Caller, *, now: datetime) -> AdmittedCaller:
    """Admit *request* and return *caller* with its current entitlements.

    Raises:
        UnauthenticatedError, RateLimitedError, OrganizationInactiveError, QuotaExceededError: the request is refused.
        UnavailableError: Redis and PostgreSQL are unreachable.
    """
    admission = gate.admit(caller, now=now)
    show_admission(request, admission)
    admission.require_admitted()
    return caller if isinstance(caller, Operator) else admission.admitted(caller)


def show_admission(request: Request, admission: Admission) -> None:
    """Set the rate limit headers of the answer.

    A decision that was made without Redis counts in the metric `AdmissionDegraded`.
    """
    if admission.degraded_by:
        count(ADMISSION_DEGRADED, {"reason": admission.degraded_by})
    if admission.rate is not None:
        request.answer_headers.update(_rate_headers(admission.rate))


def _rate_headers(rate: RateState) -> dict[str, str]:
    """Return the headers of the IETF draft "RateLimit header fields for HTTP", version 11."""
    return {
        "RateLimit": f"{POLICY};r={rate.remaining};t={rate.seconds_left}",
        "RateLimit-Policy": f"{POLICY};q={rate.limit};w={RATE_LIMIT_WINDOW_SECONDS}",
    }
