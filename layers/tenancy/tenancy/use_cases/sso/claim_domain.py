"""Claim an e-mail domain, list the claims of an organization, and remove one."""

from datetime import datetime

from tenancy.errors import ConflictError, NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.claimable_domains import require_claimable
from tenancy.rules.cursors import Page, PagedList
from tenancy.rules.email_domains import DOMAIN_CLAIMED, DOMAIN_REMOVED, MAX_EMAIL_DOMAINS, EmailDomain
from tenancy.rules.entitlements import require_flag
from tenancy.rules.sso.connection import SSO_FLAG
from tenancy.rules.tenant import AdmittedTenant, Tenant
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.email_domains import (
    count_email_domains,
    delete_email_domain,
    find_email_domain,
    insert_email_domain,
    list_email_domains,
    lock_email_domain,
    lock_email_domains,
    update_domain_withdrawn,
)
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.organizations.require_changeable import require_changeable


def claim_domain(
    platform_db: Homes, tenant: AdmittedTenant, domain: str, actor: Actor, *, now: datetime
) -> EmailDomain:
    """Claim *domain*, and return the claim with the record that proves it. A second claim returns the first.

    A claim excludes no other organization: only a proof does.

    Raises:
        NotInTierError: the organization has no single sign-on.
        InvalidError: the domain cannot belong to one organization.
        ConflictError: the organization has `MAX_EMAIL_DOMAINS` claims.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database is unreachable. The claim may be stored. A retry is safe.
    """
    require_flag(tenant.entitlements, SSO_FLAG)
    require_claimable(domain)
    organization_id, claim = tenant.organization_id, EmailDomain.claim(domain, now=now)
    with platform_db.tenant_transaction(organization_id) as conn:
        lock_email_domains(conn, organization_id)
        require_changeable(conn, organization_id)
        existing = find_email_domain(conn, organization_id, domain)
        if existing is not None:
            return existing
        if count_email_domains(conn, organization_id) >= MAX_EMAIL_DOMAINS:
            raise ConflictError(f"The organization has {MAX_EMAIL_DOMAINS} e-mail domains. Remove one first.")
        insert_email_domain(conn, organization_id, claim)
        insert_audit_record(conn, organization_id, AuditRecord.done(DOMAIN_CLAIMED, str(claim.id), actor, now=now))
    return claim


def list_domain_page(
    platform_db: Homes, tenant: AdmittedTenant, *, cursor: str | None, limit: int
) -> Page[EmailDomain]:
    """Return at most *limit* claims after *cursor*, by domain.

    Raises:
        NotInTierError: the organization has no single sign-on.
        InvalidError: the cursor is invalid.
        UnavailableError: the database is unreachable.
    """
    require_flag(tenant.entitlements, SSO_FLAG)
    listed = PagedList(name="email domains", organization_id=tenant.organization_id, position=str)
    after = listed.find_position(cursor)
    with platform_db.tenant_transaction(tenant.organization_id) as conn:
        domains = list_email_domains(conn, tenant.organization_id, after=after, limit=limit + 1)
    return Page.of(domains, limit, lambda each: listed.format_cursor(each.domain))


def remove_domain(platform_db: Homes, tenant: Tenant, domain: str, actor: Actor, *, now: datetime) -> None:
    """Withdraw the proof of a claim, and delete the claim. Another claim has another token.

    It needs no single sign-on, so that nothing is left over after a change of the tier.

    Raises:
        NotFoundError: the organization does not claim the domain.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database is unreachable. The claim may be deleted.
    """
    organization_id = tenant.organization_id
    with platform_db.tenant_transaction(organization_id) as conn:
        require_changeable(conn, organization_id)
        claim = lock_email_domain(conn, organization_id, domain)
        if claim is None:
            raise NotFoundError("The organization does not claim this domain.")
        update_domain_withdrawn(conn, organization_id, domain)
        delete_email_domain(conn, organization_id, domain)
        insert_audit_record(conn, organization_id, AuditRecord.done(DOMAIN_REMOVED, str(claim.id), actor, now=now))
