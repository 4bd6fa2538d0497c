"""Claim a custom domain, list and show the claims of an organization, and remove one."""

from dataclasses import dataclass
from datetime import datetime

from tenancy.errors import ConflictError, NotFoundError
from tenancy.rules.audit_record import Actor, AuditRecord
from tenancy.rules.cursors import Page, PagedList
from tenancy.rules.custom_domains import (
    CUSTOM_DOMAIN_CLAIMED,
    CUSTOM_DOMAIN_REMOVED,
    MAX_CUSTOM_DOMAINS,
    CustomDomain,
    CustomDomainStatus,
)
from tenancy.rules.customizable_domains import require_customizable
from tenancy.rules.domain_life import release
from tenancy.rules.entitlements import WHITE_LABEL_FLAG, require_flag
from tenancy.rules.tenant import AdmittedTenant, Tenant
from tenancy.stores.postgres.audit_log import insert_audit_record
from tenancy.stores.postgres.custom_domains import (
    count_custom_domains,
    delete_custom_domain,
    find_custom_domain,
    insert_custom_domain,
    list_custom_domains,
    lock_custom_domain,
    lock_custom_domains,
    update_custom_domain,
)
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.organizations.require_changeable import require_changeable

NOT_CLAIMED = "The organization does not claim this domain."


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformNames:
    """The names of the platform, which no organization can claim. *api_host* may have a port."""

    base_domain: str
    api_host: str


def claim_custom_domain(
    platform_db: Homes, names: PlatformNames, tenant: AdmittedTenant, domain: str, actor: Actor, *, now: datetime
) -> CustomDomain:
    """Claim *domain*, and return the claim with its records. A second claim returns the first.

    A claim excludes no other organization: only a proof does.

    Raises:
        NotInTierError: the organization has no white label.
        InvalidError: the domain cannot be a custom domain.
        ConflictError: the organization has `MAX_CUSTOM_DOMAINS` claims.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database is unreachable. The claim may be stored. A retry is safe.
    """
    require_flag(tenant.entitlements, WHITE_LABEL_FLAG)
    require_customizable(domain, base_domain=names.base_domain, api_host=names.api_host)
    organization_id = tenant.organization_id
    claim = CustomDomain.claim(organization_id, domain, now=now)
    with platform_db.tenant_transaction(organization_id) as conn:
        lock_custom_domains(conn, organization_id)
        require_changeable(conn, organization_id)
        existing = find_custom_domain(conn, organization_id, domain)
        if existing is not None:
            require_not_released(existing)
            return existing
        if count_custom_domains(conn, organization_id) >= MAX_CUSTOM_DOMAINS:
            raise ConflictError(f"The organization has {MAX_CUSTOM_DOMAINS} custom domains. Remove one first.")
        insert_custom_domain(conn, organization_id, claim)
        record = AuditRecord.done(CUSTOM_DOMAIN_CLAIMED, str(claim.id), actor, now=now)
        insert_audit_record(conn, organization_id, record)
    return claim


def require_not_released(claim: CustomDomain) -> None:
    """Require a claim whose resources in AWS are not being removed.

    Raises:
        ConflictError: they are being removed.
    """
    if claim.is_releasing:
        raise ConflictError("The platform is removing the domain from API Gateway. Try again in some minutes.")


def list_custom_domain_page(
    platform_db: Homes, tenant: Tenant, *, cursor: str | None, limit: int
) -> Page[CustomDomain]:
    """Return at most *limit* claims after *cursor*, by domain.

    It needs no white label: after a change of the tier an organization still sees its claims.

    Raises:
        InvalidError: the cursor is invalid.
        UnavailableError: the database is unreachable.
    """
    listed = PagedList(name="custom domains", organization_id=tenant.organization_id, position=str)
    after = listed.find_position(cursor)
    with platform_db.tenant_transaction(tenant.organization_id) as conn:
        claims = list_custom_domains(conn, tenant.organization_id, after=after, limit=limit + 1)
    return Page.of(claims, limit, lambda each: listed.format_cursor(each.domain))


def read_custom_domain(platform_db: Homes, tenant: Tenant, domain: str) -> CustomDomain:
    """Return a claim of the organization.

    Raises:
        NotFoundError: the organization does not claim the domain.
        UnavailableError: the database is unreachable.
    """
    with platform_db.tenant_transaction(tenant.organization_id) as conn:
        claim = find_custom_domain(conn, tenant.organization_id, domain)
    if claim is None:
        raise NotFoundError(NOT_CLAIMED)
    return claim


def remove_custom_domain(platform_db: Homes, tenant: Tenant, domain: str, actor: Actor, *, now: datetime) -> None:
    """Remove a claim. From then on no request is served at the domain.

    A claim that was never proven is deleted at once. A proven one is deleted after its resources in AWS, within
    minutes, and excludes other organizations until then. A later claim has another token. A second call changes
    nothing. It needs no white label, so that nothing is left over after a change of the tier.

    Raises:
        NotFoundError: the organization does not claim the domain.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database is unreachable. The removal may be stored. A retry is safe.
    """
    organization_id = tenant.organization_id
    with platform_db.tenant_transaction(organization_id) as conn:
        require_changeable(conn, organization_id)
        claim = lock_custom_domain(conn, organization_id, domain)
        if claim is None:
            raise NotFoundError(NOT_CLAIMED)
        if claim.status is CustomDomainStatus.REMOVING:
            return
        if claim.verified_at is None:
            delete_custom_domain(conn, organization_id, claim.id)
        else:
            removing = release(claim, to=CustomDomainStatus.REMOVING, now=now)
            update_custom_domain(conn, organization_id, removing)
        record = AuditRecord.done(CUSTOM_DOMAIN_REMOVED, str(claim.id), actor, now=now)
        insert_audit_record(conn, organization_id, record)
