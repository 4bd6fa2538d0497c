"""Read standing and usage from PostgreSQL, for an admission that Redis cannot decide."""

from dataclasses import dataclass
from datetime import datetime

from tenancy.rules.standing import CredentialState, Standing
from tenancy.rules.tenant import Tenant
from tenancy.rules.usage import CountedMonth, month_of
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.standing import find_counted_month, find_credential, find_standing


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStanding:
    """The standing of an organization, and the state of a credential."""

    standing: Standing
    credential: CredentialState

    def admits(self, epochs: str, *, now: datetime) -> bool:
        """Return whether the credential is valid at *now*.

        *epochs* are those of its token, empty for a key.
        """
        return self.credential.admits(epochs, self.standing, now=now)


def read_standing(db: Homes, tenant: Tenant) -> KnownStanding | None:
    """Return the standing of *tenant*, or None if there is no such organization.

    Raises:
        UnavailableError: the database is unreachable.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        return _find_standing(conn, tenant)


def read_month(db: Homes, tenant: Tenant, *, now: datetime) -> CountedMonth:
    """Return the usage of *tenant* in the month of *now*.

    Raises:
        UnavailableError: the database is unreachable.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        return _find_month(conn, tenant, now)


def read_standing_and_month(db: Homes, tenant: Tenant, *, now: datetime) -> tuple[KnownStanding | None, CountedMonth]:
    """Return the results of `read_standing` and `read_month`, read in one transaction.

    Raises:
        UnavailableError: the database is unreachable.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        return _find_standing(conn, tenant), _find_month(conn, tenant, now)


def _find_standing(conn: Connection, tenant: Tenant) -> KnownStanding | None:
    standing = find_standing(conn, tenant.organization_id)
    credential = find_credential(conn, tenant.organization_id, tenant.credential_id)
    return None if standing is None else KnownStanding(standing=standing, credential=credential)


def _find_month(conn: Connection, tenant: Tenant, now: datetime) -> CountedMonth:
    return find_counted_month(conn, tenant.organization_id, month_of(now.date()), today=now.date())
