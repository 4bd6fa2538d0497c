"""The organization of the tenant: its own row."""

from typing import Final
from uuid import UUID

from tenancy.stores.postgres.client import Connection

HAS_ORGANIZATION: Final = "SELECT EXISTS (SELECT FROM organizations WHERE id = %s)"


def has_organization(conn: Connection, organization_id: UUID) -> bool:
    """Return whether the organization exists, with any status."""
    return conn.execute(HAS_ORGANIZATION, (organization_id,)).fetchone() == (True,)
