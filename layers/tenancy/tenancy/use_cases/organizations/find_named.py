"""Find the organization that a public request names."""

from uuid import UUID

from tenancy.rules.named_organization import NamedOrganization
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.organization_names import list_named


def find_named(platform_db: Database, named: NamedOrganization) -> UUID | None:
    """Return the id of the one organization that all names in *named* belong to, or None.

    Unknown, unreadable and contradictory names take the same one statement. An erased organization has no names. A
    custom domain of no organization contradicts no other name.

    Raises:
        UnavailableError: the database is unreachable.
    """
    with platform_db.transaction() as conn:
        found = list_named(conn, ids=named.ids, subdomains=named.subdomains, domains=named.all_domains)
    matching = [each for each in found if named.agrees(each.organization_id, each.subdomain)]
    if len(found) != 1 or not matching or not named.selects(found[0].domains):
        return None
    return found[0].organization_id
