"""The reader of the events that a tenant may still see."""

from collections.abc import Callable
from datetime import datetime

from tenancy.rules.durations import DOWNGRADE_RETENTION
from tenancy.rules.entitlements import first_kept_day
from tenancy.rules.tenant import AdmittedTenant
from tenancy.stores.clickhouse.client import Client, TenantReader
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.usage import list_retentions_since


def retained_events(db: Homes, client: Callable[[], Client], tenant: AdmittedTenant, *, now: datetime) -> TenantReader:
    """Return a reader of the events of *tenant* that its retention includes.

    It also leaves out older events that are not deleted yet. After a change to a shorter retention the longer one
    applies for 30 days.

    Raises:
        UnavailableError: a store is unreachable.
    """
    with db.tenant_transaction(tenant.organization_id) as conn:
        retentions = list_retentions_since(conn, tenant.organization_id, now - DOWNGRADE_RETENTION)
    first_kept = first_kept_day([tenant.entitlements.quotas.data_retention_days, *retentions], now)
    return TenantReader(client(), tenant.organization_id, first_kept=first_kept)
