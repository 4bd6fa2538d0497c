"""An organization's events through send, load, roll-up, release and tier changes, and a model of the result.

The stores are the real ones. The model keeps only the first receipt of each stored and each held event, and the bills.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid4

import msgspec
from msgspec import structs

from tenancy.rules.admission import HELD_FOR_QUOTA
from tenancy.rules.durations import (
    DEAD_LETTER_RETENTION,
    DOWNGRADE_RETENTION,
    LONGEST_DELIVERY_TIME,
    ONE_DAY,
    SETTLING_TIME,
)
from tenancy.rules.events.batch import SegmentBatch
from tenancy.rules.events.frames import EventTable
from tenancy.rules.events.row import LONGEST_RETENTION, MAX_CLOCK_AHEAD, EventRow
from tenancy.rules.organization_change import OrganizationChange
from tenancy.rules.statistics import Statistics, StatisticsQuery
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.rules.usage import Period, first_open_day, month_of, unsettled_since
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.clickhouse.client import TenantReader
from tenancy.stores.clickhouse.statistics import list_statistics
from tenancy.stores.postgres.usage import find_rolled_up_at
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate
from tenancy.use_cases.held_events.release_held import release_all, release_into_room
from tenancy.use_cases.ingest.parse_batch import parse_segment_calls
from tenancy.use_cases.organizations.change_organization import change_organization
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schedule.apply_retention import apply_retention
from tenancy.use_cases.schedule.roll_up import roll_up
from tests.given import OPERATOR, PLANS_PATH, REGION, Databases, tenant_of
from tests.use_cases.storing import load, put

REVENUE = "1.25"
MONTHLY_EVENTS = """
    SELECT date_trunc('month', metric_date)::date, sum(events_count)::bigint FROM tenant_usage
    WHERE organization_id = %s AND events_count > 0 GROUP BY 1
"""
STORED = """
    SELECT event_name, count(), toString(sum(revenue)) FROM events FINAL
    WHERE organization_id = {organization_id:UUID} GROUP BY event_name
"""
LONGEST_IN_QUEUES = 2 * DEAD_LETTER_RETENTION  # a message is redriven once
ALL_TIME = Period(start=date(2000, 1, 1), end=date(2100, 1, 1))
BETWEEN_STEPS = timedelta(milliseconds=1)  # so that no two requests or releases have the same time
SET_CREATED_AT = """
    ALTER TABLE events UPDATE created_at = {written:DateTime('UTC')} WHERE received_at = {now:DateTime64(6, 'UTC')}
"""


class Clock(StrEnum):
    """The clock of the device that sends an event."""

    RIGHT = "right"
    AHEAD_3_DAYS = "ahead 3 days"
    AHEAD_40_DAYS = "ahead 40 days"
    BEHIND_100_DAYS = "behind 100 days"
    BEHIND_729_DAYS = "behind 729 days"
    BEHIND_731_DAYS = "behind 731 days"
    RESET = "reset"
    UNREADABLE = "unreadable"


OFFSETS = {
    Clock.RIGHT: timedelta(),
    Clock.AHEAD_3_DAYS: timedelta(days=3),
    Clock.AHEAD_40_DAYS: timedelta(days=40),
    Clock.BEHIND_100_DAYS: timedelta(days=-100),
    Clock.BEHIND_729_DAYS: timedelta(days=-729),
    Clock.BEHIND_731_DAYS: timedelta(days=-731),
}
TEXTS = {Clock.RESET: "1970-01-01T00:00:12Z", Clock.UNREADABLE: "yesterday"}


class Copy(NamedTuple):
    """A copy of an event: its receipt, and the app of the key that sent it."""

    received_at: datetime
    app_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request in the queue: its rows by their table, and when and by which app they were sent."""

    copy: Copy
    rows: dict[EventTable, list[EventRow]]


