"""Documents of custom domains."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from tenancy.gateway.answer_types import Time, Uuid
from tenancy.gateway.documents.email_domains import DomainName
from tenancy.gateway.times import format_time
from tenancy.rules.custom_domains import CustomDomain, CustomDomainStatus, DomainFailure, RecordProblem


class RecordPurpose(StrEnum):
    """The use of a DNS record."""

    OWNERSHIP = "ownership"
    CERTIFICATE = "certificate"
    ROUTING = "routing"


class DomainProblem(StrEnum):
    """The reason why a domain is not active, or will not be for long."""

    OWNERSHIP_RECORD_MISSING = "ownership_record_missing"
    OWNERSHIP_RECORD_DIFFERS = "ownership_record_differs"
    ROUTING_RECORD_MISSING = "routing_record_missing"
    ROUTING_RECORD_DIFFERS = "routing_record_differs"
    NO_DNS_ANSWER = "no_dns_answer"
    NOT_IN_TIER = "not_in_tier"
    CERTIFICATE_PENDING = "certificate_pending"
    CERTIFICATE_EXPIRING = "certificate_expiring"
    RECORDS_TIMED_OUT = "records_timed_out"
    DOMAIN_TAKEN = "domain_taken"
    CERTIFICATE_LIMIT = "certificate_limit"
    CERTIFICATE_REFUSED = "certificate_refused"
    CERTIFICATE_TIMED_OUT = "certificate_timed_out"
    ATTACHMENT_PENDING = "attachment_pending"
    ATTACHMENT_REFUSED = "attachment_refused"
    NO_CAPACITY = "no_capacity"
    SET_UP_TIMED_OUT = "set_up_timed_out"
    ROUTING_TIMED_OUT = "routing_timed_out"


P = DomainProblem
DOMAIN_PROBLEM_TEXTS: Final[Mapping[DomainProblem, str]] = MappingProxyType(
    {
        P.OWNERSHIP_RECORD_MISSING: "There is no TXT record at the name of the record for `ownership`. Create it.",
        P.OWNERSHIP_RECORD_DIFFERS: (
            "The TXT record has another value than the record for `ownership`. Add one with that value."
        ),
        P.ROUTING_RECORD_MISSING: (
            "The domain has no CNAME record. Create the record for `routing`. A proxy in front of it would hide it."
        ),
        P.ROUTING_RECORD_DIFFERS: (
            "The CNAME record of the domain has another value than the record for `routing`. Change it."
        ),
        P.NO_DNS_ANSWER: "The DNS servers of the domain do not answer, or answer with an error. Check them.",
        P.NOT_IN_TIER: "The tier of the organization does not include custom domains. The domain will be withdrawn.",
        P.CERTIFICATE_PENDING: (
            "The certificate is not issued yet. Create the record for `certificate`, if you have not. It must stay."
        ),
        P.CERTIFICATE_EXPIRING: (
            "Amazon does not renew the certificate, which ends soon. Create the record for `certificate` again. Let "
            "the CAA records of the domain allow amazon.com."
        ),
        P.RECORDS_TIMED_OUT: "No TXT record proved the domain for 3 days. Create the records, and verify again.",
        P.DOMAIN_TAKEN: "The domain is verified for another organization. It must remove the domain first.",
        P.CERTIFICATE_LIMIT: (
            "The organization has requested as many certificates as it can in 30 days. Verify again later: the refusal "
            "says when."
        ),
        P.CERTIFICATE_REFUSED: (
            "Amazon refused the certificate. Let the CAA records of the domain allow amazon.com, and verify again."
        ),
        P.ATTACHMENT_PENDING: "The certificate is issued. The platform is setting the domain up.",
        P.ATTACHMENT_REFUSED: (
            "Amazon API Gateway refused the domain name, usually because another AWS account uses it. Remove it there, "
            "and verify again."
        ),
        P.NO_CAPACITY: (
            "The platform has no room for another domain. Its operator was alerted. Verify again in some days."
        ),
        P.SET_UP_TIMED_OUT: (
            "The platform could not set the domain up for 3 days. Its operator was alerted. Verify again."
        ),
        P.CERTIFICATE_TIMED_OUT: (
            "The record for `certificate` was missing for 3 days. Verify again, and create the new record."
        ),
        P.ROUTING_TIMED_OUT: "No CNAME record led to the platform for 3 days. Create it, and verify again.",
    }
)
OWNERSHIP_PROBLEMS: Final[Mapping[RecordProblem, DomainProblem]] = MappingProxyType(
    {
        RecordProblem.NO_RECORD: P.OWNERSHIP_RECORD_MISSING,
        RecordProblem.OTHER_RECORDS: P.OWNERSHIP_RECORD_DIFFERS,
        RecordProblem.NO_DNS_ANSWER: P.NO_DNS_ANSWER,
        RecordProblem.NOT_IN_TIER: P.NOT_IN_TIER,
    }
)
ROUTING_PROBLEMS: Final[Mapping[RecordProblem, DomainProblem]] = MappingProxyType(
    {
        RecordProblem.NO_RECORD: P.ROUTING_RECORD_MISSING,
        RecordProblem.OTHER_RECORDS: P.ROUTING_RECORD_DIFFERS,
        RecordProblem.NO_DNS_ANSWER: P.NO_DNS_ANSWER,
        RecordProblem.NOT_IN_TIER: P.NOT_IN_TIER,
    }
)
FAILURES: Final[Mapping[DomainFailure, DomainProblem]] = MappingProxyType(
    {
        DomainFailure.RECORDS_MISSING: P.RECORDS_TIMED_OUT,
        DomainFailure.DOMAIN_TAKEN: P.DOMAIN_TAKEN,
        DomainFailure.CERTIFICATE_LIMIT: P.CERTIFICATE_LIMIT,
        DomainFailure.CERTIFICATE_REFUSED: P.CERTIFICATE_REFUSED,
        DomainFailure.CERTIFICATE_TIMED_OUT: P.CERTIFICATE_TIMED_OUT,
        DomainFailure.ATTACHMENT_REFUSED: P.ATTACHMENT_REFUSED,
        DomainFailure.NO_CAPACITY: P.NO_CAPACITY,
        DomainFailure.SET_UP_TIMED_OUT: P.SET_UP_TIMED_OUT,
        DomainFailure.ROUTING_MISSING: P.ROUTING_TIMED_OUT,
    }
)


class NewCustomDomain(BaseModel):
    """The body of POST /v1/domains."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: DomainName


