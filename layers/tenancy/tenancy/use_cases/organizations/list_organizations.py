"""Organizations for the platform's operator, newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tenancy.rules.cursors import format_cursor, parse_cursor
from tenancy.rules.organization import Organization, OrganizationStatus
from tenancy.rules.standing import require_existing
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.organizations import find_organization, list_organizations


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationPage:
    """One page of a list; *next_cursor* is None on the last one."""

    organizations: Sequence[Organization]
    next_cursor: str | None


def get_organization(platform_db: Database, organization_id: UUID) -> Organization:
    """Return the organization.

    Raises:
        NotFoundError, ErasedError: there is none, or none any more.
    """
    with platform_db.transaction() as conn:
        return require_existing(find_organization(conn, organization_id))


def list_organization_page(
    platform_db: Database, *, status: OrganizationStatus | None, tier: Tier | None, cursor: str | None, limit: int
) -> OrganizationPage:
    """Return at most *limit* organizations after *cursor*, which a page before gave.

    Raises:
        InvalidError: the cursor is none of ours.
    """
    before = parse_cursor(cursor) if cursor is not None else None
    with platform_db.transaction() as conn:
        found = list_organizations(conn, status=status, tier=tier, before=before, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return OrganizationPage(
        organizations=found[:limit], next_cursor=format_cursor(last.created_at, last.id) if last else None
    )
