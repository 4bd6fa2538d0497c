"""Read standing and usage from PostgreSQL, for an admission that Redis cannot decide."""

from dataclasses import dataclass
from datetime import datetime

from tenancy.rules.standing import Standing
from tenancy.rules.tenant import Tenant
from tenancy.rules.usage import CountedMonth, month_of
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.standing import find_counted_month, find_credential, find_standing


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStanding:
    """The standing of an organization, and the state of a credential.

    *credential* is `live`, `revoked` or a person's epoch.
    """

    standing: Standing
    credential: str


def read_standing(db: Database, tenant: Tenant) -> KnownStanding | None:
    """Return the standing of *tenant*, or None if there is no such organization.

    Raises:
        UnavailableError: the database is unreachable.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        standing = find_standing(conn, tenant.organization_id)
        credential = find_credential(conn, tenant.organization_id, tenant.credential_id)
    return None if standing is None else KnownStanding(standing=standing, credential=credential)


def read_month(db: Database, tenant: Tenant, *, now: datetime) -> CountedMonth:
    """Return the usage of *tenant* in the month of *now*.

    Raises:
        UnavailableError: the database is unreachable.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        return find_counted_month(conn, tenant.organization_id, month_of(now.date()), today=now.date())
