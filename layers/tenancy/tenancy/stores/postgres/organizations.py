"""The organization of the tenant: its own row."""

from typing import Final
from uuid import UUID

from tenancy.rules.entitlements import Entitlements
from tenancy.rules.organization import OrganizationStatus, OwnOrganization
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.client import Connection

FIND_OWN_ORGANIZATION: Final = """
    SELECT name, subdomain, tier, overrides, status, created_at, key_rotation_days FROM organizations WHERE id = %s
"""
# FOR NO KEY UPDATE, as for each change of an organization.
LOCK_KEY_ROTATION: Final = "SELECT key_rotation_days FROM organizations WHERE id = %s FOR NO KEY UPDATE"
# FOR SHARE: until the transaction ends, the status cannot be changed.
LOCK_STATUS: Final = "SELECT status FROM organizations WHERE id = %s FOR SHARE"
UPDATE_KEY_ROTATION: Final = "UPDATE organizations SET key_rotation_days = %s WHERE id = %s"
FIND_KEY_ROTATION: Final = "SELECT key_rotation_days FROM organizations WHERE id = %s"
HAS_ORGANIZATION: Final = "SELECT EXISTS (SELECT FROM organizations WHERE id = %s)"


def has_organization(conn: Connection, organization_id: UUID) -> bool:
    """Return whether the organization exists, with any status."""
    return conn.execute(HAS_ORGANIZATION, (organization_id,)).fetchone() == (True,)


def find_organization_of_tenant(conn: Connection, organization_id: UUID) -> OwnOrganization | None:
    """Return the organization of the tenant with any status, or None if it does not exist."""
    row = conn.execute(FIND_OWN_ORGANIZATION, (organization_id,)).fetchone()
    if row is None:
        return None
    name, subdomain, tier, overrides, status, created_at, key_rotation_days = row
    return OwnOrganization(
        id=organization_id,
        name=name,
        subdomain=subdomain,
        entitlements=Entitlements(tier=Tier(tier), overrides=overrides),
        status=OrganizationStatus(status),
        created_at=created_at,
        key_rotation_days=key_rotation_days,
    )


def lock_status(conn: Connection, organization_id: UUID) -> OrganizationStatus | None:
    """Return the status, and keep it until the transaction ends. Return None without such an organization."""
    row = conn.execute(LOCK_STATUS, (organization_id,)).fetchone()
    return OrganizationStatus(row[0]) if row else None


def find_key_rotation(conn: Connection, organization_id: UUID) -> int | None:
    """Return the days after which a key is to be rotated, or None for never.

    It is None for an unknown organization, too.
    """
    row = conn.execute(FIND_KEY_ROTATION, (organization_id,)).fetchone()
    return row[0] if row else None


def lock_key_rotation(conn: Connection, organization_id: UUID) -> int | None:
    """Return the days as `find_key_rotation` does, and lock them until the transaction ends."""
    row = conn.execute(LOCK_KEY_ROTATION, (organization_id,)).fetchone()
    return row[0] if row else None


def update_key_rotation(conn: Connection, organization_id: UUID, *, days: int | None) -> None:
    """Set the days after which a key is to be rotated. None is never."""
    conn.execute(UPDATE_KEY_ROTATION, (days, organization_id))
