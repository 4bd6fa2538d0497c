"""Erasure: the cost of erasing one organization or one data subject, among a hundred and among a thousand."""

import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from scripts.bench.databases import Databases, Servers, own_databases, url_at
from scripts.bench.figure import Effort, Figure, alternate
from scripts.bench.organizations import insert_events, insert_organizations, organization_ids, start_of_month
from tenancy.rules.audit_record import Actor
from tenancy.rules.erasures import DataSubject, SubjectKind, WrittenPeriod, hash_subject
from tenancy.rules.permissions import PERMISSIONS
from tenancy.rules.tenant import CallerKind, Tenant
from tenancy.stores.aws.exports import Exports
from tenancy.stores.clickhouse.platform.organization_rows import count_event_rows, delete_event_rows
from tenancy.stores.clickhouse.platform.subjects import count_subject
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.deletions import update_anonymous, update_erasing
from tenancy.stores.postgres.platform.organization_rows import count_rows, delete_rows
from tenancy.use_cases.privacy.erase_subject import claim_due_erasure, erase_subject
from tenancy.use_cases.privacy.request_erasure import request_erasure

FEW: Final = 100
MANY: Final = 1_000
EVENTS_EACH: Final = 3_000
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
ANY_DEVICE: Final = "SELECT min(device_id) FROM events WHERE organization_id = {organization_id:UUID}"
COUNT_OTHERS: Final = "SELECT count() FROM events"


class ErasurePlatform:
    """A number of organizations, of which each call erases the next."""

    def __init__(self, organizations: int, events_each: int, databases: Databases, functions: Database) -> None:
        """Make the organizations, their rows and their events."""
        self._databases, self._functions = databases, functions
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
        self._subjects = list(ids)
        self._with_rows = list(ids)
        self._erased = 0  # events of data subjects whose organizations are left

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

    def erase_subject(self) -> float:
        """Return the seconds of the pass that erases one device of the next organization."""
        organization_id, now = self._subjects.pop(0), datetime.now(UTC) + timedelta(minutes=1)  # after every event
        subject = self._ask_erasure(organization_id, now=now)
        before = self._count_all()
        started = time.perf_counter()
        job = claim_due_erasure(self._databases.platform, now=now)
        if job is None or not erase_subject(
            self._databases.platform,
            self._databases.clickhouse,
            Exports("eu-central-1", "no-exports"),
            job,
            is_last_turn=True,
            writer_wait=timedelta(),
            clock=lambda: now,
        ):
            sys.exit("the erasure is not finished")
        seconds = time.perf_counter() - started
        self._erased += before - self._count_all()
        left = count_subject(
            self._databases.clickhouse, organization_id, subject, WrittenPeriod(since=None), through=now
        )
        self._require_none(sum(left))
        return seconds

    def _ask_erasure(self, organization_id: UUID, *, now: datetime) -> DataSubject:
        subject = hash_subject(SubjectKind.DEVICE_ID, self._device_of(organization_id))
        tenant = Tenant(
            organization_id=organization_id,
            subdomain="bench",
            scopes=PERMISSIONS,
            credential_id=organization_id,
            kind=CallerKind.KEY,
        )
        actor = Actor(kind=CallerKind.KEY, id=organization_id, request_id="bench", source_address="127.0.0.1")
        request_erasure(self._functions, tenant, subject, actor, now=now)
        return subject

    def _device_of(self, organization_id: UUID) -> str:
        parameters = {"organization_id": str(organization_id)}
        [(device_id,)] = self._databases.clickhouse.query(ANY_DEVICE, parameters=parameters).result_rows
        return str(device_id)

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
        events, expected = self._count_all(), len(self._left) * self._events_each - self._erased
        if events != expected:
            sys.exit(f"the others have {events} events, not {expected}")

    def _count_all(self) -> int:
        return int(self._databases.clickhouse.query(COUNT_OTHERS).result_rows[0][0])


def measure(effort: Effort) -> Figure:
    """Measure on the stack's servers, in databases of its own."""
    servers = Servers.load()
    few, many = effort.size(FEW, 2), effort.size(MANY, 3)
    events_each = effort.size(EVENTS_EACH, 10)
    with _platform(few, events_each, servers) as smaller, _platform(many, events_each, servers) as larger:
        rows = alternate(f"rows, of {many:,} to {few:,}", effort, larger.erase_rows, smaller.erase_rows)
        subject = alternate(f"subject, of {many:,} to {few:,}", effort, larger.erase_subject, smaller.erase_subject)
        events = alternate(f"events, of {many:,}", effort, larger.erase_events, larger.mutate)
    return Figure(
        name="erasure",
        unit="seconds by the clock, less is better; a ratio of 1 is no growth, and no more than ClickHouse needs",
        measured=f"erasing one of {many:,} organizations, another one each round: its 610 rows in PostgreSQL; its "
        f"{events_each:,} events of {many * events_each:,} in ClickHouse with statistics and held events. The events "
        "of all others are counted after each round. And one pass of the erasure of a data subject: a device of "
        "one organization.",
        reference=f"for the rows and the subject: the same, one of {few:,}. For the events: one bare mutation (ALTER "
        "TABLE events DELETE) of another organization, which rewrites the parts in which that one has rows: all of "
        "them, because load writes the events of all organizations together",
        comparisons=[rows, subject, events],
    )


@contextmanager
def _platform(organizations: int, events_each: int, servers: Servers) -> Iterator[ErasurePlatform]:
    with (
        own_databases(servers, timeout_seconds=QUERY_TIMEOUT_SECONDS) as databases,
        closing(Database(lambda: url_at(servers.app_database_url, databases.name))) as functions,
    ):
        yield ErasurePlatform(organizations, events_each, databases, functions)
