"""Read an organization's statistics by event time, exact at any time."""

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
    """Return the statistics of *tenant* in *period*, one row per group of *group_by*.

    *group_by* are dimensions. Events past the tier's retention are excluded, also if they are not deleted yet. After a
    downgrade the longer retention of the former tier applies for 30 days.

    Raises:
        InvalidError: *group_by* has an unknown dimension.
        UnavailableError: a store is unreachable.
    """
    unknown = sorted(set(group_by).difference(DIMENSIONS))
    if unknown:
        message = f"`group_by` must be a comma-separated list of: {', '.join(DIMENSIONS)}."
        raise InvalidError(message, errors=[FieldError(location="query/group_by", code="unknown", message=message)])
    with db.tenant_transaction(tenant.organization_id) as conn:
        rolled_up_at = find_rolled_up_at(conn, tenant.organization_id)
        former_tiers = list_tiers_since(conn, tenant.organization_id, changed_since=now - DOWNGRADE_RETENTION)
    reader = TenantReader(client, tenant.organization_id, first_kept=first_kept_day([tenant.tier, *former_tiers], now))
    return list_statistics(reader, period, group_by=group_by, since=unsettled_since(rolled_up_at))
