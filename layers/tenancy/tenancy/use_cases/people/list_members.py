"""List the members of an organization."""

from uuid import UUID

from tenancy.rules.cursors import Page, PagedList, TimePosition
from tenancy.rules.people.member import StoredMember
from tenancy.rules.standing import require_existing
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.standing import find_standing
from tenancy.stores.postgres.users import list_members


def list_member_page(
    platform_db: Homes, organization_id: UUID, *, cursor: str | None, limit: int
) -> Page[StoredMember]:
    """Return at most *limit* members of the organization after *cursor*, newest first.

    Removed members are left out.

    Raises:
        InvalidError: the cursor is invalid.
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
        UnavailableError: the database is unreachable.
    """
    listed = PagedList(name="members", organization_id=organization_id, position=TimePosition)
    before = listed.find_position(cursor)
    with platform_db.tenant_transaction(organization_id) as conn:
        require_existing(find_standing(conn, organization_id))
        members = list_members(conn, organization_id, before=before, limit=limit + 1)
    return Page.of(members, limit, lambda each: listed.format_cursor(TimePosition.of(each.created_at, each.id)))
