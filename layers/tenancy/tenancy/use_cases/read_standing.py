"""What PostgreSQL knows of whoever asks, for admission where Redis does not."""

from dataclasses import dataclass
from datetime import datetime

from tenancy.standing import Standing
from tenancy.stores.postgres import Database
from tenancy.stores.standing import find_credential, find_month_so_far, find_standing
from tenancy.tenant import Tenant
from tenancy.usage import MonthSoFar, month_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How the organization and the *credential* stand (`live`, `revoked`, a person's epoch), and what it has used."""

    standing: Standing
    credential: str
    so_far: MonthSoFar


def read_standing(db: Database, tenant: Tenant, *, now: datetime) -> Known | None:
    """Return what is known of *tenant*, None when there is no such organization.

    Raises:
        UnavailableError: the database is away.
    """
    organization_id = tenant.organization_id
    with db.tenant_transaction(organization_id) as conn:
        standing = find_standing(conn, organization_id)
        if standing is None:
            return None
        return Known(
            standing=standing,
            credential=find_credential(conn, organization_id, tenant.credential_id),
            so_far=find_month_so_far(conn, organization_id, month_of(now.date()), today=now.date()),
        )
