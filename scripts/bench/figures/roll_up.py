"""Roll-up: a run over all events, and a run in which ten organizations had events, by the number of organizations."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from scripts.bench.databases import Databases, Servers, own_databases, own_valkey
from scripts.bench.figure import Comparison, Effort, Figure, alternate, at_most
from scripts.bench.organizations import insert_events, insert_organizations, organization_ids, start_of_month
from tenancy.rules.usage import MonthSoFar
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import seed_usage
from tenancy.use_cases.schedule.roll_up import RollUp, roll_up

FEW: Final = 100
MANY: Final = 1_000
EVENTS_EACH: Final = 10_000
QUERY_TIMEOUT_SECONDS: Final = 800  # the roll-up function's
REDIS_PATIENCE_SECONDS: Final = 30.0  # the same
QUIET: Final = 10_000  # organizations, nearly all without new events
QUIET_EVENTS_EACH: Final = 5
ACTIVE: Final = 10
NEW_EVENTS_EACH: Final = 200
RUNS: Final = 3  # a round: one run takes less than a second
BETWEEN_RUNS: Final = timedelta(minutes=30)  # all on one day, because the first run of a day is a full one
MOST_GROWTH: Final = 1.5
DELETE_ROLL_UPS: Final = "DELETE FROM roll_ups"


class RollUpPlatform:
    """A number of organizations with events of this month."""

    def __init__(self, organizations: int, events_each: int, databases: Databases, redis: Redis) -> None:
        """Make the organizations, their events, and the counters that admission would have left."""
        self._databases, self._redis = databases, redis
        self._events_each = events_each
        self._organization_ids = organization_ids(organizations)
        now = datetime.now(UTC)
        insert_organizations(databases, self._organization_ids, now=now)
        databases.clickhouse.command("SYSTEM STOP MERGES events")  # FINAL has the same work in every round
        insert_events(databases.clickhouse, self._organization_ids, events_each, start=start_of_month(now), end=now)
        _seed_counters(redis, self._organization_ids, events_each, now=now)

    def roll_up(self) -> float:
        """Return the seconds of a run that counts every event, as if no run had been before."""
        self._forget_runs()
        started = time.perf_counter()
        done = roll_up(self._databases.platform, self._databases.clickhouse, self._redis, now=datetime.now(UTC))
        seconds = time.perf_counter() - started
        events, counted = len(self._organization_ids) * self._events_each, sum(each.events for each in done.usage)
        agrees = done.counters_settled and not done.counter_drifts and not done.statistics_drifts
        if not agrees or counted != events or done.organizations != len(self._organization_ids):
            sys.exit(f"{counted} of {events} events of {done.organizations} organizations are counted: {agrees=}")
        return seconds

    def _forget_runs(self) -> None:
        with self._databases.owner.transaction() as conn:
            conn.execute(DELETE_ROLL_UPS)
        self._databases.clickhouse.command("TRUNCATE TABLE daily_statistics")


class HourlyPlatform:
    """Organizations with events of this month, of which ten have new events before each run."""

    def __init__(self, organizations: int, databases: Databases, redis: Redis) -> None:
        """Make the organizations, their events and counters, and roll all of them up."""
        self._databases, self._redis = databases, redis
        self._ids = organization_ids(organizations)
        self._now = start_of_month(datetime.now(UTC)) + timedelta(days=14, hours=1)
        self._events = len(self._ids) * QUIET_EVENTS_EACH
        insert_organizations(databases, self._ids, now=start_of_month(self._now))
        start, end = self._now - timedelta(days=2), self._now - timedelta(hours=12)
        insert_events(databases.clickhouse, self._ids, QUIET_EVENTS_EACH, start=start, end=end)
        _seed_counters(redis, self._ids, QUIET_EVENTS_EACH, now=self._now)
        self._insert_new()
        self._run()

    def roll_up(self) -> float:
        """Return the seconds of one run, as the mean of some."""
        seconds = 0.0
        for _ in range(RUNS):
            self._now += BETWEEN_RUNS
            self._insert_new()
            started = time.perf_counter()
            done = self._run()
            seconds += time.perf_counter() - started
            if (len(done.usage), done.organizations) != (ACTIVE, ACTIVE):
                sys.exit(f"{len(done.usage)} organizations are rolled up, {done.organizations} have new events")
        return seconds / RUNS

    def check(self) -> None:
        """Stop unless a full run finds every event and no drift."""
        self._now += timedelta(days=1)
        done = self._run()
        counted = sum(each.events for each in done.usage)
        if done.counter_drifts or counted != self._events or len(done.usage) != len(self._ids):
            sys.exit(f"{counted} of {self._events} events are counted, drifts: {done.counter_drifts}")

    def _insert_new(self) -> None:
        start, end = self._now - timedelta(minutes=10), self._now - timedelta(minutes=5)
        active = self._ids[:ACTIVE]
        insert_events(self._databases.clickhouse, active, NEW_EVENTS_EACH, start=start, end=end, parts=1)
        self._events += len(active) * NEW_EVENTS_EACH

    def _run(self) -> RollUp:
        done = roll_up(self._databases.platform, self._databases.clickhouse, self._redis, now=self._now)
        if not done.ran or not done.counters_settled or done.statistics_drifts:
            sys.exit(f"the run failed: {done.ran=}, {done.counters_settled=}, {done.statistics_drifts=}")
        return done


def _seed_counters(redis: Redis, ids: Sequence[UUID], events_each: int, *, now: datetime) -> None:
    so_far = MonthSoFar(events=events_each, held=0, storage_bytes=0)
    for each in ids:
        seed_usage(redis, each, so_far, now=now)


def measure(effort: Effort) -> Figure:
    """Measure on the stack's servers, in databases of its own."""
    servers = Servers.load()
    few, many = effort.size(FEW), effort.size(MANY, 2)
    events_each = effort.size(EVENTS_EACH, 10)
    with (
        own_valkey(servers.redis_url) as url,
        closing(Redis(lambda: url, timeout_seconds=REDIS_PATIENCE_SECONDS)) as redis,
        _platform(few, events_each, servers, redis) as smaller,
        _platform(many, events_each, servers, redis) as larger,
    ):
        all_counted = alternate(f"{many:,} organizations", effort, larger.roll_up, smaller.roll_up)
    changes = _measure_changes(servers, effort)
    today = datetime.now(UTC).date()
    return Figure(
        name="roll_up",
        unit="seconds by the clock, less is better; a ratio of 10 is linear growth",
        measured=f"one run of the roll-up for {many:,} organizations with {many * events_each:,} events, "
        f"{events_each:,} each, spread over the {today.day} days of this month so far. It counts them all: statistics, "
        f"usage, counters, and by how much any of these drifted. Changes: a later run, before which {ACTIVE} of many "
        f"organizations had {NEW_EVENTS_EACH} events each. At the end a full run finds every event and no drift. With "
        "PostgreSQL, ClickHouse and Valkey of the stack, which share this machine.",
        reference=f"the same for {few:,} organizations with {few * events_each:,} events; for the changes, the same "
        f"for {ACTIVE} organizations, all of which had events",
        comparisons=[all_counted, changes],
    )


def _measure_changes(servers: Servers, effort: Effort) -> Comparison:
    quiet = effort.size(QUIET, 2 * ACTIVE)
    with (
        own_valkey(servers.redis_url) as url,
        closing(Redis(lambda: url, timeout_seconds=REDIS_PATIENCE_SECONDS)) as redis,
        own_databases(servers, timeout_seconds=QUERY_TIMEOUT_SECONDS) as fewer,
        own_databases(servers, timeout_seconds=QUERY_TIMEOUT_SECONDS) as more,
    ):
        few, many = HourlyPlatform(ACTIVE, fewer, redis), HourlyPlatform(quiet, more, redis)
        changes = alternate(f"changes, {ACTIVE} of {quiet:,}", effort, many.roll_up, few.roll_up, at_most(MOST_GROWTH))
        many.check()
    return changes


@contextmanager
def _platform(organizations: int, events_each: int, servers: Servers, redis: Redis) -> Iterator[RollUpPlatform]:
    with own_databases(servers, timeout_seconds=QUERY_TIMEOUT_SECONDS) as databases:
        yield RollUpPlatform(organizations, events_each, databases, redis)
