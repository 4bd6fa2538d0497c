"""The organization of a person that logs in by single sign-on, by the domain of its address."""

from uuid import UUID, uuid5

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.proven_domains import find_domain_owner


def find_of_domain_or_pretend(platform_db: Database, domain: str) -> UUID:
    """Return the organization that has proven *domain*, or an id of no organization.

    Such an id depends on the domain alone. All later steps are those of an existing organization.

    Raises:
        UnavailableError: the database is unreachable.
    """
    with platform_db.transaction() as conn:
        found = find_domain_owner(conn, domain)
    return found if found is not None else uuid5(PLATFORM_LOG, domain)
