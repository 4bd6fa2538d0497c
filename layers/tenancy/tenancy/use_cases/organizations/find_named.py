"""Find the organization that a public request names."""

from uuid import UUID

from tenancy.rules.homes import Entry, EntryKind
from tenancy.rules.named_organization import NamedOrganization
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.organization_names import list_named


def find_named(platform_db: Homes, named: NamedOrganization) -> UUID | None:
    """Return the id of the one organization that all names in *named* belong to, or None.

    Unknown, unreadable and contradictory names take the same one statement. An erased organization has no names. A
    custom domain of no organization contradicts no other name.

    Raises:
        UnavailableError: the database is unreachable.
    """
    ids, subdomains, domains = list(named.ids), list(named.subdomains), list(named.all_domains)
    pages = platform_db.look_up_in_homes(
        lambda conn: list_named(conn, ids=ids, subdomains=subdomains, domains=domains),
        ids=ids,
        values=[
            *(Entry(EntryKind.SUBDOMAIN, each) for each in subdomains),
            *(Entry(EntryKind.CUSTOM_DOMAIN, each) for each in domains),
        ],
    )
    found = list({row.organization_id: row for page in pages for row in page}.values())
    matching = [each for each in found if named.agrees(each.organization_id, each.subdomain)]
    if len(found) != 1 or not matching or not named.selects(found[0].domains):
        return None
    return found[0].organization_id
