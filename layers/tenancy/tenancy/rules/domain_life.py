"""The transitions between the stages of a claim of a custom domain.

Each function returns the claim after one transition. A claim changes in no other way.
"""

from dataclasses import replace
from datetime import datetime

from tenancy.rules.custom_domains import (
    AWS_REFUSALS,
    RELEASING,
    WITHOUT_CERTIFICATE,
    CustomDomain,
    CustomDomainStatus,
    DomainFailure,
    RecordProblem,
)
from tenancy.rules.domain_checks import DomainCheck, next_check
from tenancy.rules.durations import (
    DOMAIN_EXECUTION_LOST_AFTER,
    DOMAIN_POLL_INTERVAL,
    DOMAIN_RECHECK_INTERVAL,
    DOMAIN_STAGE_TIME,
    LONGEST_REFUSED_DOMAIN_PAUSE,
    REFUSED_DOMAIN_PAUSE,
)

S = CustomDomainStatus


def begin(claim: CustomDomain, *, now: datetime) -> CustomDomain:
    """Start another attempt, which ends the work of the one before. An active claim needs none."""
    _require(claim, S.UNVERIFIED, S.VERIFIED, S.FAILED)
    if claim.retry_at is not None and now < claim.retry_at:
        raise ValueError("The pause after a refusal has not ended.")
    if claim.failure in WITHOUT_CERTIFICATE:
        claim = replace(claim, certificate_arn=None, validation_name=None, validation_value=None)
    status = S.UNVERIFIED if claim.verified_at is None else S.VERIFIED
    return replace(
        claim,
        status=status,
        failure=None,
        retry_at=None,
        attempt=claim.attempt + 1,
        work_at=now,
        deadline_at=now + DOMAIN_STAGE_TIME,
    )


def look(
    claim: CustomDomain, ownership: RecordProblem | None, routing: RecordProblem | None, *, now: datetime
) -> CustomDomain:
    """Store the result of a look at both records."""
    return replace(claim, checked_at=now, ownership_problem=ownership, routing_problem=routing)


def prove(claim: CustomDomain, *, now: datetime) -> CustomDomain:
    """Store the proof. From then on other organizations are excluded."""
    _require(claim, S.UNVERIFIED, S.VERIFIED, S.ACTIVE)
    if claim.status is S.UNVERIFIED:
        claim = replace(claim, status=S.VERIFIED, verified_at=now, deadline_at=now + DOMAIN_STAGE_TIME)
    return replace(claim, check_at=next_check(now), missing_since=None, withdrawn_at=None)


def wait(claim: CustomDomain, *, now: datetime) -> CustomDomain:
    """Keep the stage until the next step of the same execution."""
    _require(claim, S.UNVERIFIED, S.VERIFIED)
    return replace(claim, work_at=now + DOMAIN_POLL_INTERVAL + DOMAIN_EXECUTION_LOST_AFTER)


def start_work(claim: CustomDomain, *, now: datetime) -> CustomDomain:
    """Give the work to a new execution, whose first step is due now."""
    _require(claim, S.UNVERIFIED, S.VERIFIED, S.WITHDRAWING, S.REMOVING)
    return replace(claim, attempt=claim.attempt + 1, work_at=now + DOMAIN_EXECUTION_LOST_AFTER)


def request(claim: CustomDomain, certificate_arn: str, *, now: datetime) -> CustomDomain:
    """Store the certificate that was requested."""
    _require(claim, S.VERIFIED)
    if claim.certificate_arn == certificate_arn:
        return wait(claim, now=now)
    fresh = replace(claim, certificate_arn=certificate_arn, validation_name=None, validation_value=None, issued_at=None)
    return replace(wait(fresh, now=now), deadline_at=now + DOMAIN_STAGE_TIME)


def publish_validation(claim: CustomDomain, name: str | None, value: str | None) -> CustomDomain:
    """Store the record that validates the certificate."""
    return replace(claim, validation_name=name, validation_value=value)


