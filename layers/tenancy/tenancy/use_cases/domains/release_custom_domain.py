"""Remove the resources of a custom domain from AWS: record, mapping, domain name and certificate, in that order."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from tenancy.rules.custom_domains import CustomDomain, CustomDomainStatus, claim_prefix
from tenancy.rules.domain_life import end_release
from tenancy.stores.postgres.custom_domains import delete_custom_domain, list_custom_domains, update_custom_domain
from tenancy.use_cases.domains.current_claim import Attempt, holding_resources, lock_current, read_current
from tenancy.use_cases.domains.domain_stores import DomainStores

MOST_CLAIMS = 1_000  # of one organization, far more than it can have


def release_custom_domain(stores: DomainStores, attempt: Attempt, *, now: datetime) -> None:
    """Remove the resources of a claim that is being withdrawn or removed, then its proof, and a removed claim itself.

    Other organizations can prove the domain only after that. Each step is idempotent. A retry continues.

    Raises:
        OutdatedAttemptError: the attempt is not the last one, or the organization is deleted.
        ClaimBusyError: another task changes the resources of the claim.
        UnavailableError: a service does not work, or API Gateway still uses the certificate.
    """
    with holding_resources(stores.platform_db, attempt.organization_id, attempt.claim_id, now=now):
        claim = read_current(stores.platform_db, attempt)
        if not claim.is_releasing:
            return
        remove_resources(stores, attempt.organization_id, claim)
        with stores.platform_db.tenant_transaction(attempt.organization_id) as conn:
            locked = lock_current(conn, attempt)
            update_custom_domain(conn, attempt.organization_id, end_release(locked))
            if locked.status is CustomDomainStatus.REMOVING:
                delete_custom_domain(conn, attempt.organization_id, locked.id)


def erase_custom_domains(stores: DomainStores, organization_id: UUID, *, now: datetime) -> None:
    """Remove the resources of all claims of an organization that is being erased. Its rows stay.

    Resources of claims that do not exist any more are found by their tags and names.

    Raises:
        ClaimBusyError: a task that started before the erasure still changes resources.
        UnavailableError: as for `release_custom_domain`.
    """
    with stores.platform_db.tenant_transaction(organization_id) as conn:
        claims = list_custom_domains(conn, organization_id, after=None, limit=MOST_CLAIMS)
    for claim in claims:
        with holding_resources(stores.platform_db, organization_id, claim.id, now=now):
            remove_resources(stores, organization_id, claim)
    stores.target_records.delete_all(claim_prefix(organization_id), stores.targets_parent)
    stores.api_domains.delete_all(organization_id)
    stores.certificates.delete_all(organization_id)


def count_resources(stores: DomainStores, organization_id: UUID) -> Mapping[str, int]:
    """Return the numbers of the organization's resources in AWS, by kind.

    Raises:
        UnavailableError: a service does not work.
    """
    return {
        "domain_names": stores.api_domains.count_all(organization_id),
        "certificates": stores.certificates.count_all(organization_id),
        "target_records": stores.target_records.count_all(claim_prefix(organization_id), stores.targets_parent),
    }


def remove_resources(stores: DomainStores, organization_id: UUID, claim: CustomDomain) -> None:
    """Remove all resources of a claim. Idempotent.

    Raises:
        UnavailableError: a service does not work, or API Gateway still uses the certificate.
    """
    owner = stores.owner(organization_id, claim)
    stores.target_records.delete(owner.target)
    stores.api_domains.detach(owner)
    stores.certificates.delete(owner, stored_arn=claim.certificate_arn)
