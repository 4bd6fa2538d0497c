"""What PostgreSQL knows of whoever asks, for admission where Redis does not."""

from dataclasses import dataclass
from datetime import datetime

from tenancy.rules.standing import Standing
from tenancy.rules.tenant import Tenant
from tenancy.rules.usage import MonthSoFar, month_of
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.standing import find_credential, find_month_so_far, find_standing


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStanding:
    """How the organization and the *credential* stand (`live`, `revoked`, a person's epoch)."""

    standing: Standing
    credential: str


def read_standing(db: Database, tenant: Tenant) -> KnownStanding | None:
    """Return how *tenant* stands, None when there is no such organization.

    Raises:
        UnavailableError: the database is away.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        standing = find_standing(conn, tenant.organization_id)
        credential = find_credential(conn, tenant.organization_id, tenant.credential_id)
    return None if standing is None else KnownStanding(standing=standing, credential=credential)


def read_month_so_far(db: Database, tenant: Tenant, *, now: datetime) -> MonthSoFar:
    """Return what *tenant* used in the month of *now*.

    Raises:
        UnavailableError: the database is away.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        return find_month_so_far(conn, tenant.organization_id, month_of(now.date()), today=now.date())
