"""Roll-up: one run that counts all events of many organizations, and how its time grows with them."""

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from scripts.bench.databases import Databases, Servers, own_databases, own_valkey
from scripts.bench.figure import Figure, alternate
from tenancy.organization import Organization, Status
from tenancy.stores.counters import seed_usage
from tenancy.stores.platform.organizations import insert_organization
from tenancy.stores.redis import Redis
from tenancy.tiers import Tier
from tenancy.usage import MonthSoFar
from tenancy.use_cases.roll_up import roll_up

FEW: Final = 100
MANY: Final = 1_000
EVENTS_EACH: Final = 10_000
QUERY_TIMEOUT_SECONDS: Final = 800  # the roll-up function's
REDIS_PATIENCE_SECONDS: Final = 30.0  # the same
PARTS: Final = 10  # merges are stopped, so that FINAL has the same to do in every round and for few as for many
BLOCK_EVENTS: Final = 50_000
# Of each organization in turn, so that every part has events of all, as when load writes them: 2,500 devices, ten names
# and two platforms, received within a second and written at once.
INSERT_EVENTS: Final = """
    INSERT INTO events (
        organization_id, event_id, event_type, event_name, device_id, session_id, platform, event_timestamp,
        properties, user_properties, revenue, currency, received_at, created_at
    )
    WITH
        intDiv(number * {milliseconds:UInt64}, {events:UInt64}) AS since_start,
        addMilliseconds({start:DateTime64(3, 'UTC')}, since_start) AS moment,
        rand(1) % 2500 AS device,
        rand(2) % 10 AS name
    SELECT
        toUUID(concat({prefix:String}, leftPad(toString(number % {organizations:UInt64}), 12, '0'))),
        toString(generateUUIDv4()), if(name < 3, 'purchase', 'view'), concat('Event ', toString(name)),
        concat('device-', toString(device)), concat('session-', toString(device)), if(device % 2 = 0, 'ios', 'android'),
        moment,
        concat('{"sku":"sku-', toString(rand(3) % 97), '","quantity":2,"coupon":null,"path":"/checkout/done"}'),
        '{"plan":"pro","locale":"de-DE"}', rand(4) % 200, 'EUR', addMilliseconds(moment, rand(5) % 1000),
        toDateTime(addSeconds(moment, 1))
    FROM numbers({events:UInt64})
"""
DELETE_ROLL_UPS: Final = "DELETE FROM roll_ups"


class Platform:
    """So many organizations with events of this month."""

    def __init__(self, organizations: int, databases: Databases, redis: Redis) -> None:
        """Make the organizations, their events, and the counters as admission would have left them."""
        self._databases, self._redis = databases, redis
        self._events = organizations * EVENTS_EACH
        self._prefix = f"{organizations:08x}-0000-4000-8000-"
        self._organization_ids = [UUID(f"{self._prefix}{number:012}") for number in range(organizations)]
        now = datetime.now(UTC)
        self._insert_organizations()
        self._insert_events(now)
        self._seed_counters(now)

    def roll_up(self) -> float:
        """Return the seconds of a run that counts every event, as none before it is known."""
        self._forget_runs()
        started = time.perf_counter()
        done = roll_up(self._databases.platform, self._databases.clickhouse, self._redis, now=datetime.now(UTC))
        seconds = time.perf_counter() - started
        counted = sum(each.events for each in done.usage)
        agrees = done.counters_settled and not done.counter_drifts and not done.statistics_drifts
        if not agrees or counted != self._events or done.organizations != len(self._organization_ids):
            sys.exit(f"{counted} of {self._events} events of {done.organizations} organizations are counted: {agrees=}")
        return seconds

    def _forget_runs(self) -> None:
        with self._databases.owner.transaction() as conn:
            conn.execute(DELETE_ROLL_UPS)
        self._databases.clickhouse.command("TRUNCATE TABLE daily_statistics")

    def _insert_organizations(self) -> None:
        now = datetime.now(UTC)
        with self._databases.platform.transaction() as conn:
            for number, each in enumerate(self._organization_ids):
                subdomain = f"bench-{number}"
                organization = Organization(
                    id=each,
                    name=subdomain,
                    subdomain=subdomain,
                    tier=Tier.GROWTH,
                    status=Status.ACTIVE,
                    created_at=now,
                    updated_at=now,
                )
                insert_organization(conn, organization, gateway_key=subdomain)

    def _insert_events(self, now: datetime) -> None:
        start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        parameters = {
            "start": start,
            "milliseconds": (now - start) // timedelta(milliseconds=1),
            "events": self._events,
            "organizations": len(self._organization_ids),
            "prefix": self._prefix,
        }
        settings = {
            "min_insert_block_size_rows": self._events // PARTS,
            "min_insert_block_size_bytes": 0,
            "max_block_size": BLOCK_EVENTS,
            "max_insert_threads": 1,
        }
        self._databases.clickhouse.command("SYSTEM STOP MERGES events")
        self._databases.clickhouse.command(INSERT_EVENTS, parameters=parameters, settings=settings)

    def _seed_counters(self, now: datetime) -> None:
        so_far = MonthSoFar(requests=0, requests_today=0, events=EVENTS_EACH, held=0, storage_bytes=0)
        for each in self._organization_ids:
            seed_usage(self._redis, each, so_far, now=now)


def measure(rounds: int) -> Figure:
    """Measure on the stack's servers, in databases of its own."""
    servers = Servers.load()
    with (
        own_valkey(servers.redis_url) as url,
        closing(Redis(lambda: url, patience_seconds=REDIS_PATIENCE_SECONDS)) as redis,
        _platform(FEW, servers, redis) as few,
        _platform(MANY, servers, redis) as many,
    ):
        comparison = alternate(f"{MANY:,} organizations", rounds, many.roll_up, few.roll_up)
    today = datetime.now(UTC).date()
    return Figure(
        name="roll_up",
        unit="seconds by the clock, less is better; a ratio of 10 is linear growth",
        measured=f"one run of the roll-up for {MANY:,} organizations with {MANY * EVENTS_EACH:,} events, "
        f"{EVENTS_EACH:,} each, spread over the {today.day} days of this month so far. It counts them all: statistics, "
        "usage, counters, and by how much any of these drifted. With PostgreSQL, ClickHouse and Valkey of the stack, "
        "which share this machine.",
        reference=f"the same for {FEW:,} organizations with {FEW * EVENTS_EACH:,} events",
        comparisons=[comparison],
    )


@contextmanager
def _platform(organizations: int, servers: Servers, redis: Redis) -> Iterator[Platform]:
    with own_databases(servers, timeout_seconds=QUERY_TIMEOUT_SECONDS) as databases:
        yield Platform(organizations, databases, redis)
