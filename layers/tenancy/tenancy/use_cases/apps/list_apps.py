"""List the apps of an organization."""

from tenancy.rules.apps import App
from tenancy.rules.cursors import Page, PagedList, TimePosition
from tenancy.rules.tenant import Tenant
from tenancy.stores.postgres.apps import list_apps
from tenancy.stores.postgres.homes import Homes


def list_app_page(platform_db: Homes, tenant: Tenant, *, cursor: str | None, limit: int) -> Page[App]:
    """Return at most *limit* apps that are not deleted, newest first, after *cursor*.

    Raises:
        InvalidError: the cursor is invalid.
        UnavailableError: the database is unreachable.
    """
    listed = PagedList(name="apps", organization_id=tenant.organization_id, position=TimePosition)
    before = listed.find_position(cursor)
    with platform_db.tenant_transaction(tenant.organization_id) as conn:
        apps = list_apps(conn, tenant.organization_id, before=before, limit=limit + 1)
    return Page.of(apps, limit, lambda each: listed.format_cursor(TimePosition.of(each.created_at, each.id)))
