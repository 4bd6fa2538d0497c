"""The organization of the tenant: its own row."""

from typing import Final
from uuid import UUID

from tenancy.rules.entitlements import Entitlements
from tenancy.rules.organization import OrganizationStatus, OwnOrganization
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.client import Connection

FIND_OWN_ORGANIZATION: Final = """
    SELECT name, subdomain, tier, overrides, status, created_at FROM organizations WHERE id = %s
"""
HAS_ORGANIZATION: Final = "SELECT EXISTS (SELECT FROM organizations WHERE id = %s)"


def has_organization(conn: Connection, organization_id: UUID) -> bool:
    """Return whether the organization exists, with any status."""
    return conn.execute(HAS_ORGANIZATION, (organization_id,)).fetchone() == (True,)


def find_organization_of_tenant(conn: Connection, organization_id: UUID) -> OwnOrganization | None:
    """Return the organization of the tenant with any status, or None if it does not exist."""
    row = conn.execute(FIND_OWN_ORGANIZATION, (organization_id,)).fetchone()
    if row is None:
        return None
    name, subdomain, tier, overrides, status, created_at = row
    return OwnOrganization(
        id=organization_id,
        name=name,
        subdomain=subdomain,
        entitlements=Entitlements(tier=Tier(tier), overrides=overrides),
        status=OrganizationStatus(status),
        created_at=created_at,
    )
