"""Organizations, as the platform's operator sees them: all."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.rows import kwargs_row

from tenancy.errors import SubdomainTakenError
from tenancy.organization import Organization, Status
from tenancy.stores.postgres import Connection
from tenancy.tiers import Tier

INSERT_ORGANIZATION: Final = """
    INSERT INTO organizations (id, name, subdomain, tier, gateway_key)
    VALUES (%s, %s, %s, %s, %s)
    RETURNING id, name, subdomain, tier, status, created_at, updated_at, deleted_at, purge_at, deletion_reason
"""
FIND_ORGANIZATION: Final = """
    SELECT id, name, subdomain, tier, status, created_at, updated_at, deleted_at, purge_at, deletion_reason
    FROM organizations WHERE id = %s
"""
LIST_ORGANIZATIONS: Final = """
    SELECT id, name, subdomain, tier, status, created_at, updated_at, deleted_at, purge_at, deletion_reason
    FROM organizations
    WHERE (%(status)s::text IS NULL OR status = %(status)s) AND (%(tier)s::text IS NULL OR tier = %(tier)s)
      AND (%(before_time)s::timestamptz IS NULL OR (created_at, id) < (%(before_time)s, %(before_id)s))
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""


def insert_organization(
    conn: Connection, organization_id: UUID, *, name: str, subdomain: str, tier: Tier, gateway_key: str
) -> Organization:
    """Store an active organization and return it as the database now knows it.

    Raises:
        SubdomainTakenError: another organization answers at that subdomain.
    """
    try:
        with conn.cursor(row_factory=kwargs_row(_organization)) as cursor:
            cursor.execute(INSERT_ORGANIZATION, (organization_id, name, subdomain, tier, gateway_key))
            return cursor.fetchall()[0]
    except UniqueViolation as error:
        if error.diag.constraint_name == "organizations_subdomain_key":
            raise SubdomainTakenError(subdomain) from error
        raise


def find_organization(conn: Connection, organization_id: UUID) -> Organization | None:
    """Return the organization, whatever its status, or None."""
    with conn.cursor(row_factory=kwargs_row(_organization)) as cursor:
        return cursor.execute(FIND_ORGANIZATION, (organization_id,)).fetchone()


def list_organizations(
    conn: Connection,
    *,
    status: Status | None,
    tier: Tier | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Organization]:
    """Return at most *limit* organizations, newest first, that come after *before* (`created_at`, id) in that order."""
    before_time, before_id = before or (None, None)
    values = {"status": status, "tier": tier, "before_time": before_time, "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=kwargs_row(_organization)) as cursor:
        return cursor.execute(LIST_ORGANIZATIONS, values).fetchall()


def _organization(*, tier: str, status: str, **columns: object) -> Organization:
    return Organization(tier=Tier(tier), status=Status(status), **columns)  # type: ignore[arg-type]
