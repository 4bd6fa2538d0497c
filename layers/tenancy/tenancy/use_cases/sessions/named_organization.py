"""The organization of a request to log in, which may not exist."""

from dataclasses import replace
from uuid import UUID, uuid5

import msgspec

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.named_organization import NamedOrganization
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.organizations.find_named import find_named


def find_or_pretend(platform_db: Homes, named: NamedOrganization) -> UUID:
    """Return the id of the organization that *named* means, or an id of no organization.

    Such an id depends on the names alone. All steps after it are those of an existing organization: attempts are
    counted under the id, and no row has it. So neither the time nor a count tells whether the organization exists.

    Raises:
        UnavailableError: the database is unreachable.
    """
    found = find_named(platform_db, named)
    if found is not None:
        return found
    names = [sorted(map(str, named.ids)), sorted(named.subdomains | named.confirming), sorted(named.all_domains)]
    return uuid5(PLATFORM_LOG, msgspec.json.encode(names).decode())


def is_named(platform_db: Homes, named: NamedOrganization, organization_id: UUID) -> bool:
    """Return whether the request names no organization, or that one only.

    Raises:
        UnavailableError: the database is unreachable.
    """
    if named.is_empty:
        return True
    with_own = replace(named, ids=named.ids | {organization_id})
    return find_named(platform_db, with_own) == organization_id