class DomainRecordAnswer(TypedDict):
    """A DNS record to create.

    `found` is null before the first check, and for a certificate's record until the certificate is issued. It is false
    for that record while the certificate is not renewed.
    """

    purpose: RecordPurpose
    type: str
    name: str
    value: str
    found: bool | None


class DomainProblemAnswer(TypedDict):
    """The reason why the domain is not active, or will not be for long."""

    code: DomainProblem
    message: str


class CustomDomainAnswer(TypedDict):
    """A custom domain that the organization claims, and the DNS records for it.

    `checked_at` is the time of the last check of the records, `next_check_at` that of the next one. Both are null if
    there is none. `verified_at` is null without a proof, `active_at` while no request is served. `missing_since` is the
    time since which the proof of a verified domain is missing. `problem` is null if nothing is wrong.
    """

    id: Uuid
    domain: str
    status: CustomDomainStatus
    records: Annotated[list[DomainRecordAnswer], Field(max_length=len(RecordPurpose))]
    problem: DomainProblemAnswer | None
    created_at: Time
    checked_at: Time | None
    next_check_at: Time | None
    verified_at: Time | None
    missing_since: Time | None
    active_at: Time | None


def custom_domain_document(claim: CustomDomain, *, base_domain: str) -> dict[str, Any]:
    """Return a custom domain with its records."""
    problem = _find_problem(claim)
    return {
        "id": str(claim.id),
        "domain": claim.domain,
        "status": claim.status.value,
        "records": _records(claim, base_domain),
        "problem": None if problem is None else {"code": problem.value, "message": DOMAIN_PROBLEM_TEXTS[problem]},
        "created_at": format_time(claim.created_at),
        "checked_at": None if claim.checked_at is None else format_time(claim.checked_at),
        "next_check_at": None if claim.next_check_at is None else format_time(claim.next_check_at),
        "verified_at": None if claim.verified_at is None else format_time(claim.verified_at),
        "missing_since": None if claim.missing_since is None else format_time(claim.missing_since),
        "active_at": None if claim.active_at is None else format_time(claim.active_at),
    }


def _records(claim: CustomDomain, base_domain: str) -> list[dict[str, Any]]:
    is_checked = claim.checked_at is not None
    ownership = _record(
        RecordPurpose.OWNERSHIP,
        "TXT",
        claim.record_name,
        claim.record_value,
        found=claim.ownership_problem in {None, RecordProblem.NOT_IN_TIER} if is_checked else None,
    )
    routing = _record(
        RecordPurpose.ROUTING,
        "CNAME",
        claim.domain,
        claim.target(base_domain),
        found=claim.routing_problem is None if is_checked else None,
    )
    if claim.validation_name is None or claim.validation_value is None:
        return [ownership, routing]
    name, value = claim.validation_name.removesuffix("."), claim.validation_value.removesuffix(".")
    is_issued = claim.expiring_since is None if claim.issued_at is not None else None
    return [ownership, routing, _record(RecordPurpose.CERTIFICATE, "CNAME", name, value, found=is_issued)]


def _record(purpose: RecordPurpose, kind: str, name: str, value: str, *, found: bool | None) -> dict[str, Any]:
    return {"purpose": purpose.value, "type": kind, "name": name, "value": value, "found": found}


def _find_problem(claim: CustomDomain) -> DomainProblem | None:
    """Return the reason why the next stage is not reached, or why the domain is about to be withdrawn."""
    if claim.failure is not None:
        return FAILURES[claim.failure]
    if claim.ownership_problem is not None:
        return OWNERSHIP_PROBLEMS[claim.ownership_problem]
    if claim.status is CustomDomainStatus.VERIFIED and claim.attached_at is None:
        return DomainProblem.CERTIFICATE_PENDING if claim.issued_at is None else DomainProblem.ATTACHMENT_PENDING
    if claim.expiring_since is not None:
        return DomainProblem.CERTIFICATE_EXPIRING
    if claim.routing_problem is not None and claim.checked_at is not None and not claim.is_releasing:
        return ROUTING_PROBLEMS[claim.routing_problem]
    return None
