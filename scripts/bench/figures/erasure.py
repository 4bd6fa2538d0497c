"""Erasure: the cost of erasing one organization, among a hundred and among a thousand."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from scripts.bench.databases import Databases, Servers, own_databases
from scripts.bench.figure import Effort, Figure, alternate
from scripts.bench.organizations import insert_events, insert_organizations, organization_ids, start_of_month
from tenancy.stores.clickhouse.platform.organization_rows import count_event_rows, delete_event_rows
from tenancy.stores.postgres.platform.deletions import update_anonymous, update_erasing
from tenancy.stores.postgres.platform.organization_rows import count_rows, delete_rows

FEW: Final = 100
MANY: Final = 1_000
EVENTS_EACH: Final = 10_000
QUERY_TIMEOUT_SECONDS: Final = 800  # the erase function's
# Each organization has in PostgreSQL: 20 users, 90 days of usage, 500 changes of its tier.
INSERT_USERS: Final = """
    INSERT INTO users (id, organization_id, email, role)
    SELECT gen_random_uuid(), %s, 'user-' || n || '@bench.example', 'viewer' FROM generate_series(1, 20) AS n
"""
INSERT_USAGE: Final = """
    INSERT INTO tenant_usage (organization_id, metric_date, events_count)
    SELECT %s, current_date - n, 1 FROM generate_series(1, 90) AS n
"""
INSERT_CHANGES: Final = """
    INSERT INTO tier_changes (id, organization_id, from_tier, to_tier, changed_at)
    SELECT gen_random_uuid(), %s, 'starter', 'growth', now() - n * interval '1 day' FROM generate_series(1, 500) AS n
"""
# The least that ClickHouse needs: one mutation of the events, of another organization.
BARE_MUTATION: Final = "ALTER TABLE events DELETE WHERE organization_id = {organization_id:UUID}"
COUNT_OTHERS: Final = "SELECT count() FROM events"


class ErasurePlatform:
    """A number of organizations, of which each call erases the next."""

    def __init__(self, organizations: int, events_each: int, databases: Databases) -> None:
        """Make the organizations, their rows and their events."""
        self._databases = databases
        self._events_each = events_each
        now = datetime.now(UTC)
        ids = organization_ids(organizations)
        insert_organizations(databases, ids, now=now)
        for each in ids:
            self._insert_rows(each)
        with databases.owner.transaction() as conn:
            conn.execute("ANALYZE")
        insert_events(databases.clickhouse, ids, events_each, start=start_of_month(now), end=now)
        self._left = ids
        self._with_rows = list(ids)

    def erase_rows(self) -> float:
        """Return the seconds in which PostgreSQL erases the next organization."""
        organization_id = self._with_rows.pop()
        with self._databases.platform.tenant_transaction(organization_id) as conn:
            update_erasing(conn, organization_id, now=datetime.now(UTC))
        started = time.perf_counter()
        with self._databases.platform.tenant_transaction(organization_id) as conn:
            update_anonymous(conn, organization_id)
            delete_rows(conn, organization_id)
        seconds = time.perf_counter() - started
        with self._databases.platform.tenant_transaction(organization_id) as conn:
            self._require_none(sum(count_rows(conn, organization_id).values()))
        return seconds

    def erase_events(self) -> float:
        """Return the seconds in which ClickHouse erases the next organization, and no other."""
        organization_id = self._left.pop()
        started = time.perf_counter()
        delete_event_rows(self._databases.clickhouse, organization_id)
        seconds = time.perf_counter() - started
        self._require_none(sum(count_event_rows(self._databases.clickhouse, organization_id).values()))
        self._require_others()
        return seconds

    def mutate(self) -> float:
        """Return the seconds of a bare mutation that deletes the next organization's events."""
        organization_id = self._left.pop()
        parameters = {"organization_id": str(organization_id)}
        started = time.perf_counter()
        self._databases.clickhouse.command(BARE_MUTATION, parameters=parameters, settings={"mutations_sync": 2})
        return time.perf_counter() - started

    def _insert_rows(self, organization_id: UUID) -> None:
        with self._databases.platform.tenant_transaction(organization_id) as conn:
            for statement in (INSERT_USERS, INSERT_USAGE, INSERT_CHANGES):
                conn.execute(statement, (organization_id,))

    def _require_none(self, rows: int) -> None:
        if rows:
            sys.exit(f"{rows} rows are left")

    def _require_others(self) -> None:
        [(events,)] = self._databases.clickhouse.query(COUNT_OTHERS).result_rows
        if events != len(self._left) * self._events_each:
            sys.exit(f"the others have {events} events, not {len(self._left) * self._events_each}")


def measure(effort: Effort) -> Figure:
    """Measure on the stack's servers, in databases of its own."""
    servers = Servers.load()
    few, many = effort.size(FEW, 2), effort.size(MANY, 3)
    events_each = effort.size(EVENTS_EACH, 10)
    with _platform(few, events_each, servers) as smaller, _platform(many, events_each, servers) as larger:
        rows = alternate(f"rows, of {many:,} to {few:,}", effort, larger.erase_rows, smaller.erase_rows)
        events = alternate(f"events, of {many:,}", effort, larger.erase_events, larger.mutate)
    return Figure(
        name="erasure",
        unit="seconds by the clock, less is better; a ratio of 1 is no growth, and no more than ClickHouse needs",
        measured=f"erasing one of {many:,} organizations, another one each round: its 610 rows in PostgreSQL; its "
        f"{events_each:,} events of {many * events_each:,} in ClickHouse with statistics and held events. The events "
        "of all others are counted after each round.",
        reference=f"for the rows: the same, one of {few:,}. For the events: one bare mutation (ALTER TABLE events "
        "DELETE) of another organization, which rewrites the parts in which that one has rows: all of them, because "
        "load writes the events of all organizations together",
        comparisons=[rows, events],
    )


@contextmanager
def _platform(organizations: int, events_each: int, servers: Servers) -> Iterator[ErasurePlatform]:
    with own_databases(servers, timeout_seconds=QUERY_TIMEOUT_SECONDS) as databases:
        yield ErasurePlatform(organizations, events_each, databases)
