"""Documents of e-mail domains."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema

from tenancy.gateway.answer_types import Time, Uuid
from tenancy.gateway.times import format_time
from tenancy.rules.domain_names import DOMAIN_MAX_CHARACTERS, parse_domain_name
from tenancy.rules.email_domains import DomainStatus, EmailDomain, ProofProblem
from tenancy.use_cases.sso.verify_domain import DomainVerification

PROBLEM_TEXTS: Final[Mapping[ProofProblem, str]] = MappingProxyType(
    {
        ProofProblem.NO_RECORD: (
            "There is no TXT record at `record.name`. Create it, and wait until all DNS servers have it."
        ),
        ProofProblem.OTHER_RECORDS: (
            "No TXT record at `record.name` has the text `record.value`. Add one, and wait until all servers have it."
        ),
        ProofProblem.NO_DNS_ANSWER: (
            "The DNS servers of the domain do not answer, or answer with an error. Verify the domain again later."
        ),
    }
)

DomainName = Annotated[
    str,
    AfterValidator(parse_domain_name),
    WithJsonSchema({"type": "string", "format": "idn-hostname", "minLength": 3, "maxLength": DOMAIN_MAX_CHARACTERS}),
]


class NewEmailDomain(BaseModel):
    """The body of POST /v1/sso/email-domains."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: DomainName


class TxtRecordAnswer(TypedDict):
    """A DNS record."""

    type: str
    name: str
    value: str


class EmailDomainAnswer(TypedDict):
    """An e-mail domain that the organization claims, and the DNS record that proves it.

    `verified_at` is null without a proof. `missing_since` is the time since which the record of a verified domain is
    missing.
    """

    id: Uuid
    domain: str
    status: DomainStatus
    record: TxtRecordAnswer
    created_at: Time
    verified_at: Time | None
    missing_since: Time | None


class ProofProblemAnswer(TypedDict):
    """The reason why a check found no proof."""

    code: ProofProblem
    message: str


class DomainVerificationAnswer(EmailDomainAnswer):
    """An e-mail domain after a check. `problem` is null if the check found the record."""

    problem: ProofProblemAnswer | None


def email_domain_document(domain: EmailDomain) -> dict[str, Any]:
    """Return an e-mail domain."""
    return {
        "id": str(domain.id),
        "domain": domain.domain,
        "status": domain.status.value,
        "record": {"type": "TXT", "name": domain.record_name, "value": domain.record_value},
        "created_at": format_time(domain.created_at),
        "verified_at": None if domain.verified_at is None else format_time(domain.verified_at),
        "missing_since": None if domain.missing_since is None else format_time(domain.missing_since),
    }


def verification_document(verification: DomainVerification) -> dict[str, Any]:
    """Return an e-mail domain after a check."""
    problem = verification.problem
    shown = None if problem is None else {"code": problem.value, "message": PROBLEM_TEXTS[problem]}
    return {**email_domain_document(verification.domain), "problem": shown}
