"""Verify an e-mail domain by its DNS record."""

from dataclasses import dataclass
from datetime import datetime

from tenancy.errors import FetchFault, NotFoundError, UnreachableUrlError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.domain_checks import next_check
from tenancy.rules.email_domains import DOMAIN_VERIFIED, EmailDomain, ProofProblem
from tenancy.rules.entitlements import require_flag
from tenancy.rules.homes import EntryKind
from tenancy.rules.sso.connection import SSO_FLAG
from tenancy.rules.tenant import AdmittedTenant
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.email_domains import find_email_domain, lock_email_domain, update_domain_verified
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.homes.claim_values import claim_domain
from tenancy.use_cases.organizations.require_changeable import require_changeable


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainVerification:
    """A claim after a check. *problem* is the reason why the check found no proof, None if it found one."""

    domain: EmailDomain
    problem: ProofProblem | None


def verify_domain(
    platform_db: Homes, fetcher: Fetcher, tenant: AdmittedTenant, domain: str, actor: Actor, *, now: datetime
) -> DomainVerification:
    """Look for the record of a claim, and store the proof if it is there.

    Without the record nothing changes: only the weekly checks withdraw a proof.

    Raises:
        NotInTierError: the organization has no single sign-on.
        NotFoundError: the organization does not claim the domain.
        DomainTakenError: the record is there, but the domain is proven for another organization.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database or `fetch` does not work. A retry is safe.
    """
    require_flag(tenant.entitlements, SSO_FLAG)
    organization_id = tenant.organization_id
    with platform_db.tenant_transaction(organization_id) as conn:
        claim = find_email_domain(conn, organization_id, domain)
    if claim is None:
        raise NotFoundError("The organization does not claim this domain.")
    problem = find_problem(fetcher, claim)  # between the transactions: DNS servers may be slow
    if problem is not None:
        return DomainVerification(domain=claim, problem=problem)
    claim_domain(platform_db, organization_id, EntryKind.EMAIL_DOMAIN, domain, record_name=claim.record_name, now=now)
    with platform_db.tenant_transaction(organization_id) as conn:
        require_changeable(conn, organization_id)
        locked = lock_email_domain(conn, organization_id, domain)
        verified = update_domain_verified(conn, organization_id, domain, check_at=next_check(now), now=now)
        if locked is None or verified is None or locked.token != claim.token:
            raise NotFoundError("The organization does not claim this domain.")
        if locked.verified_at is None:
            insert_audit_record(conn, organization_id, AuditRecord.done(DOMAIN_VERIFIED, str(claim.id), actor, now=now))
    return DomainVerification(domain=verified, problem=None)


def find_problem(fetcher: Fetcher, claim: EmailDomain) -> ProofProblem | None:
    """Return the reason why *claim* has no proof now, or None if it has one.

    Raises:
        UnavailableError: `fetch` does not work.
    """
    try:
        return claim.find_problem(fetcher.find_txt_records(claim.record_name))
    except UnreachableUrlError as error:
        if error.fault in {FetchFault.NO_DNS_ANSWER, FetchFault.TOO_SLOW}:
            return ProofProblem.NO_DNS_ANSWER
        raise
