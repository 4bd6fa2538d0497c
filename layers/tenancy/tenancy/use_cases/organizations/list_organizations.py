"""Show and list organizations for the operator."""

from uuid import UUID

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.cursors import Page, PagedList, TimePosition
from tenancy.rules.organization import Organization, OrganizationStatus
from tenancy.rules.standing import require_existing
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.organizations import find_organization, list_organizations


def get_organization(platform_db: Homes, organization_id: UUID) -> Organization:
    """Return the organization.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
    """
    with platform_db.tenant_transaction(organization_id) as conn:
        return require_existing(find_organization(conn, organization_id))


def list_organization_page(
    platform_db: Homes, *, status: OrganizationStatus | None, tier: Tier | None, cursor: str | None, limit: int
) -> Page[Organization]:
    """Return at most *limit* organizations after *cursor*, newest first.

    An organization that moves between the reads of two databases is in the page once, or missing. *cursor* comes from
    an earlier page.

    Raises:
        InvalidError: the cursor is invalid.
    """
    listed = PagedList(
        name="organizations", organization_id=PLATFORM_LOG, position=TimePosition, parameters=(status, tier)
    )
    before = listed.find_position(cursor)
    found: dict[UUID, Organization] = {}
    for database in platform_db.every():
        with database.transaction() as conn:
            page = list_organizations(conn, status=status, tier=tier, before=before, limit=limit + 1)
            found |= {each.id: each for each in page}
    organizations = sorted(found.values(), key=lambda each: (each.created_at, each.id), reverse=True)
    return Page.of(
        organizations[: limit + 1], limit, lambda each: listed.format_cursor(TimePosition.of(each.created_at, each.id))
    )
