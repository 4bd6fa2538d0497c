"""Read an organization's usage against its quotas and per day, exact at any time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from tenancy.rules.entitlements import Entitlements
from tenancy.rules.quotas import METERED, Allowance, Metric, limit_of
from tenancy.rules.standing import require_existing
from tenancy.rules.tenant import AdmittedTenant
from tenancy.rules.usage import DailyEvents, DailyUsage, Period, first_open_day, month_of, unsettled_since
from tenancy.stores.clickhouse.client import Client, TenantReader
from tenancy.stores.clickhouse.events import (
    count_held_events,
    find_first_unsettled_day,
    list_daily_events,
    sum_stored_bytes,
)
from tenancy.stores.postgres.apps import count_apps
from tenancy.stores.postgres.client import Connection
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.metering import sum_reserved, sum_used
from tenancy.stores.postgres.standing import find_standing
from tenancy.stores.postgres.usage import find_rolled_up_at, list_daily_predictions, list_daily_usage
from tenancy.stores.postgres.users import count_users


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """An organization's usage: allowances of this month, held events, and usage per day.

    *quotas* are for the current UTC month. *held* counts by reason. *daily* has the days of *period* with usage.
    """

    organization_id: UUID
    entitlements: Entitlements
    period: Period
    quotas: Mapping[Metric, Allowance]
    held: Mapping[str, int]
    daily: Sequence[DailyUsage]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUsage:
    """The usage of an organization that PostgreSQL stores."""

    rolled_up_at: datetime | None
    days: Sequence[DailyUsage]
    predictions: int
    posted_bytes: int
    reserved: Mapping[Metric, int]
    users: int
    apps: int


def read_tenant_usage(
    db: Homes, client: Callable[[], Client], tenant: AdmittedTenant, period: Period, *, now: datetime
) -> UsageReport:
    """Return the usage of the caller's organization (see `read_usage`)."""
    organization_id = tenant.organization_id
    return read_usage(
        db, TenantReader(client(), organization_id), organization_id, tenant.entitlements, period, now=now
    )


def read_organization_usage(
    db: Homes, client: Callable[[], Client], organization_id: UUID, period: Callable[[], Period], *, now: datetime
) -> UsageReport:
    """Return the usage of the organization that an operator names (see `read_usage`).

    *period* is called after the organization was found: an unknown organization is 404, whatever the period.

    Raises:
        NotFoundError: there is no such organization.
        ErasedError: the organization was erased.
        UnavailableError: a store is unreachable.
    """
    with db.tenant_transaction(organization_id) as conn:
        entitlements = require_existing(find_standing(conn, organization_id)).entitlements
    return read_usage(db, TenantReader(client(), organization_id), organization_id, entitlements, period(), now=now)


def read_usage(
    db: Homes,
    reader: TenantReader,
    organization_id: UUID,
    entitlements: Entitlements,
    period: Period | None,
    *,
    now: datetime,
) -> UsageReport:
    """Return the usage of an organization in *period*, and its allowances of this month.

    None is the period of this month. Days that the last roll-up has settled come from tenant_usage. Later days are
    counted from the events. The usage of a closed month does not change.

    Raises:
        UnavailableError: a store is unreachable.
    """
    month = month_of(now.date())
    period = period or month
    with db.tenant_transaction(organization_id) as conn:
        recorded = _read_recorded(conn, organization_id, now=now)
    since = unsettled_since(recorded.rolled_up_at)
    first_day = find_first_unsettled_day(reader, since)
    if first_day is not None:
        first_day = max(first_day, first_open_day(now))
    live = list_daily_events(reader, organization_id, first_day) if first_day is not None else []
    days = _merge(recorded.days, live, first_day)
    this_month = [day for day in days if month.start <= day.metric_date < month.end]
    used = {
        Metric.EVENTS: sum(day.events for day in this_month),
        Metric.API_REQUESTS: sum(day.api_requests for day in this_month),
        Metric.INGEST_REQUESTS: sum(day.ingest_requests for day in this_month),
        Metric.STORAGE_BYTES: sum_stored_bytes(reader, since) + recorded.posted_bytes,
        Metric.ML_PREDICTIONS: recorded.predictions,
        Metric.USERS: recorded.users,
        Metric.APPS: recorded.apps,
    }
    return UsageReport(
        organization_id=organization_id,
        entitlements=entitlements,
        period=period,
        quotas={
            metric: Allowance(
                used=amount, limit=limit_of(entitlements, metric), reserved=recorded.reserved.get(metric, 0)
            )
            for metric, amount in used.items()
        },
        held=count_held_events(reader),
        daily=[day for day in days if period.start <= day.metric_date < period.end],
    )


def _read_recorded(conn: Connection, organization_id: UUID, *, now: datetime) -> RecordedUsage:
    rolled_up_at = find_rolled_up_at(conn, organization_id)  # first: a roll-up may commit before the days are read
    since = min(unsettled_since(rolled_up_at).astimezone(UTC), now - timedelta(days=1)).date()
    days = {day.metric_date: day for day in list_daily_usage(conn, organization_id)}
    for day, predictions in list_daily_predictions(conn, organization_id, since=since).items():
        days[day] = replace(days.get(day, DailyUsage(metric_date=day)), ml_predictions=predictions)
    return RecordedUsage(
        rolled_up_at=rolled_up_at,
        days=list(days.values()),
        predictions=sum_used(conn, organization_id, Metric.ML_PREDICTIONS, today=now.date()),
        posted_bytes=sum_used(conn, organization_id, Metric.STORAGE_BYTES, today=now.date()),
        reserved={metric: sum_reserved(conn, organization_id, metric, now=now) for metric in METERED},
        users=count_users(conn, organization_id),
        apps=count_apps(conn, organization_id),
    )


def _merge(settled: Sequence[DailyUsage], live: Sequence[DailyEvents], first_day: date | None) -> list[DailyUsage]:
    """Replace the events of settled days from *first_day* on with the *live* counts.

    All other counts stay.
    """
    days = {day.metric_date: day for day in settled}
    for metric_date, day in list(days.items()):
        if first_day is not None and metric_date >= first_day:
            days[metric_date] = _with_events(day, None)
    for counted in live:
        day = days.get(counted.metric_date, DailyUsage(metric_date=counted.metric_date))
        days[counted.metric_date] = _with_events(day, counted)
    return [days[metric_date] for metric_date in sorted(days)]


def _with_events(day: DailyUsage, counted: DailyEvents | None) -> DailyUsage:
    return replace(
        day,
        events=counted.events if counted else 0,
        storage_bytes=counted.storage_bytes if counted else 0,
        unique_users=counted.unique_users if counted else 0,
    )
