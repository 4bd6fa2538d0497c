"""An organization's statistics by event time, exact before and after the roll-up."""

from collections.abc import Collection, Sequence
from datetime import datetime

from tenancy.errors import FieldError, InvalidError
from tenancy.rules.durations import DOWNGRADE_RETENTION
from tenancy.rules.tenant import Tenant
from tenancy.rules.tiers import first_kept_day
from tenancy.rules.usage import Period, unsettled_since
from tenancy.stores.clickhouse.client import Client, TenantReader
from tenancy.stores.clickhouse.events import DIMENSIONS, Statistics, list_statistics
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.usage import find_rolled_up_at, list_tiers_since


def read_statistics(
    db: Database,
    client: Client,
    tenant: Tenant,
    period: Period,
    *,
    group_by: Collection[str],
    now: datetime,
) -> Sequence[Statistics]:
    """Return the statistics of *tenant* within *period*, one row for each group of the dimensions *group_by*.

    What is older than the tier's retention is not in them, deleted or not; after a downgrade the longer one holds for
    another 30 days.

    Raises:
        InvalidError: *group_by* names no dimension.
        UnavailableError: a store is away.
    """
    unknown = sorted(set(group_by).difference(DIMENSIONS))
    if unknown:
        message = f"Expected some of {', '.join(DIMENSIONS)}."
        raise InvalidError(message, errors=[FieldError(location="query/group_by", code="unknown", message=message)])
    with db.tenant_transaction(tenant.organization_id) as conn:
        rolled_up_at = find_rolled_up_at(conn, tenant.organization_id)
        left = list_tiers_since(conn, tenant.organization_id, changed_since=now - DOWNGRADE_RETENTION)
    reader = TenantReader(client, tenant.organization_id, first_kept=first_kept_day([tenant.tier, *left], now))
    return list_statistics(reader, period, group_by=group_by, since=unsettled_since(rolled_up_at))
