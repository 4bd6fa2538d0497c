"""Erasure: what it costs to erase one organization, among a hundred and among a thousand."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from scripts.bench.databases import Databases, Servers, own_databases
from scripts.bench.figure import Figure, alternate
from scripts.bench.organizations import insert_events, insert_organizations, organization_ids
from tenancy.stores.clickhouse.platform.organization_rows import count_event_rows, delete_event_rows
from tenancy.stores.postgres.platform.deletions import update_anonymous, update_erasing
from tenancy.stores.postgres.platform.organization_rows import count_rows, delete_rows

FEW: Final = 100
MANY: Final = 1_000
EVENTS_EACH: Final = 10_000
QUERY_TIMEOUT_SECONDS: Final = 800  # the erase function's
# What each organization has in PostgreSQL: 20 users, 90 days of usage, 500 changes of its tier.
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
# What ClickHouse cannot do for less: one mutation of the events, of another organization.
BARE_MUTATION: Final = "ALTER TABLE events DELETE WHERE organization_id = {organization_id:UUID}"
COUNT_OTHERS: Final = "SELECT count() FROM events"


class Platform:
    """So many organizations, of which each call erases another one."""

    def __init__(self, organizations: int, databases: Databases) -> None:
        """Make the organizations, their rows and their events."""
        self._databases = databases
        now = datetime.now(UTC)
        ids = organization_ids(organizations)
        insert_organizations(databases, ids, now=now)
        for each in ids:
            self._insert_rows(each)
        with databases.owner.transaction() as conn:
            conn.execute("ANALYZE")
        insert_events(databases.clickhouse, ids, EVENTS_EACH, now=now)
        self._left = ids
        self._with_rows = list(ids)

    def erase_rows(self) -> float:
        """Return the seconds in which PostgreSQL forgets the next organization."""
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
        """Return the seconds in which ClickHouse forgets the next organization, and nobody else."""
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
        if events != len(self._left) * EVENTS_EACH:
            sys.exit(f"the others have {events} events, not {len(self._left) * EVENTS_EACH}")


def measure(rounds: int) -> Figure:
    """Measure on the stack's servers, in databases of its own."""
    servers = Servers.load()
    with _platform(FEW, servers) as few, _platform(MANY, servers) as many:
        rows = alternate(f"rows, of {MANY:,} to {FEW:,}", rounds, many.erase_rows, few.erase_rows)
        events = alternate(f"events, of {MANY:,}", rounds, many.erase_events, many.mutate)
    return Figure(
        name="erasure",
        unit="seconds by the clock, less is better; a ratio of 1 is no growth, and no more than ClickHouse needs",
        measured=f"erasing one of {MANY:,} organizations, another one each round: its 610 rows in PostgreSQL; its "
        f"{EVENTS_EACH:,} events of {MANY * EVENTS_EACH:,} in ClickHouse with statistics and held events. Everybody "
        "else's events are counted after each round.",
        reference=f"for the rows: the same, one of {FEW:,}. For the events: one bare mutation (ALTER TABLE events "
        "DELETE) of another organization, which rewrites the parts in which that one has rows: all of them, because "
        "load writes the events of all organizations together",
        comparisons=[rows, events],
    )


@contextmanager
def _platform(organizations: int, servers: Servers) -> Iterator[Platform]:
    with own_databases(servers, timeout_seconds=QUERY_TIMEOUT_SECONDS) as databases:
        yield Platform(organizations, databases)
