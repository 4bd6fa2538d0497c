"""A platform of two databases, with acme in the first and globex in the second."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from scripts.stack import postgres
from tenancy.rules.homes import BUCKETS
from tenancy.stores.postgres.homes import RoutedDatabases
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tests.database_pool import DatabasePool
from tests.free_ports import free_port
from tests.given import CHEAP_HASHER, OPERATOR, Databases, new_organization

SET_BUCKETS = """
    INSERT INTO bucket_homes (bucket, database) SELECT bucket, %s FROM generate_series(0, %s) AS bucket
    ON CONFLICT (bucket) DO UPDATE SET database = excluded.database
"""
KEEP = "INSERT INTO organization_homes (organization_id, database) VALUES (%s, %s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoHomes:
    """Both databases, by name, and the three roles as functions have them."""

    main: Databases
    second: Databases
    functions: RoutedDatabases
    platform: RoutedDatabases
    authorizer: RoutedDatabases

    @classmethod
    def of(cls, main: Databases, second: Databases, *, unreachable: str = "") -> "TwoHomes":
        """Return a platform that knows no home yet, and in which the database *unreachable* does not answer."""
        nothing = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"

        def routed(role: str) -> RoutedDatabases:
            given = {"main": main, "second": second}
            urls = {name: each.servers.postgres_url(role, each.name) for name, each in given.items()}
            urls |= {unreachable: nothing} if unreachable else {}
            return RoutedDatabases(lambda: "\n".join(f"{name} {url}" for name, url in urls.items()))

        return cls(
            main=main,
            second=second,
            functions=routed(postgres.FUNCTIONS),
            platform=routed(postgres.PLATFORM),
            authorizer=routed(postgres.AUTHORIZER),
        )

    def without(self, name: str) -> "TwoHomes":
        """Return the same platform without one of its databases."""
        return TwoHomes.of(self.main, self.second, unreachable=name)

    def close(self) -> None:
        for each in (self.functions, self.platform, self.authorizer):
            each.close()

    def execute(self, database: Databases, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Execute a statement as the superuser, and return its rows."""
        url = database.servers.superuser_url
        with psycopg.connect(url, dbname=database.name, autocommit=True) as conn:
            cursor = conn.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def provision(self, targets: OutboxTargets, name: str, home: str) -> Provisioned:
        """Provision an organization while all buckets are in the database *home*, where it stays."""
        self.execute(self.main, SET_BUCKETS, home, BUCKETS - 1)
        now = datetime.now(UTC)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tenancy.use_cases.organizations.provision.HASHER", CHEAP_HASHER)
            provisioned = provision_organization(self.platform, targets, new_organization(name), OPERATOR, now=now)
        self.execute(self.main, KEEP, provisioned.organization.id, home)
        for database in self.platform.every():
            run_due_entries(database, targets, now=now)
        return provisioned

    def entries(self, organization_id: UUID) -> dict[str, str]:
        """Return the values of the organization in the catalogue, by kind; of two keys one."""
        statement = "SELECT kind, value FROM catalogue_entries WHERE organization_id = %s ORDER BY kind, value"
        return {str(kind): str(value) for kind, value in self.execute(self.main, statement, organization_id)}


@pytest.fixture
def homes(database_pool: DatabasePool, databases: Databases) -> Iterator[TwoHomes]:
    second = database_pool.take()
    opened = TwoHomes.of(databases, second)
    yield opened
    opened.close()
    database_pool.give_back(second)
