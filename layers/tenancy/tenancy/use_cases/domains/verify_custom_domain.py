"""Start to verify a custom domain, and look for its records at once."""

from datetime import UTC, datetime
from uuid import UUID

from tenancy.errors import ConflictError, NotFoundError
from tenancy.rules.audit_record import Actor
from tenancy.rules.custom_domains import MAX_CERTIFICATE_REQUESTS, CustomDomain, CustomDomainStatus
from tenancy.rules.domain_life import begin
from tenancy.rules.entitlements import WHITE_LABEL_FLAG, require_flag
from tenancy.rules.homes import EntryKind
from tenancy.rules.tenant import AdmittedTenant
from tenancy.stores.aws.fetch import Fetcher
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.custom_domains import lock_custom_domain
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.domains.certificate_budget import find_next_request
from tenancy.use_cases.domains.claim_custom_domain import NOT_CLAIMED, read_custom_domain, require_not_released
from tenancy.use_cases.domains.look_up_records import find_record_problems
from tenancy.use_cases.domains.store_look import store_look
from tenancy.use_cases.homes.claim_values import claim_domain
from tenancy.use_cases.organizations.require_changeable import require_changeable


def verify_custom_domain(
    platform_db: Homes,
    fetcher: Fetcher,
    tenant: AdmittedTenant,
    domain: str,
    actor: Actor,
    *,
    base_domain: str,
    now: datetime,
) -> CustomDomain:
    """Look for the records of a claim, and let the state machine go on from there. Return the claim.

    The sweep starts an execution within a minute. A missing record of a proven domain changes nothing: only the weekly
    checks withdraw a proof.

    Raises:
        NotInTierError: the organization has no white label.
        NotFoundError: the organization does not claim the domain.
        ConflictError: the resources of the domain are being removed, AWS has refused the domain a short time ago, or
            the organization has requested too many certificates.
        DomainTakenError: the TXT record is there, but the domain is proven for another organization.
        ErasedError, TransitionNotAllowedError: as for `require_changeable`.
        UnavailableError: the database or `fetch` does not work. A retry is safe.
    """
    require_flag(tenant.entitlements, WHITE_LABEL_FLAG)
    claim = read_custom_domain(platform_db, tenant, domain)
    require_not_released(claim)
    problems = find_record_problems(fetcher, claim, base_domain)  # no transaction is open: DNS servers may be slow
    if problems.ownership is None:
        kind = EntryKind.CUSTOM_DOMAIN
        claim_domain(platform_db, tenant.organization_id, kind, domain, record_name=claim.record_name, now=now)
    with platform_db.tenant_transaction(tenant.organization_id) as conn:
        require_changeable(conn, tenant.organization_id)
        locked = lock_custom_domain(conn, tenant.organization_id, domain)
        if locked is None or locked.id != claim.id:
            raise NotFoundError(NOT_CLAIMED)
        require_not_released(locked)
        _require_attempt(conn, tenant.organization_id, locked, now)
        begun = locked if locked.status is CustomDomainStatus.ACTIVE else begin(locked, now=now)
        return store_look(conn, tenant.organization_id, begun, problems, actor, now=now)


def _require_attempt(conn: Connection, organization_id: UUID, claim: CustomDomain, now: datetime) -> None:
    """Require that AWS may be called for the claim now.

    Raises:
        ConflictError: AWS has refused the domain a short time ago, or too many certificates were requested.
    """
    if claim.retry_at is not None and now < claim.retry_at:
        raise ConflictError(f"Amazon refused the domain. Verify it again after {_format(claim.retry_at)}.")
    next_request = find_next_request(conn, organization_id, now=now) if claim.needs_certificate else None
    if next_request is not None:
        raise ConflictError(
            f"The organization has requested {MAX_CERTIFICATE_REQUESTS} certificates for custom domains in 30 days. "
            f"Verify the domain again after {_format(next_request)}."
        )


def _format(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
