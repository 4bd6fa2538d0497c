"""Row-level security: the same queries of a tenant with and without policies, by the number of organizations."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import cycle
from typing import Final
from uuid import UUID

import psutil
from psycopg import sql

from scripts.bench.databases import Databases, Servers, own_databases, url_at
from scripts.bench.figure import Comparison, Effort, Figure, alternate, at_most
from scripts.bench.organizations import organization_ids
from tenancy.rules.usage import month_of
from tenancy.stores.postgres.client import Connection, Database
from tenancy.stores.postgres.standing import find_counted_month, find_standing
from tenancy.stores.postgres.usage import list_daily_usage
from tenancy.stores.postgres.users import count_users, find_user_by_email

SIZES: Final = (1, 1_000, 100_000)
MOST_SLOWER: Final = 1.15
TRANSACTIONS: Final = 150  # of one side, in a round
TURNS: Final = 10  # the sides change so often in a round
ASKED: Final = 50  # organizations that are asked for in turn
TABLES: Final = ("organizations", "users", "tenant_usage", "measurements", "usage_totals")
SET_SCHEMA: Final = sql.SQL("SET LOCAL search_path TO {}, public")
INSERTS: Final = (
    """
    INSERT INTO organizations (id, name, subdomain, tier, status, gateway_key)
    SELECT id, 'bench-' || n, 'bench-' || n || '-x', 'growth', 'active', 'bench-' || n
    FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS new (id, n)
    """,
    """
    INSERT INTO users (id, organization_id, email, role)
    SELECT gen_random_uuid(), id, 'user-' || n || '@bench.example', 'viewer'
    FROM unnest(%(ids)s::uuid[]) AS new (id), generate_series(1, 3) AS n
    """,
    """
    INSERT INTO tenant_usage (organization_id, metric_date, events_count)
    SELECT id, current_date - n, n FROM unnest(%(ids)s::uuid[]) AS new (id), generate_series(1, 3) AS n
    """,
)


class Side:
    """One connection with the role of the functions, to the tables of one schema."""

    def __init__(self, url: str, schema: str, asked: Sequence[UUID]) -> None:
        """Ask for *asked* in turn."""
        self.database = Database(lambda: url)
        self._schema = schema
        self._asked = cycle(asked)
        with self.database.transaction() as conn:
            [(pid,)] = conn.execute("SELECT pg_backend_pid()")
        self._backend = psutil.Process(pid)

    def ask(self) -> None:
        """Run every query for the next organization, in one transaction."""
        organization_id, now = next(self._asked), datetime.now(UTC)
        with self.database.tenant_transaction(organization_id) as conn:
            conn.execute(SET_SCHEMA.format(sql.Identifier(self._schema)))
            found = _query(conn, organization_id, now=now)
        if not all(found):
            sys.exit(f"a query of {self._schema} found nothing: {found}")

    def seconds(self) -> float:
        """Return the processor time of the backend so far."""
        times = self._backend.cpu_times()
        return times.user + times.system


class Sides:
    """The same rows with and without policies."""

    def __init__(self, policed: Side, bare: Side, transactions: int) -> None:
        """Run *transactions* a round."""
        self._sides = (policed, bare)
        self._transactions = transactions
        self._bare_seconds = 0.0

    def measure(self) -> float:
        """Return the milliseconds of a transaction with policies, and keep those without, measured in turn with it."""
        before = [side.seconds() for side in self._sides]
        for _ in range(TURNS):
            for side in self._sides:
                for _ in range(self._transactions // TURNS):
                    side.ask()
        policed, bare = (side.seconds() - start for side, start in zip(self._sides, before, strict=True))
        self._bare_seconds = max(bare, time.get_clock_info("process_time").resolution)
        return 1_000 * policed / self._transactions

    def reference(self) -> float:
        """Return the milliseconds without policies of the last measure."""
        return 1_000 * self._bare_seconds / self._transactions


def measure(effort: Effort) -> Figure:
    """Measure on the stack's PostgreSQL, in databases of its own."""
    servers = Servers.load()
    sizes = SIZES[: effort.size(len(SIZES))]
    return Figure(
        name="row_level_security",
        unit="milliseconds of PostgreSQL's processor time a transaction, less is better",
        measured="the standing of an organization, its usage of the month and of each day, its number of members and "
        f"one member by address, in one transaction of a tenant. Each organization has 3 members and 3 days; "
        f"{ASKED} of them are asked for in turn. The processor time is that of the connection's backend.",
        reference="the same functions and rows in copies of the tables without policies, with the same role",
        comparisons=[_compare(size, servers, effort) for size in sizes],
    )


def _query(conn: Connection, organization_id: UUID, *, now: datetime) -> list[object]:
    queries: list[Callable[[], object]] = [
        lambda: find_standing(conn, organization_id),
        lambda: find_counted_month(conn, organization_id, month_of(now.date()), today=now.date()),
        lambda: list_daily_usage(conn, organization_id),
        lambda: count_users(conn, organization_id),
        lambda: find_user_by_email(conn, organization_id, "user-2@bench.example"),
    ]
    return [query() for query in queries]


def _compare(size: int, servers: Servers, effort: Effort) -> Comparison:
    with own_databases(servers) as databases, _sides(size, servers, databases, effort) as sides:
        sides.measure()  # prepares the statements
        return alternate(f"of {size:,}", effort, sides.measure, sides.reference, at_most(MOST_SLOWER))


@contextmanager
def _sides(size: int, servers: Servers, databases: Databases, effort: Effort) -> Iterator[Sides]:
    ids = organization_ids(size)
    _insert(databases, ids)
    url = url_at(servers.app_database_url, databases.name)
    asked = ids[:: max(1, size // ASKED)]
    policed, bare = Side(url, "public", asked), Side(url, "bare", asked)
    with closing(policed.database), closing(bare.database):
        yield Sides(policed, bare, effort.size(TRANSACTIONS, TURNS))


def _insert(databases: Databases, ids: Sequence[UUID]) -> None:
    """Insert the rows as the owner, whom policies bind otherwise, and copy them to a schema without policies."""
    with databases.owner.transaction() as conn:
        for table in TABLES:
            conn.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        conn.execute("ALTER TABLE organizations DISABLE TRIGGER USER")
        for statement in INSERTS:
            conn.execute(statement, {"ids": list(ids)})
        conn.execute("CREATE SCHEMA bare")
        conn.execute("GRANT USAGE ON SCHEMA bare TO tenancy_functions")
        for table in TABLES:
            conn.execute(f"CREATE TABLE bare.{table} (LIKE public.{table} INCLUDING ALL EXCLUDING GENERATED)")
            conn.execute(f"INSERT INTO bare.{table} SELECT * FROM public.{table}")  # noqa: S608
            conn.execute(f"GRANT SELECT ON bare.{table} TO tenancy_functions")
            conn.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        conn.execute("ANALYZE")
