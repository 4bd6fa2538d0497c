"""The organization of a person that logs in by single sign-on, by the domain of its address."""

from uuid import UUID, uuid5

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.homes import Entry, EntryKind
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform.proven_domains import find_domain_owner


def find_of_domain_or_pretend(platform_db: Homes, domain: str) -> UUID:
    """Return the organization that has proven *domain*, or an id of no organization.

    Such an id depends on the domain alone. All later steps are those of an existing organization.

    Raises:
        UnavailableError: the database is unreachable.
    """
    found = platform_db.look_up_in_homes(
        lambda conn: find_domain_owner(conn, domain), values=[Entry(EntryKind.EMAIL_DOMAIN, domain)]
    )
    owner = next(iter(filter(None, found)), None)
    return owner if owner is not None else uuid5(PLATFORM_LOG, domain)
