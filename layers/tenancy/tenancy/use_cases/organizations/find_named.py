"""Find the organization that a public request names."""

from uuid import UUID

from tenancy.rules.named_organization import NamedOrganization
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.organization_names import list_named


def find_named(platform_db: Database, named: NamedOrganization) -> UUID | None:
    """Return the id of the one organization that all names in *named* belong to, or None.

    Unknown, unreadable and contradictory names take the same one statement. An erased organization has no names.

    Raises:
        UnavailableError: the database is unreachable.
    """
    with platform_db.transaction() as conn:
        found = list_named(conn, ids=named.ids, subdomains=named.subdomains)
    matching = [organization_id for organization_id, subdomain in found if named.agrees(organization_id, subdomain)]
    return matching[0] if len(found) == len(matching) == 1 else None
