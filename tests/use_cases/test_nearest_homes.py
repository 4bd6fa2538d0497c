"""Reads from a replica among several databases: it has the organizations of `main` only."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from scripts.stack import postgres
from tenancy.rules.replica_reads import ReplicaFault
from tenancy.rules.tiers import Tier
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.homes import RoutedDatabases as Router
from tenancy.stores.postgres.replica import Replica
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.replicas.read_nearest import read_nearest
from tenancy.use_cases.replicas.read_tokens import ReadTokens
from tests.database_pool import DatabasePool
from tests.given import Databases, provision
from tests.streaming_replica import StreamingReplica

MOVE_ID = UUID(int=1)
MOVED = "INSERT INTO moved_organizations (organization_id, state, other, move_id) VALUES (%s, 'moved', 'second', %s)"
HOME = "INSERT INTO organization_homes VALUES (%s, 'second')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Two databases of one server, and a replica of that server, which is known as one of the first database."""

    main: Databases
    second: Databases
    router: Router
    replica: Replica

    def read(self, organization_id: UUID) -> tuple[list[str], ReplicaFault | None]:
        """Return the names of apps, with those of the database and of its kind."""

        def use(homes: Homes) -> list[str]:
            with homes.tenant_transaction(organization_id) as conn:
                rows = conn.execute("SELECT current_database(), pg_is_in_recovery()::text, name FROM apps").fetchall()
            return [text for row in rows for text in row]

        done = read_nearest(self.router, self.replica, organization_id, use, ())
        return done.found, done.fault

    def execute(self, given: Databases, statement: str, *values: object) -> None:
        with psycopg.connect(given.servers.superuser_url, dbname=given.name, autocommit=True) as conn:
            conn.execute(statement.encode(), values)


@pytest.fixture
def places(database_pool: DatabasePool, databases: Databases, replica: StreamingReplica) -> Iterator[Places]:
    second = database_pool.take()
    given = {"main": databases, "second": second}
    text = "\n".join(
        f"{name} {each.servers.postgres_url(postgres.FUNCTIONS, each.name)}" for name, each in given.items()
    )
    router = Router(lambda: text)
    opened = Places(
        main=databases, second=second, router=router, replica=Replica(lambda: text, replica.address, router)
    )
    yield opened
    opened.replica.close()
    router.close()
    database_pool.give_back(second)


def test_organization_of_the_first_database_is_read_from_the_replica(
    places: Places, acme: Provisioned, replica: StreamingReplica
) -> None:
    replica.catch_up()

    found, fault = places.read(acme.organization.id)

    assert fault is None
    assert found[:2] == [places.main.name, "true"]


def test_organization_of_another_database_is_read_there(
    places: Places, targets: OutboxTargets, replica: StreamingReplica
) -> None:
    globex = provision(places.second, targets, "globex", Tier.GROWTH).organization.id
    places.execute(places.main, HOME, globex)
    replica.catch_up()

    found, fault = places.read(globex)

    assert fault == ReplicaFault.ELSEWHERE
    assert found[:2] == [places.second.name, "false"]


def test_moved_organization_is_read_at_its_new_home(
    places: Places, acme: Provisioned, replica: StreamingReplica
) -> None:
    """The directory still names the first database. Its replica knows of the move, as its primary does."""
    places.execute(places.main, MOVED, acme.organization.id, MOVE_ID)
    replica.catch_up()

    found, fault = places.read(acme.organization.id)

    assert fault == ReplicaFault.ELSEWHERE
    assert found == []  # no move has copied the rows in this test


def test_organization_that_came_just_now_is_read_from_the_primary(
    places: Places, targets: OutboxTargets, replica: StreamingReplica
) -> None:
    with replica.paused():
        globex = provision(places.main, targets, "globex", Tier.GROWTH).organization.id

        found, fault = places.read(globex)

    assert fault == ReplicaFault.ELSEWHERE
    assert found[:2] == [places.main.name, "false"]


def test_token_has_a_position_only_for_the_database_of_the_replica(
    places: Places, acme: Provisioned, targets: OutboxTargets
) -> None:
    globex = provision(places.second, targets, "globex", Tier.GROWTH).organization.id
    places.execute(places.main, HOME, globex)
    tokens = ReadTokens(lambda: "secret", places.router)

    kinds = [tokens.mark_write(each, now=datetime.now(UTC))[0] for each in (acme.organization.id, globex)]

    assert kinds == ["p", "t"]
