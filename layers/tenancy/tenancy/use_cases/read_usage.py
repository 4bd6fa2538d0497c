"""An organization's usage against its quotas, exact before and after the roll-up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from tenancy.stores.apps import count_apps
from tenancy.stores.clickhouse import TenantReader
from tenancy.stores.events import count_held_events, find_first_unsettled_day, list_daily_events
from tenancy.stores.postgres import Database
from tenancy.stores.usage import find_rolled_up_at, list_daily_usage
from tenancy.stores.users import count_users
from tenancy.tenant import Tenant
from tenancy.tiers import QUOTAS
from tenancy.usage import DailyEvents, DailyUsage, Period, month_of, unsettled_since


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much of a quota is used; *limit* None is unlimited."""

    used: int
    limit: int | None

    @property
    def remaining(self) -> int | None:
        """What is left, never below 0; None where there is no limit."""
        return None if self.limit is None else max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """Quotas of the current UTC month, events that are held by reason, and the days of *period* that have any use."""

    period: Period
    quotas: Mapping[str, Allowance]
    held: Mapping[str, int]
    daily: Sequence[DailyUsage]


def read_usage(
    db: Database, reader: TenantReader, tenant: Tenant, period: Period | None, *, now: datetime
) -> UsageReport:
    """Return the usage of *tenant*; *period* bounds the days (default: this month), quotas are always this month's.

    Days that the last roll-up settled come from tenant_usage, later ones are counted from the events.

    Raises:
        UnavailableError: a store is away.
    """
    month = month_of(now.date())
    period = period or month
    organization_id = tenant.organization_id
    with db.tenant_transaction(organization_id) as conn:
        rolled_up_at = find_rolled_up_at(conn, organization_id)
        settled = list_daily_usage(conn, organization_id)
        users, apps = count_users(conn, organization_id), count_apps(conn, organization_id)
    first_day = find_first_unsettled_day(reader, unsettled_since(rolled_up_at))
    live = list_daily_events(reader, organization_id, first_day) if first_day is not None else []
    days = _merge(settled, live, first_day)
    return UsageReport(
        period=period,
        quotas=_quotas(tenant, days, month, users=users, apps=apps),
        held=count_held_events(reader),
        daily=[day for day in days if period.start <= day.metric_date < period.end],
    )


def _merge(settled: Sequence[DailyUsage], live: Sequence[DailyEvents], first_day: date | None) -> list[DailyUsage]:
    """Let the live count replace the events of settled days from *first_day* on; what else was counted stays."""
    days = {day.metric_date: day for day in settled}
    for metric_date, day in list(days.items()):
        if first_day is not None and metric_date >= first_day:
            days[metric_date] = _with_events(day, None)
    for counted in live:
        before = days.get(counted.metric_date, DailyUsage(metric_date=counted.metric_date))
        days[counted.metric_date] = _with_events(before, counted)
    return [days[metric_date] for metric_date in sorted(days)]


def _with_events(day: DailyUsage, counted: DailyEvents | None) -> DailyUsage:
    return DailyUsage(
        metric_date=day.metric_date,
        events=counted.events if counted else 0,
        api_requests=day.api_requests,
        storage_bytes=counted.storage_bytes if counted else 0,
        ml_predictions=day.ml_predictions,
        unique_users=counted.unique_users if counted else 0,
    )


def _quotas(
    tenant: Tenant, days: Sequence[DailyUsage], month: Period, *, users: int, apps: int
) -> dict[str, Allowance]:
    quotas = QUOTAS[tenant.tier]
    this_month = [day for day in days if month.start <= day.metric_date < month.end]
    return {
        "events": Allowance(used=sum(day.events for day in this_month), limit=quotas.events_per_month),
        "api_requests": Allowance(
            used=sum(day.api_requests for day in this_month), limit=quotas.api_requests_per_month
        ),
        "storage_bytes": Allowance(used=sum(day.storage_bytes for day in days), limit=quotas.storage_bytes),
        "ml_predictions": Allowance(
            used=sum(day.ml_predictions for day in this_month), limit=quotas.ml_predictions_per_month
        ),
        "users": Allowance(used=users, limit=quotas.users),
        "apps": Allowance(used=apps, limit=quotas.apps),
    }
