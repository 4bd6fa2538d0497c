"""All organizations, for the platform's operator."""

from collections import defaultdict
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.rows import kwargs_row
from psycopg.types.json import Jsonb

from tenancy.errors import SubdomainTakenError
from tenancy.rules.entitlements import Entitlements, retention_days_of
from tenancy.rules.organization import Organization, OrganizationStatus
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.client import Connection

# The columns of an `Organization`. Every statement that returns one uses them.
ORGANIZATION_COLUMNS: Final = (
    "id, name, subdomain, tier, overrides, status, created_at, updated_at, deleted_at, purge_at, deletion_reason"
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
        name = %(name)s, tier = %(tier)s, overrides = %(overrides)s, status = %(status)s, gateway_key = %(gateway_key)s,
        updated_at = greatest(%(now)s, updated_at + interval '1 microsecond')
    WHERE id = %(organization_id)s
    RETURNING """
    + ORGANIZATION_COLUMNS
)
INSERT_TIER_CHANGE: Final = """
    INSERT INTO tier_changes (id, organization_id, from_tier, to_tier, retention_days, changed_at)
    VALUES (%s, %s, %s, %s, %s, %s)
"""
LIST_ENTITLEMENTS: Final = "SELECT id, tier, overrides FROM organizations"
LIST_COUNTED: Final = "SELECT id FROM organizations WHERE status NOT IN ('erasing', 'erased')"
LIST_RETENTIONS: Final = """
    SELECT o.id, o.tier, o.overrides, c.from_tier, c.retention_days
    FROM organizations AS o
    LEFT JOIN (SELECT DISTINCT organization_id, from_tier, retention_days FROM tier_changes WHERE changed_at > %s) AS c
      ON c.organization_id = o.id
    WHERE o.status NOT IN ('erasing', 'erased')
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
    """Update the name, tier, overrides and status to those of *wanted*, and store its gateway key.

    The key is in the usage plan of the entitlements. `updated_at` grows also if the clock is behind, because it is the
    version of the standing.
    """
    values = {
        "organization_id": wanted.id,
        "name": wanted.name,
        "tier": wanted.tier,
        "overrides": Jsonb(dict(wanted.overrides)),
        "status": wanted.status,
        "gateway_key": gateway_key,
        "now": now,
    }
    with conn.cursor(row_factory=kwargs_row(organization_of)) as cursor:
        return cursor.execute(UPDATE_ORGANIZATION, values).fetchall()[0]


def insert_tier_change(
    conn: Connection, organization_id: UUID, change_id: UUID, *, left: Entitlements, to_tier: Tier, now: datetime
) -> None:
    """Store the tier and the retention that the organization leaves.

    *to_tier* may be the same. If the retention is longer than the new one, it applies for another 30 days.
    """
    days = left.quotas.data_retention_days
    conn.execute(INSERT_TIER_CHANGE, (change_id, organization_id, left.tier, to_tier, days, now))


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


def list_entitlements(conn: Connection) -> dict[UUID, Entitlements]:
    """Return the entitlements of every organization with any status, also of erased ones."""
    return {
        organization_id: Entitlements(tier=Tier(tier), overrides=overrides)
        for organization_id, tier, overrides in conn.execute(LIST_ENTITLEMENTS)
    }


def list_retentions(conn: Connection, *, changed_since: datetime) -> dict[UUID, set[int]]:
    """Return the retentions, in days, that each organization has had since *changed_since*.

    The longest one applies.
    """
    retentions: defaultdict[UUID, set[int]] = defaultdict(set)
    for organization_id, tier, overrides, from_tier, left_days in conn.execute(LIST_RETENTIONS, (changed_since,)):
        current = Entitlements(tier=Tier(tier), overrides=overrides)
        retentions[organization_id].add(current.quotas.data_retention_days)
        if from_tier is not None:
            retentions[organization_id].add(retention_days_of(Tier(from_tier), left_days))
    return dict(retentions)


def organization_of(*, tier: str, status: str, **columns: object) -> Organization:
    """Return the organization in a row. It is used as a row factory."""
    return Organization(tier=Tier(tier), status=OrganizationStatus(status), **columns)  # type: ignore[arg-type]
