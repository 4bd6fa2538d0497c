"""Queries: statistics, usage and events of one tenant, among few organizations and among many."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from statistics import median
from typing import Any, Final, cast

from scripts.bench.databases import Databases, Servers, own_databases, own_valkey, url_at
from scripts.bench.figure import Comparison, Effort, Figure, at_most
from scripts.bench.organizations import insert_events, insert_organizations, organization_ids, start_of_month
from tenancy.errors import UnavailableError
from tenancy.rules.cursors import Page
from tenancy.rules.durations import ONE_SECOND
from tenancy.rules.entitlements import Entitlements
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.quotas import Metric
from tenancy.rules.statistics import StatisticsQuery
from tenancy.rules.stored_events import EventFilter, EventKey, EventQuery, StoredEvent
from tenancy.rules.tenant import AdmittedTenant, CallerKind
from tenancy.rules.tiers import Tier
from tenancy.rules.usage import month_of
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.events.read_events import read_events
from tenancy.use_cases.schedule.roll_up import roll_up
from tenancy.use_cases.usage.read_statistics import read_statistics
from tenancy.use_cases.usage.read_usage import read_tenant_usage

FEW: Final = 2
MANY_VARIABLE: Final = "BENCH_ORGANIZATIONS"  # the variable that replaces the next number
MANY: Final = 100  # 2,000,000 events. With 1,000 they are 20 million, with 5,000 they are 100 million.
EVENTS_EACH: Final = 20_000
CALLS: Final = 10
PAGE: Final = 100
LARGE_PAGE: Final = 1_000
NAMES: Final = ("statistics", "usage", "events")
MOST_ROWS: Final = 8.0  # for each row of the tenant. Each part of a table adds up to two granules of 8,192 rows.
MEBIBYTE: Final = 2**20
# ClickHouse refuses a query that takes more memory. The first of these limits that suffices is shown.
LIMITS: Final = tuple(MEBIBYTE << power for power in range(2, 9))
QUERY_TIMEOUT_SECONDS: Final = 800
REDIS_PATIENCE_SECONDS: Final = 30.0
# A copy of every twentieth event, received a second later.
INSERT_REPEATS: Final = """
    INSERT INTO events (
        organization_id, event_id, event_type, event_name, device_id, session_id, platform, event_timestamp, properties,
        user_properties, revenue, currency, received_at, created_at
    )
    SELECT organization_id, event_id, event_type, event_name, device_id, session_id, platform, event_timestamp,
           properties, user_properties, revenue, currency, addSeconds(received_at, 1), created_at
    FROM events WHERE cityHash64(event_id) % 20 = 0
