"""The organization of the tenant that asks: one row, its own."""

from typing import Final
from uuid import UUID

from tenancy.stores.postgres.client import Connection

HAS_ORGANIZATION: Final = "SELECT EXISTS (SELECT FROM organizations WHERE id = %s)"


def has_organization(conn: Connection, organization_id: UUID) -> bool:
    """Whether the organization exists, whatever its status."""
    return conn.execute(HAS_ORGANIZATION, (organization_id,)).fetchone() == (True,)