@dataclass(slots=True, kw_only=True)
class Model:
    """The events that must be stored and those that are held, each with its first copy.

    *times* has the `event_timestamp` of the stored events. *billed* has the stored events by the first day of the month
    whose bill has them. *tiers* are the tiers of the organization, each with the time from which it applies.
    """

    started_at: datetime
    tiers: list[tuple[datetime, Tier]]
    stored: dict[Clock, Copy] = field(default_factory=dict)
    held: dict[Clock, Copy] = field(default_factory=dict)
    times: dict[Clock, datetime] = field(default_factory=dict)
    billed: dict[date, set[Clock]] = field(default_factory=dict)

    def first_kept(self, now: datetime) -> date:
        ended = [until for until, _ in self.tiers[1:]] + [now]
        kept = [tier for (_, tier), until in zip(self.tiers, ended, strict=True) if until > now - DOWNGRADE_RETENTION]
        days = max(QUOTAS[tier].data_retention_days for tier in [*kept, self.tiers[-1][1]])
        return (now - days * ONE_DAY).date()

    def arrive(self, clock: Clock, copy: Copy, *, is_held: bool) -> None:
        if not is_held:
            self.stored[clock] = first(copy, self.stored.get(clock))
            self.times[clock] = self.started_at + OFFSETS[clock]
        elif clock not in self.stored:
            self.held[clock] = first(copy, self.held.get(clock))

    def release(self, now: datetime, *, by_operator: bool) -> None:
        for clock, (received_at, app_id) in list(self.held.items()):
            is_kept = received_at.date() >= self.first_kept(now)
            is_due, is_without_time = self._is_due(clock, now), self._is_without_time(clock, now)
            if clock not in self.stored and is_kept and (is_due or (by_operator and is_without_time)):
                self.stored[clock] = Copy(now, app_id)
                self.times[clock] = self.started_at + OFFSETS[clock] if is_due else received_at
            if clock in self.stored:
                del self.held[clock]

    def waiting(self, now: datetime) -> int:
        kept = [clock for clock, copy in self.held.items() if copy.received_at.date() >= self.first_kept(now)]
        return sum(not self._is_credible(clock) or not self._is_past_every_retention(clock, now) for clock in kept)

    def _is_past_every_retention(self, clock: Clock, now: datetime) -> bool:
        happened_at = self.happened(clock)
        return happened_at is not None and happened_at.date() < (now - LONGEST_RETENTION).date()

    def _is_credible(self, clock: Clock) -> bool:
        happened_at = self.happened(clock)
        return happened_at is not None and happened_at >= self.held[clock].received_at - LONGEST_RETENTION

    def _is_due(self, clock: Clock, now: datetime) -> bool:
        happened_at = self.happened(clock)
        if happened_at is None or not self._is_credible(clock):
            return False
        return happened_at <= now and happened_at.date() >= self.first_kept(now)

    def _is_without_time(self, clock: Clock, now: datetime) -> bool:
        happened_at, first_deliverable = self.happened(clock), now - LONGEST_RETENTION - LONGEST_DELIVERY_TIME
        return not self._is_credible(clock) and (happened_at is None or happened_at < first_deliverable)

    def bill(self, now: datetime) -> None:
        """Bill each stored event in the month of its receipt. The bill of a closed month stays as it is."""
        first_open = first_open_day(now)
        self.billed = {month: clocks for month, clocks in self.billed.items() if month < first_open}
        for clock, copy in self.stored.items():
            if copy.received_at.date() >= first_open:
                self.billed.setdefault(month_of(copy.received_at.date()).start, set()).add(clock)

    def apply_retention(self, now: datetime) -> None:
        first_kept, first_open = self.first_kept(now), first_open_day(now)
        self.stored = {
            clock: copy
            for clock, copy in self.stored.items()
            if self.times[clock].date() >= first_kept or copy.received_at.date() >= first_open
        }
        self.held = {clock: copy for clock, copy in self.held.items() if copy.received_at.date() >= first_kept}

    def by_app(self) -> dict[UUID | None, int]:
        """Return the number of stored events of each app."""
        return dict(Counter(copy.app_id for copy in self.stored.values()))

    def is_in_range(self, clock: Clock, now: datetime) -> bool:
        happened_at, days = self.happened(clock), QUOTAS[self.tiers[-1][1]].data_retention_days
        return happened_at is not None and now - days * ONE_DAY <= happened_at <= now + MAX_CLOCK_AHEAD

    def happened(self, clock: Clock) -> datetime | None:
        """Return the time in the event, or None if it is no credible one."""
        return self.started_at + OFFSETS[clock] if clock in OFFSETS else None


def first(copy: Copy, known: Copy | None) -> Copy:
    """Return the copy that was received first."""
    return copy if known is None or copy.received_at < known.received_at else known


