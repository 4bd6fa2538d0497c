"""List a tenant's stored events, in the order of their own times or of their storage."""

from collections.abc import Callable
from datetime import datetime

from tenancy.rules.cursors import Page
from tenancy.rules.stored_events import EventKey, EventOrder, EventQuery, StoredEvent
from tenancy.rules.tenant import AdmittedTenant
from tenancy.stores.clickhouse.client import Client, TenantReader
from tenancy.stores.postgres.homes import Homes
from tenancy.use_cases.events.newest_events import scan_newest
from tenancy.use_cases.events.received_events import first_position, scan_received
from tenancy.use_cases.events.retained_events import retained_events


def read_events(
    db: Homes,
    client: Callable[[], Client],
    tenant: AdmittedTenant,
    query: EventQuery,
    *,
    now: datetime,
    cursor: str | None = None,
    limit: int,
) -> Page[StoredEvent]:
    """Return at most *limit* events of *tenant* after *cursor*, in the order of *query*.

    Each event is listed once, as the copy that was received first. A page reads a bounded number of rows
    (docs/decisions/0051-reading-events.md). It may be short, and even empty, while more pages follow.

    Raises:
        InvalidError: the cursor does not belong to the query.
        UnavailableError: a store is unreachable.
    """

    def open_reader() -> TenantReader:
        return retained_events(db, client, tenant, now=now)

    if query.order is EventOrder.RECEIVED:
        return _read_received(open_reader, tenant, query, now=now, cursor=cursor, limit=limit)
    return _read_newest(open_reader, tenant, query, now=now, cursor=cursor, limit=limit)


def _read_newest(
    open_reader: Callable[[], TenantReader],
    tenant: AdmittedTenant,
    query: EventQuery,
    *,
    now: datetime,
    cursor: str | None,
    limit: int,
) -> Page[StoredEvent]:
    listed = query.newest_of(tenant.organization_id)
    before = listed.find_position(cursor)
    newest = EventKey(query.wanted.end_time, "", "")
    events, end = scan_newest(open_reader(), query.wanted, min(before or newest, newest), now=now, limit=limit)
    return Page(
        rows=events,
        has_more=end is not None,
        cursor_after=lambda event: listed.format_cursor(event.key),
        end_cursor=None if end is None else listed.format_cursor(end),
    )


def _read_received(
    open_reader: Callable[[], TenantReader],
    tenant: AdmittedTenant,
    query: EventQuery,
    *,
    now: datetime,
    cursor: str | None,
    limit: int,
) -> Page[StoredEvent]:
    listed = query.received_of(tenant.organization_id)
    after = listed.find_position(cursor) or first_position(now)
    scan = scan_received(open_reader(), query.wanted, after, now=now, limit=limit)
    return Page(
        rows=scan.events,
        has_more=scan.has_more,
        cursor_after=lambda event: listed.format_cursor(event.received_row.position),
        end_cursor=listed.format_cursor(scan.end),
    )