"""
COUNT_ROWS: Final = "SELECT count() FROM events WHERE organization_id = {organization_id:UUID}"


class CountingClient:
    """A client that counts the rows that its queries read, and limits their memory."""

    def __init__(self, client: Client) -> None:
        """Ask *client*."""
        self._client = client
        self.rows = 0
        self.most_bytes = LIMITS[-1]
        self.database = client.database

    def query(self, statement: str, *, parameters: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the driver's result
        """Return the result of *statement*."""
        limits = {"max_memory_usage": self.most_bytes, "max_threads": 1}
        result = self._client.query(statement, parameters=dict(parameters), settings=limits | dict(settings))
        self.rows += int(result.summary["read_rows"])
        return result


class TenantQueries:
    """The queries of the first of a number of organizations."""

    def __init__(self, organizations: int, events_each: int, databases: Databases, functions: Database) -> None:
        """Make the organizations with their events and repeats."""
        ids = organization_ids(organizations)
        self._now = datetime.now(UTC)
        self._events = events_each
        self._functions = functions
        self._client = CountingClient(databases.clickhouse)
        insert_organizations(databases, ids, now=self._now)
        insert_events(databases.clickhouse, ids, events_each, start=start_of_month(self._now), end=self._now)
        databases.clickhouse.command(INSERT_REPEATS)
        parameters = {"organization_id": str(ids[0])}
        [(self.stored_rows,)] = databases.clickhouse.query(COUNT_ROWS, parameters=parameters).result_rows
        self._tenant = AdmittedTenant(
            organization_id=ids[0],
            subdomain="bench-1-x",
            entitlements=Entitlements(tier=Tier.ENTERPRISE, overrides={}),
            scopes=PERMISSIONS,
            credential_id=ids[0],
            kind=CallerKind.KEY,
        )
        self._queries: Mapping[str, tuple[Callable[[], int], int]] = {
            "statistics": (self._count_statistics, events_each),
            "usage": (self._count_usage, events_each),
            "events": (lambda: len(self._read_page(None, PAGE).rows), min(PAGE, events_each)),
        }

    def measure(self, name: str, calls: int) -> tuple[list[float], int]:
        """Return the milliseconds of each call of a query, and the rows of ClickHouse that one of them reads."""
        query, wanted = self._queries[name]
        milliseconds = []
        self._client.rows = 0
        for _ in range(calls):
            started = time.perf_counter()
            counted = query()
            milliseconds.append(1_000 * (time.perf_counter() - started))
            self._require(name, counted, wanted)
        return milliseconds, self._client.rows // calls

    def least_memory(self, name: str) -> int:
        """Return the smallest of `LIMITS` within which ClickHouse answers a query, in bytes."""
        query, _ = self._queries[name]
        for limit in LIMITS:
            self._client.most_bytes = limit
            try:
                query()
                break
            except UnavailableError:  # ClickHouse has refused it
                continue
        self._client.most_bytes = LIMITS[-1]
        return limit

    def check_all_pages(self) -> None:
        """Stop unless the pages of events have each event once."""
        keys: list[EventKey] = []
        cursor = None
        while True:
            page = self._read_page(cursor, LARGE_PAGE)
            keys += [event.key for event in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
        self._require("events on all pages", len(keys), self._events)
        self._require("different events", len(set(keys)), self._events)

    def _count_statistics(self) -> int:
        query = StatisticsQuery(period=month_of(self._now.date()), group_by=("day", "event_name"))
        page = read_statistics(self._functions, self._open, self._tenant, query, now=self._now)
        return sum(group.events for group in page.rows)

    def _count_usage(self) -> int:
        period = month_of(self._now.date())
        report = read_tenant_usage(self._functions, self._open, self._tenant, period, now=self._now)
        return report.quotas[Metric.EVENTS].used

    def _read_page(self, cursor: str | None, limit: int) -> Page[StoredEvent]:
        query = EventQuery(wanted=EventFilter())
        now = self._now + ONE_SECOND  # the newest event was received at that time
        return read_events(self._functions, self._open, self._tenant, query, now=now, cursor=cursor, limit=limit)

    def _open(self) -> Client:
        return cast("Client", self._client)

    @staticmethod
    def _require(name: str, counted: int, wanted: int) -> None:
        if counted != wanted:
            sys.exit(f"{name}: {counted} instead of {wanted}")


def measure(effort: Effort) -> Figure:
    """Measure on the stack's servers, in databases of its own."""
    servers = Servers.load()
    many = effort.size(int(os.environ.get(MANY_VARIABLE, MANY)), FEW)
    events_each, calls = effort.size(EVENTS_EACH, PAGE), effort.size(CALLS)
    with _tenant_of(FEW, events_each, servers) as alone, _tenant_of(many, events_each, servers) as crowded:
        compared = {name: _compare(name, crowded, alone, effort.rounds, calls) for name in NAMES}
        memory = {name: crowded.least_memory(name) // MEBIBYTE for name in NAMES}
        crowded.check_all_pages()
    comparisons = [each for pair, _ in compared.values() for each in pair]
    return Figure(
        name="queries",
        unit="milliseconds by the clock, the median of some calls, and rows that ClickHouse reads; less is better",
        measured=f"one organization of {many:,} with {events_each:,} events each of this month, {many * events_each:,} "
        "together, and a repeat of every twentieth: its statistics per day and name, its usage, and a page of its "
        f"newest {PAGE} events. Each answer is checked, and so are all pages of its events. A query in ClickHouse gets "
        f"one thread and at most {LIMITS[-1] // MEBIBYTE} MiB. All organizations are rolled up.",
        reference=f"for the times: the same organization among {FEW}. For the rows: its own rows, with its repeats",
        comparisons=comparisons,
        notes=[
            f"p99 of {name}: {p99:.0f} ms. ClickHouse answers it within {memory[name]} MiB."
            for name, (_, p99) in compared.items()
        ],
    )


def _compare(
    name: str, crowded: TenantQueries, alone: TenantQueries, rounds: int, calls: int
) -> tuple[list[Comparison], float]:
    """Return the comparisons of times and of rows, and the p99 of the calls among many organizations."""
    pairs = [(crowded.measure(name, calls), alone.measure(name, calls)) for _ in range(rounds)]
    times = Comparison(
        what=f"{name}, ms",
        measured=[median(many) for (many, _), _ in pairs],
        reference=[median(few) for _, (few, _) in pairs],
    )
    rows = Comparison(
        what=f"{name}, rows",
        measured=[float(many) for (_, many), _ in pairs],
        reference=[float(crowded.stored_rows)] * rounds,
        goals=[at_most(MOST_ROWS)],
    )
    every = sorted(each for (many, _), _ in pairs for each in many)
    return [times, rows], every[int(0.99 * (len(every) - 1))]


@contextmanager
def _tenant_of(organizations: int, events_each: int, servers: Servers) -> Iterator[TenantQueries]:
    with (
        own_valkey(servers.redis_url) as redis_url,
        closing(Redis(lambda: redis_url, timeout_seconds=REDIS_PATIENCE_SECONDS)) as redis,
        own_databases(servers, timeout_seconds=QUERY_TIMEOUT_SECONDS) as databases,
        closing(Database(lambda: url_at(servers.app_database_url, databases.name))) as functions,
    ):
        queries = TenantQueries(organizations, events_each, databases, functions)
        roll_up(databases.platform, databases.clickhouse, redis, now=datetime.now(UTC))
        yield queries
