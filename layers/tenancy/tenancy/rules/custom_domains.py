"""Custom domains that organizations claim, their DNS records, and the stages of their life."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid4

from tenancy.rules.domain_names import DOMAIN_MAX_CHARACTERS
from tenancy.rules.durations import DOMAIN_POLL_INTERVAL
from tenancy.rules.keys.api_keys import random_text

CUSTOM_DOMAIN_CLAIMED: Final = "custom_domain.claimed"
CUSTOM_DOMAIN_VERIFIED: Final = "custom_domain.verified"
CUSTOM_DOMAIN_ACTIVATED: Final = "custom_domain.activated"
CUSTOM_DOMAIN_WITHDRAWN: Final = "custom_domain.withdrawn"
CUSTOM_DOMAIN_REMOVED: Final = "custom_domain.removed"
MAX_CUSTOM_DOMAINS: Final = 5  # of one organization. API Gateway has 120 for all, until AWS raises the quota.
# Of one organization in `CERTIFICATE_REQUESTS_PERIOD`. ACM has 5,000 a year for all, and deleted ones count.
MAX_CERTIFICATE_REQUESTS: Final = 20
OWNERSHIP_LABEL: Final = "_tenancy-domain."
OWNERSHIP_PREFIX: Final = "tenancy-domain="
PREFIX_BYTES: Final = 6  # of the id of a claim
TARGET_LABEL: Final = "domains"  # of the names below the base domain to which custom domains point
# ACM needs a name of at most 64 characters as the first one of a certificate.
CUSTOM_DOMAIN_MAX_CHARACTERS: Final = min(64, DOMAIN_MAX_CHARACTERS - len(OWNERSHIP_LABEL))


class CustomDomainStatus(StrEnum):
    """The stage of a claim.

    A *verified* domain waits for its certificate, or for the record that leads to the platform. Requests are served
    for an *active* one only. The resources of one that is *withdrawing* or *removing* are being removed from AWS.
    """

    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    ACTIVE = "active"
    FAILED = "failed"
    WITHDRAWING = "withdrawing"
    REMOVING = "removing"


class RecordProblem(StrEnum):
    """The reason why a check has not found a record."""

    NO_RECORD = "no_record"
    OTHER_RECORDS = "other_records"
    NO_DNS_ANSWER = "no_dns_answer"
    NOT_IN_TIER = "not_in_tier"  # of a weekly check: the organization has no white label any more


class DomainFailure(StrEnum):
    """The reason why a stage ended without success."""

    RECORDS_MISSING = "records_missing"
    DOMAIN_TAKEN = "domain_taken"
    CERTIFICATE_LIMIT = "certificate_limit"  # of the organization
    CERTIFICATE_REFUSED = "certificate_refused"
    CERTIFICATE_TIMED_OUT = "certificate_timed_out"
    ATTACHMENT_REFUSED = "attachment_refused"
    NO_CAPACITY = "no_capacity"  # a quota of the platform's account is used up
    SET_UP_TIMED_OUT = "set_up_timed_out"  # a service of the platform failed for too long
    ROUTING_MISSING = "routing_missing"


# The failures that end a call of AWS. Without a pause a loop of them would use up the calls of all organizations.
AWS_REFUSALS: Final = frozenset(
    {DomainFailure.CERTIFICATE_REFUSED, DomainFailure.ATTACHMENT_REFUSED, DomainFailure.NO_CAPACITY}
)
WITHOUT_CERTIFICATE: Final = frozenset({DomainFailure.CERTIFICATE_REFUSED, DomainFailure.CERTIFICATE_TIMED_OUT})
RELEASING: Final = frozenset({CustomDomainStatus.WITHDRAWING, CustomDomainStatus.REMOVING})


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomDomain:
    """A domain that an organization claims, under which the API is to be served.

    *attempt* counts the executions that were started for the claim. Only the last one may change it. *work_at* is the
    time from which another one is started, None if there is nothing to do. *refusals* counts `AWS_REFUSALS` in a row.
    *expiring_since* is the time of the first weekly check that saw a certificate that is not renewed. *withdrawn_at* is
    the time of a withdrawal, None after the next proof.
    """

    id: UUID
    domain: str
    token: str
    status: CustomDomainStatus = CustomDomainStatus.UNVERIFIED
    attempt: int = 0
    created_at: datetime
    work_at: datetime | None = None
    deadline_at: datetime | None = None
    checked_at: datetime | None = None
    ownership_problem: RecordProblem | None = None
    routing_problem: RecordProblem | None = None
    failure: DomainFailure | None = None
    refusals: int = 0
    retry_at: datetime | None = None
    verified_at: datetime | None = None
    check_at: datetime | None = None
    missing_since: datetime | None = None
    certificate_arn: str | None = None
    validation_name: str | None = None
    validation_value: str | None = None
    issued_at: datetime | None = None
    attached_at: datetime | None = None
    active_at: datetime | None = None
    expiring_since: datetime | None = None
    withdrawn_at: datetime | None = None

    @classmethod
    def claim(cls, organization_id: UUID, domain: str, *, now: datetime) -> "CustomDomain":
        """Return a new claim of *domain*, with a token that no other claim has."""
        claim_id = UUID(bytes=bytes.fromhex(claim_prefix(organization_id)) + uuid4().bytes[PREFIX_BYTES:])
        return cls(id=claim_id, domain=domain, token=random_text(), created_at=now)

    @property
    def record_name(self) -> str:
        """The name of the TXT record that proves the claim."""
        return f"{OWNERSHIP_LABEL}{self.domain}"

    @property
    def record_value(self) -> str:
        """The text of that record."""
        return f"{OWNERSHIP_PREFIX}{self.token}"

    @property
    def is_releasing(self) -> bool:
        """Whether the resources of the claim are being removed from AWS."""
        return self.status in RELEASING

    @property
    def needs_certificate(self) -> bool:
        """Whether the next attempt requests a certificate, if the domain is proven."""
        if self.attached_at is not None or self.is_releasing:
            return False
        return self.certificate_arn is None or self.failure in WITHOUT_CERTIFICATE

    @property
    def next_check_at(self) -> datetime | None:
        """The time at which the platform looks again without a call."""
        if self.work_at is None:
            return self.check_at
        return None if self.checked_at is None else self.checked_at + DOMAIN_POLL_INTERVAL

    def target(self, base_domain: str) -> str:
        """Return the name that the CNAME record of the domain leads to. No other claim has the same one.

        So the record of a removed claim leads nowhere: its name does not exist (`DomainRecords` in template.yaml).
        """
        return f"{self.id.hex}.{TARGET_LABEL}.{base_domain}"

    def find_ownership_problem(self, records: Sequence[str]) -> RecordProblem | None:
        """Return why *records*, the TXT records of `record_name`, are no proof, or None if they are one."""
        return _find_problem({record.strip() for record in records}, self.record_value)

    def find_routing_problem(self, targets: Sequence[str], base_domain: str) -> RecordProblem | None:
        """Return why the domain, whose CNAME records have *targets*, does not lead to the platform, or None."""
        return _find_problem({each.lower().removesuffix(".") for each in targets}, self.target(base_domain))


def claim_prefix(organization_id: UUID) -> str:
    """Return the first 12 digits of the ids of the organization's claims.

    The targets of an erased organization, whose claims are deleted, are found by it. It does not show the
    organization's id.
    """
    return sha256(organization_id.bytes).hexdigest()[: 2 * PREFIX_BYTES]


def _find_problem(found: AbstractSet[str], wanted: str) -> RecordProblem | None:
    if wanted in found:
        return None
    return RecordProblem.OTHER_RECORDS if found else RecordProblem.NO_RECORD


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainOwner:
    """The names of a claim's resources in AWS: its organization, its id, its domain and its *target*."""

    organization_id: UUID
    claim_id: UUID
    domain: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedApi:
    """The stage of an API that a domain leads to."""

    api_id: str
    stage: str
    access_mode: str
