"""E-mail domains that organizations claim, and the DNS records that prove them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

from tenancy.rules.domain_names import DOMAIN_MAX_CHARACTERS
from tenancy.rules.keys.api_keys import random_text

DOMAIN_CLAIMED: Final = "email_domain.claimed"
DOMAIN_VERIFIED: Final = "email_domain.verified"
DOMAIN_WITHDRAWN: Final = "email_domain.withdrawn"
DOMAIN_REMOVED: Final = "email_domain.removed"
MAX_EMAIL_DOMAINS: Final = 100  # of one organization
RECORD_LABEL: Final = "_tenancy-verification."
RECORD_PREFIX: Final = "tenancy-verification="
EMAIL_DOMAIN_MAX_CHARACTERS: Final = DOMAIN_MAX_CHARACTERS - len(RECORD_LABEL)


class DomainStatus(StrEnum):
    """Whether the organization has proven that the domain is its own."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"


class ProofProblem(StrEnum):
    """The reason why a check has found no proof."""

    NO_RECORD = "no_record"
    OTHER_RECORDS = "other_records"
    NO_DNS_ANSWER = "no_dns_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailDomain:
    """A domain that an organization claims. *verified_at* is None without a proof.

    *missing_since* is the time of the first check that found no record, after the last one that found it.
    """

    id: UUID
    domain: str
    token: str
    created_at: datetime
    verified_at: datetime | None = None
    missing_since: datetime | None = None

    @classmethod
    def claim(cls, domain: str, *, now: datetime) -> "EmailDomain":
        """Return a new claim of *domain*, with a token that no other claim has."""
        return cls(id=uuid4(), domain=domain, token=random_text(), created_at=now)

    @property
    def status(self) -> DomainStatus:
        """Whether the domain is proven."""
        return DomainStatus.UNVERIFIED if self.verified_at is None else DomainStatus.VERIFIED

    @property
    def record_name(self) -> str:
        """The name of the TXT record that proves the claim."""
        return f"{RECORD_LABEL}{self.domain}"

    @property
    def record_value(self) -> str:
        """The text of that record."""
        return f"{RECORD_PREFIX}{self.token}"

    def find_problem(self, records: Sequence[str]) -> ProofProblem | None:
        """Return why *records*, those of `record_name`, are no proof, or None if they are one."""
        if self.record_value in {record.strip() for record in records}:
            return None
        return ProofProblem.OTHER_RECORDS if records else ProofProblem.NO_RECORD
