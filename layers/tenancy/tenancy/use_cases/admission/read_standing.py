"""Read standing and usage from PostgreSQL, for an admission that Redis cannot decide."""

from dataclasses import dataclass
from datetime import UTC, datetime, time

from tenancy.rules.standing import Standing
from tenancy.rules.tenant import Tenant
from tenancy.rules.usage import SettledMonth, month_of
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.standing import find_credential, find_month_so_far, find_standing
from tenancy.stores.postgres.usage import find_rolled_up_at


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


def read_month(db: Database, tenant: Tenant, *, now: datetime) -> SettledMonth:
    """Return the usage of *tenant* in the month of *now*.

    Raises:
        UnavailableError: the database is unreachable.
    """
    month = month_of(now.date())
    with db.tenant_transaction(tenant.organization_id) as conn:
        rolled_up_at = find_rolled_up_at(conn, tenant.organization_id)
        so_far = find_month_so_far(conn, tenant.organization_id, month, today=now.date())
    start = datetime.combine(month.start, time(), UTC)
    return SettledMonth(so_far=so_far, settled_at=max(rolled_up_at or start, start))