def issue(claim: CustomDomain, *, now: datetime) -> CustomDomain:
    """Store that the certificate is issued."""
    _require(claim, S.VERIFIED)
    if claim.issued_at is not None:
        return claim
    return replace(claim, issued_at=now, deadline_at=now + DOMAIN_STAGE_TIME)


def attach(claim: CustomDomain, *, now: datetime) -> CustomDomain:
    """Store that API Gateway has the domain."""
    _require(claim, S.VERIFIED)
    if claim.attached_at is not None:
        return wait(claim, now=now)
    return replace(wait(claim, now=now), attached_at=now, deadline_at=now + DOMAIN_STAGE_TIME)


def activate(claim: CustomDomain, *, now: datetime) -> CustomDomain:
    """Serve requests at the domain."""
    _require(claim, S.VERIFIED)
    if claim.attached_at is None:
        raise ValueError("API Gateway does not have the domain.")
    return replace(claim, status=S.ACTIVE, active_at=now, work_at=None, deadline_at=None, refusals=0)


def fail(claim: CustomDomain, failure: DomainFailure, *, now: datetime) -> CustomDomain:
    """End the work without success. A proof stays. After a refusal of AWS no attempt begins for a while."""
    _require(claim, S.UNVERIFIED, S.VERIFIED)
    failed = replace(claim, status=S.FAILED, failure=failure, work_at=None, deadline_at=None)
    if failure not in AWS_REFUSALS:
        return failed
    pause = min(REFUSED_DOMAIN_PAUSE * 2 ** min(claim.refusals, 30), LONGEST_REFUSED_DOMAIN_PAUSE)
    return replace(failed, refusals=claim.refusals + 1, retry_at=now + pause)


def check(claim: CustomDomain, result: DomainCheck, problem: RecordProblem | None, *, now: datetime) -> CustomDomain:
    """Store the effect of a weekly check."""
    checked = replace(claim, checked_at=now, ownership_problem=problem)
    if result.is_withdrawn:
        return release(checked, to=S.WITHDRAWING, now=now)
    return replace(checked, check_at=result.check_at, missing_since=result.missing_since)


def watch_certificate(claim: CustomDomain, *, is_expiring: bool, now: datetime) -> CustomDomain:
    """Store whether the certificate is not renewed. The next check of one that is not is soon."""
    if not is_expiring or claim.check_at is None:
        return replace(claim, expiring_since=None)
    soon = min(claim.check_at, now + DOMAIN_RECHECK_INTERVAL)
    return replace(claim, expiring_since=claim.expiring_since or now, check_at=soon)


def release(claim: CustomDomain, *, to: CustomDomainStatus, now: datetime) -> CustomDomain:
    """Serve no more requests, and let a new attempt remove the resources. Other organizations stay excluded."""
    if to not in RELEASING or claim.verified_at is None:
        raise ValueError("Only a proven claim has resources to release.")
    return replace(
        claim,
        status=to,
        failure=None,
        retry_at=None,
        attempt=claim.attempt + 1,
        work_at=now,
        deadline_at=None,
        check_at=None,
        missing_since=None,
        expiring_since=None,
        withdrawn_at=now if to is S.WITHDRAWING else claim.withdrawn_at,
    )


def end_release(claim: CustomDomain) -> CustomDomain:
    """Store that no resource is left. The claim is as a new one, with the same token."""
    _require(claim, S.WITHDRAWING, S.REMOVING)
    return CustomDomain(
        id=claim.id,
        domain=claim.domain,
        token=claim.token,
        attempt=claim.attempt,
        created_at=claim.created_at,
        checked_at=claim.checked_at,
        ownership_problem=claim.ownership_problem,
        routing_problem=claim.routing_problem,
        withdrawn_at=claim.withdrawn_at,
    )


def _require(claim: CustomDomain, *statuses: CustomDomainStatus) -> None:
    if claim.status not in statuses:
        raise ValueError(f"A claim that is {claim.status} has no such transition.")
