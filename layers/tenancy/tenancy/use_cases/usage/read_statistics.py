"""Read an organization's statistics by event time, exact at any time."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from tenancy.errors import FieldError, InvalidError
from tenancy.rules.cursors import Page
from tenancy.rules.durations import DOWNGRADE_RETENTION
from tenancy.rules.entitlements import Entitlements, first_kept_day
from tenancy.rules.standing import require_existing
from tenancy.rules.statistics import MAX_GROUPS, Statistics, StatisticsPosition, StatisticsQuery
from tenancy.rules.tenant import AdmittedTenant
from tenancy.rules.usage import unsettled_since
from tenancy.stores.clickhouse.client import Client, TenantReader, TooManyRowsError
from tenancy.stores.clickhouse.statistics import MAX_ZONE_ROWS, list_statistics, list_zone_statistics
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.standing import find_standing
from tenancy.stores.postgres.usage import find_rolled_up_at, list_retentions_since


def read_statistics(
    db: Homes,
    client: Callable[[], Client],
    tenant: AdmittedTenant,
    query: StatisticsQuery,
    *,
    now: datetime,
    cursor: str | None = None,
    limit: int = MAX_GROUPS,
) -> Page[Statistics]:
    """Return a page of the groups of the caller's organization (see `read_groups`)."""
    return read_groups(
        db, client, tenant.organization_id, tenant.entitlements, query, now=now, cursor=cursor, limit=limit
    )


def read_organization_statistics(
    db: Homes,
    client: Callable[[], Client],
    organization_id: UUID,
    query: Callable[[], StatisticsQuery],
    *,
    now: datetime,
    cursor: str | None = None,
    limit: int = MAX_GROUPS,
) -> tuple[StatisticsQuery, Page[Statistics]]:
    """Return the query and a page of the groups of any organization (see `read_groups`).

    *query* is called after the organization was found. So an unknown organization is 404, also with an invalid query.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
    """
    with db.tenant_transaction(organization_id) as conn:
        entitlements = require_existing(find_standing(conn, organization_id)).entitlements
    asked = query()
    return asked, read_groups(db, client, organization_id, entitlements, asked, now=now, cursor=cursor, limit=limit)


def read_groups(
    db: Homes,
    client: Callable[[], Client],
    organization_id: UUID,
    entitlements: Entitlements,
    query: StatisticsQuery,
    *,
    now: datetime,
    cursor: str | None = None,
    limit: int = MAX_GROUPS,
) -> Page[Statistics]:
    """Return at most *limit* groups of the organization after *cursor*, in the order of *query*.

    Events past retention are excluded, also if they are not deleted yet. After a change to a shorter retention the
    longer one applies for 30 days. Retention ends at a UTC day in every time zone.

    A page continues after the last group of the page before. If events arrive meanwhile, the order of
    dimensions repeats no group and misses none. In another order a group that overtakes the cursor is missing.

    Raises:
        InvalidError: the cursor does not belong to the query, or the period of another zone than UTC has too many
            events.
        UnavailableError: a store is unreachable, or the query takes too long.
    """
    groups = query.groups_of(organization_id)
    after = groups.find_position(cursor)
    with db.tenant_transaction(organization_id) as conn:
        rolled_up_at = find_rolled_up_at(conn, organization_id)
        retentions = list_retentions_since(conn, organization_id, now - DOWNGRADE_RETENTION)
    first_kept = first_kept_day([entitlements.quotas.data_retention_days, *retentions], now)
    reader = TenantReader(client(), organization_id, first_kept=first_kept)
    if query.is_in_utc:
        rows = list_statistics(reader, query, since=unsettled_since(rolled_up_at), after=after, limit=limit + 1)
    else:
        rows = list_local_groups(reader, query, after=after, limit=limit + 1)
    return Page.of(rows, limit, lambda group: groups.format_cursor(query.position_of(group)))


def list_local_groups(
    reader: TenantReader,
    query: StatisticsQuery,
    *,
    after: StatisticsPosition | None,
    limit: int,
    max_rows: int = MAX_ZONE_ROWS,
) -> list[Statistics]:
    """Return at most *limit* groups after *after* in a time zone that is not UTC.

    Raises:
        InvalidError: ClickHouse would read more than *max_rows* rows.
    """
    try:
        return list_zone_statistics(reader, query, after=after, limit=limit, max_rows=max_rows)
    except TooManyRowsError as error:
        message = (
            f"The period has more than {max_rows:,} events, too many to count by days of this time zone. "
            "Shorten the period, or omit `timezone`."
        )
        errors = [FieldError(location="query/to", code="out_of_range", message=message)]
        raise InvalidError(message, errors=errors) from error
