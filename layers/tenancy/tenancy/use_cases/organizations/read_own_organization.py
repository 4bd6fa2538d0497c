"""Read the organization of the caller, with its entitlements."""

from tenancy.errors import NotFoundError
from tenancy.rules.organization import OwnOrganization
from tenancy.rules.tenant import Tenant
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.organizations import find_organization_of_tenant


def read_own_organization(db: Homes, tenant: Tenant) -> OwnOrganization:
    """Return the organization of *tenant* as PostgreSQL knows it.

    Raises:
        NotFoundError: there is no such organization.
        UnavailableError: the database is unreachable.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        own = find_organization_of_tenant(conn, tenant.organization_id)
    if own is None:
        raise NotFoundError("There is no such organization.")
    return own
