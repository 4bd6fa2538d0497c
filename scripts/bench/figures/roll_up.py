"""Roll-up: one run over all events of many organizations, and its growth with their number."""

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Final

from scripts.bench.databases import Databases, Servers, own_databases, own_valkey
from scripts.bench.figure import Effort, Figure, alternate
from scripts.bench.organizations import insert_events, insert_organizations, organization_ids
from tenancy.rules.usage import MonthSoFar
from tenancy.stores.redis.client import Redis
from tenancy.stores.redis.counters import seed_usage
from tenancy.use_cases.schedule.roll_up import roll_up

FEW: Final = 100
MANY: Final = 1_000
EVENTS_EACH: Final = 10_000
QUERY_TIMEOUT_SECONDS: Final = 800  # the roll-up function's
REDIS_PATIENCE_SECONDS: Final = 30.0  # the same
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
        insert_events(databases.clickhouse, self._organization_ids, events_each, now=now)
        self._seed_counters(now)

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

    def _seed_counters(self, now: datetime) -> None:
        so_far = MonthSoFar(events=self._events_each, held=0, storage_bytes=0)
        for each in self._organization_ids:
            seed_usage(self._redis, each, so_far, now=now)


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
        comparison = alternate(f"{many:,} organizations", effort, larger.roll_up, smaller.roll_up)
    today = datetime.now(UTC).date()
    return Figure(
        name="roll_up",
        unit="seconds by the clock, less is better; a ratio of 10 is linear growth",
        measured=f"one run of the roll-up for {many:,} organizations with {many * events_each:,} events, "
        f"{events_each:,} each, spread over the {today.day} days of this month so far. It counts them all: statistics, "
        "usage, counters, and by how much any of these drifted. With PostgreSQL, ClickHouse and Valkey of the stack, "
        "which share this machine.",
        reference=f"the same for {few:,} organizations with {few * events_each:,} events",
        comparisons=[comparison],
    )


@contextmanager
def _platform(organizations: int, events_each: int, servers: Servers, redis: Redis) -> Iterator[RollUpPlatform]:
    with own_databases(servers, timeout_seconds=QUERY_TIMEOUT_SECONDS) as databases:
        yield RollUpPlatform(organizations, events_each, databases, redis)
