"""List the keys of an organization, for the organization itself and for the operator."""

from dataclasses import dataclass
from uuid import UUID

from tenancy.rules.cursors import Page, PagedList, TimePosition
from tenancy.rules.keys.managed_keys import ManagedKey
from tenancy.rules.standing import require_existing
from tenancy.stores.postgres.api_keys import list_api_keys
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.organizations import find_key_rotation
from tenancy.stores.postgres.standing import find_standing


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyList:
    """A page of keys, and the days after which a key is to be rotated, None for never."""

    page: Page[ManagedKey]
    rotation_days: int | None


def list_key_page(platform_db: Homes, organization_id: UUID, *, cursor: str | None, limit: int) -> KeyList:
    """Return at most *limit* keys in any state after *cursor*, newest first.

    Raises:
        InvalidError: the cursor is invalid.
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
        UnavailableError: the database is unreachable.
    """
    listed = PagedList(name="keys", organization_id=organization_id, position=TimePosition)
    before = listed.find_position(cursor)
    with platform_db.tenant_transaction(organization_id) as conn:
        require_existing(find_standing(conn, organization_id))
        keys = list_api_keys(conn, organization_id, before=before, limit=limit + 1)
        rotation_days = find_key_rotation(conn, organization_id)
    page = Page.of(keys, limit, lambda each: listed.format_cursor(TimePosition.of(each.created_at, each.id)))
    return KeyList(page=page, rotation_days=rotation_days)
