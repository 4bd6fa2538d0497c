"""Roll up rows and ledgers into statistics, usage, counters and quota notices."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Final
from uuid import UUID, uuid4

from tenancy.rules.durations import EXPIRED_RESERVATION_RETENTION, ONE_DAY, ROLL_UP_LEASE_TIME, SETTLING_TIME
from tenancy.rules.quotas import Metric, QuotaNotice, list_reached_thresholds
from tenancy.rules.usage import (
    DailyEvents,
    EventCounts,
    FinishedRollUp,
    HeldUsage,
    MonthlyUsage,
    Period,
    TouchedOrganization,
    first_open_day,
    first_recent_hour,
    month_of,
    unsettled_since,
)
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform.events import find_oldest_arrival, list_touched, list_touched_days
from tenancy.stores.clickhouse.platform.held_events import list_held
from tenancy.stores.clickhouse.platform.statistics import (
    insert_daily_statistics,
    list_statistics_drifts,
    list_stored_bytes,
)
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.drift import update_drift
from tenancy.stores.postgres.platform.leases import delete_lease, take_lease
from tenancy.stores.postgres.platform.quota_notices import insert_all_notices
from tenancy.stores.postgres.platform.usage import (
    delete_reservations,
    find_last_roll_up,
    insert_roll_up,
    list_changed,
    list_monthly_usage,
    update_daily_events,
    update_daily_predictions,
    update_measurements,
    update_settled,
)
from tenancy.stores.redis.client import Redis, RedisUnreachableError
from tenancy.stores.redis.platform.counters import CounterSettlement, settle_counters

ROLL_UP_LEASE: Final = "roll_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollUp:
    """The results of a run.

    *ran* is False if another run holds the lease. *organizations* and *days* are the numbers of organizations and of
    days of receipt that were counted. *usage* has the organizations that may have changed, or all in a full run.
    *counter_drifts* are the events by which a counter was above or below its rows.
    *statistics_drifts* are the events that the statistics lack or have in excess. Both list only organizations with a
    drift. *counters_settled* is False if Redis is unreachable.
    """

    ran: bool
    organizations: int = 0
    days: int = 0
    held: Sequence[HeldUsage] = ()
    usage: Sequence[MonthlyUsage] = ()
    counter_drifts: Mapping[UUID, int] = field(default_factory=dict)
    statistics_drifts: Mapping[UUID, int] = field(default_factory=dict)
    counters_settled: bool = False


def roll_up(platform_db: Database, client: Client, redis: Redis, *, now: datetime) -> RollUp:
    """Count every day again that has rows written since the last finished run. Idempotent.

    The order is: statistics, then usage and the mark of the run in one transaction, then counters and their mark. The
    next run repeats a run that died. Readers count unfinished days from the events. The lease of a failed run expires
    by itself: ClickHouse may continue an insert after its client has given up, and an erasure waits for the lease.

    A run handles the organizations that may have changed since the last one. The first run of a day is a full run: it
    handles all of them, and counts all of yesterday again. So does the run after one that settled no counters
    (docs/decisions/0062-roll-up-of-changes.md).
    """
    # Before the lease is taken. If ClickHouse is unreachable, the run ends here and leaves no lease to wait for.
    recent = first_recent_hour(find_oldest_arrival(client, since=now - SETTLING_TIME, now=now), now)
    holder = uuid4()
    with platform_db.transaction() as conn:
        if not take_lease(conn, ROLL_UP_LEASE, holder, now=now, ends_at=now + ROLL_UP_LEASE_TIME):
            return RollUp(ran=False)
        last = find_last_roll_up(conn)
    since = _since(last, recent, now)
    rolled_up = _count(platform_db, client, redis, since=since, recent=recent, is_full=_is_full(last, now), now=now)
    with platform_db.transaction() as conn:
        if rolled_up.counters_settled:
            update_settled(conn, started_at=now)
        update_drift(
            conn,
            started_at=now,
            counter_events=_sum_of(rolled_up.counter_drifts) if rolled_up.counters_settled else None,
            statistics_events=_sum_of(rolled_up.statistics_drifts),
        )
        delete_lease(conn, ROLL_UP_LEASE, holder)
    return rolled_up


def _sum_of(drifts: Mapping[UUID, int]) -> int:
    return sum(map(abs, drifts.values()))


def _is_full(last: FinishedRollUp | None, now: datetime) -> bool:
    return last is None or not last.is_settled or _is_first_of_day(last, now)


def _is_first_of_day(last: FinishedRollUp, now: datetime) -> bool:
    return last.started_at.astimezone(UTC).date() < now.date()


def _since(last: FinishedRollUp | None, recent: datetime, now: datetime) -> datetime:
    """Return the time from which on rows must have been written to be counted in this run.

    Rows of all hours with unsettled counters were written after it.
    """
    since = min(last.changed_since if last else unsettled_since(None), recent - SETTLING_TIME)
    if last is not None and _is_first_of_day(last, now):
        since = min(since, datetime.combine(now.date() - ONE_DAY, time(), UTC) - SETTLING_TIME)
    return since


def _count(
    platform_db: Database,
    client: Client,
    redis: Redis,
    *,
    since: datetime,
    recent: datetime,
    is_full: bool,
    now: datetime,
) -> RollUp:
    month = month_of(now.date())
    touched = list_touched(client, since=since)  # before the counts: the next run counts rows written in between
    insert_daily_statistics(client, since=since, run=now)
    days = list_touched_days(client, since=since, recent=recent)
    held = list_held(client, month, recent=recent, now=now)
    changed = None if is_full else _changed(platform_db, touched, held, since=since)
    recent_hours = _recent_hours(days, held, month)
    stored = defaultdict(int, list_stored_bytes(client, changed))
    for each in held:
        stored[each.organization_id] += each.storage_bytes
    with platform_db.transaction() as conn:
        update_daily_events(conn, touched, days, rolled_up_at=now, first_open=first_open_day(now))
        update_daily_predictions(conn, since=min(since.date(), now.date() - ONE_DAY))
        update_measurements(conn, stored, held, recent_hours, changed=changed, recent_from=recent, measured_at=now)
        delete_reservations(conn, expired_before=now - EXPIRED_RESERVATION_RETENTION)
        usage = list_monthly_usage(conn, month, changed=changed)
        insert_all_notices(conn, [notice for each in usage for notice in _notices(each, now.date())], now=now)
        insert_roll_up(conn, started_at=now, recent_from=recent)
    drifts = _settle(redis, usage, held, recent_hours, recent=recent, now=now)
    return RollUp(
        ran=True,
        organizations=len(touched),
        days=len(days),
        held=held,
        usage=usage,
        counter_drifts=drifts or {},
        statistics_drifts=list_statistics_drifts(client, since=since, run=now),
        counters_settled=drifts is not None,
    )


def _changed(
    platform_db: Database, touched: Sequence[TouchedOrganization], held: Sequence[HeldUsage], *, since: datetime
) -> set[UUID]:
    """Return the organizations with new rows, with held events, or with another change after *since*."""
    with platform_db.transaction() as conn:
        changed = list_changed(conn, since=since)
    return changed | {each.organization_id for each in touched} | {each.organization_id for each in held}


def _notices(usage: MonthlyUsage, today: date) -> list[QuotaNotice]:
    """Return the reached thresholds of the metrics that only the roll-up counts exactly.

    The notices of all other metrics are inserted when their usage is recorded.
    """
    used = {
        Metric.EVENTS: usage.events,
        Metric.API_REQUESTS: usage.requests.management,
        Metric.INGEST_REQUESTS: usage.requests.ingest,
        Metric.STORAGE_BYTES: usage.storage_bytes,
    }
    return [
        notice
        for metric, amount in used.items()
        for notice in list_reached_thresholds(
            usage.organization_id, usage.entitlements, metric, used=amount, today=today
        )
    ]


def _settle(
    redis: Redis,
    usage: Sequence[MonthlyUsage],
    held: Sequence[HeldUsage],
    recent_hours: Mapping[UUID, Mapping[datetime, EventCounts]],
    *,
    recent: datetime,
    now: datetime,
) -> dict[UUID, int] | None:
    """Settle the counters and return their drifts, or None if Redis is unreachable."""
    held_of_month = {each.organization_id: each.events_of_month for each in held}
    settlements = [
        _settlement(each, held_of_month.get(each.organization_id, 0), recent_hours.get(each.organization_id, {}))
        for each in usage
    ]
    try:
        counted = settle_counters(redis, settlements, first_recent=recent, now=now)
    except RedisUnreachableError:
        return None
    drifts = {organization_id: counts.events_before - counts.events for organization_id, counts in counted.items()}
    return {organization_id: drift for organization_id, drift in drifts.items() if drift}


def _settlement(usage: MonthlyUsage, held: int, recent: Mapping[datetime, EventCounts]) -> CounterSettlement:
    return CounterSettlement(
        organization_id=usage.organization_id,
        events=usage.events - sum(events for events, _ in recent.values()),
        held=held - sum(held_events for _, held_events in recent.values()),
        recent=recent,
        storage_bytes=usage.storage_bytes,
        requests=usage.requests,
    )


def _recent_hours(
    days: Sequence[DailyEvents], held: Sequence[HeldUsage], month: Period
) -> Mapping[UUID, Mapping[datetime, EventCounts]]:
    """Return the numbers of events and held events by organization and unsettled hour."""
    hours: defaultdict[UUID, dict[datetime, EventCounts]] = defaultdict(dict)
    for day in days:
        for hour, events in day.recent_hours.items():
            if month.start <= hour.date() < month.end:
                hours[day.organization_id][hour] = (events, 0)
    for each in held:
        for hour, held_events in each.recent_hours.items():
            if month.start <= hour.date() < month.end:
                events, _ = hours[each.organization_id].get(hour, (0, 0))
                hours[each.organization_id][hour] = (events, held_events)
    return hours
