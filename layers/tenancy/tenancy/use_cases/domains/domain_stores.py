"""The database, and the services of AWS with resources of custom domains."""

from dataclasses import dataclass
from uuid import UUID

from tenancy.rules.custom_domains import TARGET_LABEL, CustomDomain, DomainOwner
from tenancy.stores.aws.api_domains import ApiDomains
from tenancy.stores.aws.certificates import DomainCertificates
from tenancy.stores.aws.target_records import TargetRecords
from tenancy.stores.postgres.homes import Homes


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainStores:
    """The database, and the services of AWS with resources of claims."""

    platform_db: Homes
    certificates: DomainCertificates
    api_domains: ApiDomains
    target_records: TargetRecords
    base_domain: str

    @property
    def targets_parent(self) -> str:
        """The name below which the targets of all claims are."""
        return f"{TARGET_LABEL}.{self.base_domain}"

    def owner(self, organization_id: UUID, claim: CustomDomain) -> DomainOwner:
        """Return the names of the claim's resources."""
        return DomainOwner(
            organization_id=organization_id,
            claim_id=claim.id,
            domain=claim.domain,
            target=claim.target(self.base_domain),
        )
