"""All organizations, for the platform's operator."""

from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.rows import kwargs_row

from tenancy.errors import SubdomainTakenError
from tenancy.rules.organization import Organization, OrganizationStatus
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.client import Connection

# The columns of an `Organization`. Every statement that returns one uses them.
ORGANIZATION_COLUMNS: Final = (
    "id, name, subdomain, tier, status, created_at, updated_at, deleted_at, purge_at, deletion_reason"
)
INSERT_ORGANIZATION: Final = """
    INSERT INTO organizations (id, name, subdomain, tier, status, gateway_key, created_at, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
SUBDOMAIN_CONSTRAINTS: Final = frozenset({"organizations_subdomain_key", "organizations_subdomain_skeleton_key"})
FIND_ORGANIZATION: Final = "SELECT " + ORGANIZATION_COLUMNS + " FROM organizations WHERE id = %s"
LIST_ORGANIZATIONS: Final = (
    "SELECT "
    + ORGANIZATION_COLUMNS
    + """
    FROM organizations
    WHERE (%(status)s::text IS NULL OR status = %(status)s) AND (%(tier)s::text IS NULL OR tier = %(tier)s)
      AND (%(before_time)s::timestamptz IS NULL OR (created_at, id) < (%(before_time)s, %(before_id)s))
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""
)
# Not FOR UPDATE: inserts of rows with a foreign key to the organization would wait for it.
LOCK_ORGANIZATION: Final = "SELECT " + ORGANIZATION_COLUMNS + " FROM organizations WHERE id = %s FOR NO KEY UPDATE"
GET_GATEWAY_KEY: Final = "SELECT gateway_key FROM organizations WHERE id = %s"
UPDATE_ORGANIZATION: Final = (
    """
    UPDATE organizations SET
        name = %(name)s, tier = %(tier)s, status = %(status)s, gateway_key = %(gateway_key)s,
        updated_at = greatest(%(now)s, updated_at + interval '1 microsecond')
    WHERE id = %(organization_id)s
    RETURNING """
    + ORGANIZATION_COLUMNS
)
INSERT_TIER_CHANGE: Final = """
    INSERT INTO tier_changes (id, organization_id, from_tier, to_tier, changed_at) VALUES (%s, %s, %s, %s, %s)
"""
LIST_COUNTED: Final = "SELECT id FROM organizations WHERE status NOT IN ('erasing', 'erased')"
LIST_RETENTIONS: Final = """
    SELECT o.id, array_agg(DISTINCT c.from_tier) FILTER (WHERE c.from_tier IS NOT NULL) || o.tier
    FROM organizations AS o
    LEFT JOIN tier_changes AS c ON c.organization_id = o.id AND c.changed_at > %s
    WHERE o.status NOT IN ('erasing', 'erased') GROUP BY o.id, o.tier
"""


def insert_organization(conn: Connection, organization: Organization, *, gateway_key: str) -> None:
    """Insert *organization*, which API Gateway meters by *gateway_key*.

    Raises:
        SubdomainTakenError: another organization has that subdomain or one that looks the same.
    """
    values = (
        organization.id,
        organization.name,
        organization.subdomain,
        organization.tier,
        organization.status,
        gateway_key,
        organization.created_at,
        organization.updated_at,
    )
    try:
        conn.execute(INSERT_ORGANIZATION, values)
    except UniqueViolation as error:
        if error.diag.constraint_name in SUBDOMAIN_CONSTRAINTS:
            raise SubdomainTakenError(organization.subdomain) from error
        raise


def find_organization(conn: Connection, organization_id: UUID) -> Organization | None:
    """Return the organization with any status, or None if it does not exist."""
    with conn.cursor(row_factory=kwargs_row(organization_of)) as cursor:
        return cursor.execute(FIND_ORGANIZATION, (organization_id,)).fetchone()


def lock_organization(conn: Connection, organization_id: UUID) -> Organization | None:
    """Return the organization and lock it until the transaction ends. Return None without one.

    Other transactions may still insert rows that refer to it.
    """
    with conn.cursor(row_factory=kwargs_row(organization_of)) as cursor:
        return cursor.execute(LOCK_ORGANIZATION, (organization_id,)).fetchone()


def get_gateway_key(conn: Connection, organization_id: UUID) -> str:
    """Return the key by which API Gateway meters the organization, which must exist."""
    [(gateway_key,)] = conn.execute(GET_GATEWAY_KEY, (organization_id,))
    return str(gateway_key)


def update_organization(conn: Connection, wanted: Organization, *, gateway_key: str, now: datetime) -> Organization:
    """Update the name, tier and status to those of *wanted*, and store its gateway key.

    The key is in the usage plan of the tier. `updated_at` grows also if the clock is behind, because it is the version
    of the standing.
    """
    values = {
        "organization_id": wanted.id,
        "name": wanted.name,
        "tier": wanted.tier,
        "status": wanted.status,
        "gateway_key": gateway_key,
        "now": now,
    }
    with conn.cursor(row_factory=kwargs_row(organization_of)) as cursor:
        return cursor.execute(UPDATE_ORGANIZATION, values).fetchall()[0]


def insert_tier_change(
    conn: Connection, organization_id: UUID, change_id: UUID, *, from_tier: Tier, to_tier: Tier, now: datetime
) -> None:
    """Store the tier that the organization leaves.

    Its longer retention still applies for a while.
    """
    conn.execute(INSERT_TIER_CHANGE, (change_id, organization_id, from_tier, to_tier, now))


def list_organizations(
    conn: Connection,
    *,
    status: OrganizationStatus | None,
    tier: Tier | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Organization]:
    """Return at most *limit* organizations, newest first, that follow *before*.

    *before* is the `created_at` and id of the last organization of the previous page.
    """
    before_time, before_id = before or (None, None)
    values = {"status": status, "tier": tier, "before_time": before_time, "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=kwargs_row(organization_of)) as cursor:
        return cursor.execute(LIST_ORGANIZATIONS, values).fetchall()


def list_counted_organizations(conn: Connection) -> list[UUID]:
    """Return every organization whose usage is counted: all that are not erased or being erased."""
    return [organization_id for (organization_id,) in conn.execute(LIST_COUNTED)]


def list_retentions(conn: Connection, *, changed_since: datetime) -> dict[UUID, list[Tier]]:
    """Return the tiers that each organization has or has left since *changed_since*.

    The longest retention among them applies.
    """
    rows = conn.execute(LIST_RETENTIONS, (changed_since,))
    return {organization_id: [Tier(tier) for tier in tiers] for organization_id, tiers in rows}


def organization_of(*, tier: str, status: str, **columns: object) -> Organization:
    """Return the organization in a row. It is used as a row factory."""
    return Organization(tier=Tier(tier), status=OrganizationStatus(status), **columns)  # type: ignore[arg-type]