class History:
    """The events of one organization. Each method does the same to the stores and to the model."""

    def __init__(
        self, databases: Databases, counters: Redis, targets: OutboxTargets, owner: Provisioned, *, start: datetime
    ) -> None:
        self.databases, self.counters, self.targets, self.owner = databases, counters, targets, owner
        self.now = start
        self.model = Model(started_at=start, tiers=[(start, owner.organization.tier)])
        self._gate = AdmissionGate(counters, lambda: databases.functions)
        self._queue: list[Request] = []

    @property
    def organization_id(self) -> UUID:
        return self.owner.organization.id

    def wait(self, duration: timedelta) -> None:
        """Let time pass. A request is loaded before its message expires."""
        until = self.now + duration
        for request in list(self._queue):
            if request.copy.received_at + LONGEST_IN_QUEUES <= until:
                self.now = max(self.now, request.copy.received_at + LONGEST_IN_QUEUES)
                self.load_one(self._queue.index(request))
        self.now = until

    def send(self, *clocks: Clock, app_id: UUID | None = None) -> None:
        """Send the events of *clocks* in one request with a key of the app, and leave it in the queue.

        The event of a clock is always the same.
        """
        self.now += BETWEEN_STEPS
        tenant = replace(tenant_of(self.owner), app_id=app_id)
        calls = SegmentBatch(batch=[self._call(clock) for clock in clocks])
        batch = parse_segment_calls(tenant, calls, event_type=None, now=self.now)
        ages = list(batch.ages.values())
        admission = self._gate.admit(tenant, events=batch.kept_by_all, ages=ages, all_or_nothing=True, now=self.now)
        assert admission.tier is self.model.tiers[-1][1]
        batch = batch.hold_past(QUOTAS[admission.tier].data_retention_days)
        rows = list(batch.counted)
        assert {Clock(row.event_name) for row in rows} == {
            clock for clock in clocks if self.model.is_in_range(clock, self.now)
        }
        over_quota = [structs.replace(row, reason=HELD_FOR_QUOTA) for row in rows[admission.accepted :]]
        held = [*over_quota, *batch.clock_held]
        self._queue.append(
            Request(copy=Copy(self.now, app_id), rows={"events": rows[: admission.accepted], "held_events": held})
        )

    def load_one(self, place: int) -> None:
        """Load one request of the queue, which keeps no order."""
        if not self._queue:
            return
        request = self._queue.pop(place % len(self._queue))
        for table, rows in request.rows.items():
            if rows:
                load(self.databases, rows, written=self.now, table=table)
            for row in rows:
                self.model.arrive(Clock(row.event_name), request.copy, is_held=table == "held_events")

    def change_tier(self, tier: Tier) -> None:
        change_organization(
            self.databases.platform,
            self.targets,
            GatewayKeys(REGION, PLANS_PATH),
            self.organization_id,
            OrganizationChange(tier=tier),
            actor=OPERATOR,
            now=self.now,
        )
        if tier is not self.model.tiers[-1][1]:
            self.model.tiers.append((self.now, tier))

    def roll_up(self) -> None:
        self.now += BETWEEN_STEPS
        done = roll_up(self.databases.platform, self.databases.clickhouse, self.counters, now=self.now)
        released = release_into_room(
            self.databases.platform, self.databases.clickhouse, self.counters, done.held, done.usage, now=self.now
        )
        self._set_time_of_released(released)
        self.model.bill(self.now)
        self.model.release(self.now, by_operator=False)

    def release_as_operator(self) -> None:
        self.now += BETWEEN_STEPS
        done = release_all(
            self.databases.platform,
            self.databases.clickhouse,
            self.counters,
            self.organization_id,
            OPERATOR,
            now=self.now,
        )
        self._set_time_of_released(done.released)
        self.model.release(self.now, by_operator=True)
        assert done.waiting == self.model.waiting(self.now)

    def apply_retention(self) -> None:
        apply_retention(self.databases.platform, self.databases.clickhouse, now=self.now)
        self.model.apply_retention(self.now)

    def settle(self) -> None:
        """Load all requests, and roll up until each release is counted.

        Another organization's events show each roll-up that the queue is empty: later events have come out of it.
        """
        while self._queue:
            self.load_one(0)
        for _ in range(2):
            self.wait(SETTLING_TIME + timedelta(hours=1))
            put(self.databases, uuid4(), range(1), at=self.now)
            self.roll_up()

    def stored(self) -> dict[Clock, tuple[int, str]]:
        """Return number and revenue of the stored copies of each event."""
        parameters = {"organization_id": str(self.organization_id)}
        rows = self.databases.clickhouse.query(STORED, parameters=parameters).result_rows
        return {Clock(name): (int(events), revenue) for name, events, revenue in rows}

    def counted(self, *dimensions: str, app_id: UUID | None = None) -> list[Statistics]:
        """Return the statistics of all time, as they are read at this moment."""
        with self.databases.functions.tenant_transaction(self.organization_id) as conn:
            since = unsettled_since(find_rolled_up_at(conn, self.organization_id))
        reader = TenantReader(self.databases.clickhouse, self.organization_id)
        query = StatisticsQuery(period=ALL_TIME, group_by=dimensions, app_id=app_id)
        return list_statistics(reader, query, since=since)

    def billed(self) -> dict[date, int]:
        """Return the number of billed events by the first day of the month."""
        with self.databases.functions.tenant_transaction(self.organization_id) as conn:
            return dict(conn.execute(MONTHLY_EVENTS, (self.organization_id,)).fetchall())

    def _call(self, clock: Clock) -> msgspec.Raw:
        happened_at = self.model.happened(clock)
        fields = {
            "type": "track",
            "event": clock.value,
            "messageId": clock.value,
            "anonymousId": "phone",
            "timestamp": TEXTS[clock] if happened_at is None else happened_at.isoformat(),
            "properties": {"revenue": REVENUE, "currency": "EUR"},
        }
        return msgspec.Raw(msgspec.json.encode(fields))

    def _set_time_of_released(self, released: int) -> None:
        """Set the time at which released rows were written, which ClickHouse has by its own clock."""
        if released:
            parameters = {"now": self.now, "written": self.now.replace(microsecond=0)}
            self.databases.clickhouse.command(SET_CREATED_AT, parameters=parameters, settings={"mutations_sync": 2})
