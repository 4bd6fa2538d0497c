"""Read an organization's statistics by event time, exact at any time."""

from collections.abc import Callable
from datetime import datetime

from tenancy.rules.cursors import Page
from tenancy.rules.durations import DOWNGRADE_RETENTION
from tenancy.rules.entitlements import first_kept_day
from tenancy.rules.statistics import MAX_GROUPS, Statistics, StatisticsQuery
from tenancy.rules.tenant import AdmittedTenant
from tenancy.rules.usage import unsettled_since
from tenancy.stores.clickhouse.client import Client, TenantReader
from tenancy.stores.clickhouse.events import list_statistics
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.usage import find_rolled_up_at, list_left_retentions


def read_statistics(
    db: Database,
    client: Callable[[], Client],
    tenant: AdmittedTenant,
    query: StatisticsQuery,
    *,
    now: datetime,
    cursor: str | None = None,
    limit: int = MAX_GROUPS,
) -> Page[Statistics]:
    """Return at most *limit* groups of *tenant* after *cursor*, in the order of *query*.

    Events past retention are excluded, also if they are not deleted yet. After a change to a shorter retention the
    longer one applies for 30 days.

    A page continues after the last group of the page before. If events arrive meanwhile, the order of
    dimensions repeats no group and misses none. In another order a group that overtakes the cursor is missing.

    Raises:
        InvalidError: the cursor does not belong to the query.
        UnavailableError: a store is unreachable.
    """
    groups = query.groups_of(tenant.organization_id)
    after = groups.find_position(cursor)
    with db.tenant_transaction(tenant.organization_id) as conn:
        rolled_up_at = find_rolled_up_at(conn, tenant.organization_id)
        left_retentions = list_left_retentions(conn, tenant.organization_id, changed_since=now - DOWNGRADE_RETENTION)
    first_kept = first_kept_day([tenant.entitlements.quotas.data_retention_days, *left_retentions], now)
    reader = TenantReader(client(), tenant.organization_id, first_kept=first_kept)
    rows = list_statistics(reader, query, since=unsettled_since(rolled_up_at), after=after, limit=limit + 1)
    return Page.of(rows, limit, lambda group: groups.format_cursor(query.position_of(group)))
