"""The sections of an export, each read one page at a time, as lines of JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import msgspec

from tenancy.rules.events.frames import EventTable
from tenancy.rules.exports import ExportPosition
from tenancy.rules.statistics import DIMENSIONS, StatisticsQuery
from tenancy.rules.unix_time import milliseconds_of, time_of
from tenancy.rules.usage import Period, unsettled_since
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.exported_events import find_next_event, list_events
from tenancy.stores.clickhouse.statistics import list_statistics
from tenancy.stores.postgres.exported_rows import (
    Rows,
    find_own_organization,
    list_apps,
    list_audit,
    list_branding,
    list_branding_images,
    list_custom_domains,
    list_email_domains,
    list_keys,
    list_ledger,
    list_sessions,
    list_sso_connections,
    list_sso_identities,
    list_users,
)
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.usage import find_rolled_up_at, list_daily_usage

PAGE_ROWS: Final = 2_000  # of at most 64 KB each
DAY_MILLISECONDS: Final = 86_400_000
FIRST_TIME: Final = -(2**62)  # before every time that ClickHouse stores


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSource:
    """The stores that an export is read from. Both are bound to its organization."""

    db: Homes
    reader: TenantReader
    organization_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionPage:
    """One page: lines of JSON, and the *position* of the next page, None after the last one."""

    lines: Sequence[bytes]
    position: ExportPosition = None


type Read = Callable[[ExportSource, ExportPosition], SectionPage]
type ListRows = Callable[..., Rows]


def _organization(source: ExportSource, _: ExportPosition) -> SectionPage:
    with source.db.tenant_transaction(source.organization_id) as conn:
        found = find_own_organization(conn, source.organization_id)
    return SectionPage(lines=_lines([found] if found else []))


def _usage(source: ExportSource, _: ExportPosition) -> SectionPage:
    with source.db.tenant_transaction(source.organization_id) as conn:
        days = list_daily_usage(conn, source.organization_id)
    return SectionPage(lines=_lines([asdict(day) for day in days]))


def _at_once(list_rows: ListRows, source: ExportSource, _: ExportPosition) -> SectionPage:
    """Read all rows of a table that has few."""
    with source.db.tenant_transaction(source.organization_id) as conn:
        return SectionPage(lines=_lines(list_rows(conn, source.organization_id)))


def _by_id(list_rows: ListRows, source: ExportSource, position: ExportPosition) -> SectionPage:
    after = UUID(position[0]) if position else None
    with source.db.tenant_transaction(source.organization_id) as conn:
        rows = list_rows(conn, source.organization_id, after=after, limit=PAGE_ROWS)
    return SectionPage(lines=_lines(rows), position=[str(rows[-1]["id"])] if len(rows) == PAGE_ROWS else None)


def _events(table: EventTable, source: ExportSource, position: ExportPosition) -> SectionPage:
    """Read one page of a day's events.

    A position is a time in milliseconds, and the number of events of that time that earlier pages have read.
    """
    start, skipped = position or (FIRST_TIME, 0)
    if not skipped:
        found = find_next_event(source.reader, table, start)
        if found is None:
            return SectionPage(lines=[])
        start = found
    end = _end_of_day(start)
    rows = list_events(source.reader, table, start=start, end=end, start_offset=skipped, limit=PAGE_ROWS)
    if len(rows) < PAGE_ROWS:
        return SectionPage(lines=_lines(rows), position=[end, 0])
    last = rows[-1]["event_timestamp"]
    moment = milliseconds_of(last)
    read = sum(row["event_timestamp"] == last for row in rows) + (skipped if moment == start else 0)
    return SectionPage(lines=_lines(rows), position=[moment, read])


def _statistics(source: ExportSource, position: ExportPosition) -> SectionPage:
    """Read one page of a day's statistics.

    A position is the start of the day in milliseconds, and the number of its groups that earlier pages have read.
    """
    start, skipped = position or (FIRST_TIME, 0)
    if not skipped:
        found = find_next_event(source.reader, "events", start)
        if found is None:
            return SectionPage(lines=[])
        start = found
    day = time_of(start).date()
    with source.db.tenant_transaction(source.organization_id) as conn:
        since = unsettled_since(find_rolled_up_at(conn, source.organization_id))
    query = StatisticsQuery(period=Period(start=day, end=day + timedelta(days=1)), group_by=DIMENSIONS)
    groups = list_statistics(source.reader, query, since=since, start_offset=skipped, limit=PAGE_ROWS)
    is_last = len(groups) < PAGE_ROWS
    next_position = [_end_of_day(start), 0] if is_last else [start, skipped + len(groups)]
    return SectionPage(lines=_lines([group._asdict() for group in groups]), position=next_position)


def _end_of_day(moment: int) -> int:
    return (moment // DAY_MILLISECONDS + 1) * DAY_MILLISECONDS


SECTIONS: Final[Mapping[str, Read]] = MappingProxyType(
    {
        "organization": _organization,
        "users": partial(_by_id, list_users),
        "sessions": partial(_by_id, list_sessions),
        "sso_connections": partial(_by_id, list_sso_connections),
        "sso_identities": partial(_by_id, list_sso_identities),
        "apps": partial(_by_id, list_apps),
        "api_keys": partial(_by_id, list_keys),
        "email_domains": partial(_by_id, list_email_domains),
        "branding": partial(_at_once, list_branding),
        "branding_images": partial(_at_once, list_branding_images),
        "custom_domains": partial(_by_id, list_custom_domains),
        "usage": _usage,
        "ledger": partial(_by_id, list_ledger),
        "audit_log": partial(_by_id, list_audit),
        "daily_statistics": _statistics,
        "events": partial(_events, "events"),
        "held_events": partial(_events, "held_events"),
    }
)


def _lines(rows: Sequence[Mapping[str, Any]]) -> list[bytes]:
    return [msgspec.json.encode({name: _json_value(value) for name, value in row.items()}) for row in rows]


def _json_value(value: Any) -> Any:  # noqa: ANN401 - a column of any type
    """Return *value* for JSON: times in UTC, money as text without exponents."""
    match value:
        case datetime():
            return value.astimezone(UTC)
        case Decimal():
            return format(value, "f")
        case dict():
            return {name: _json_value(each) for name, each in value.items()}
    return value
