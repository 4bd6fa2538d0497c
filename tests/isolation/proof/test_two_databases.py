"""Attacks between organizations whose homes are different databases find no leak either."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis

from scripts.stack import postgres
from tenancy.stores.aws.secrets import AUTHORIZER_DATABASE, DATABASE, PLATFORM_DATABASE
from tests.database_pool import DatabasePool
from tests.given import Databases
from tests.handlers.functions import PutSecret, Start, superuser
from tests.isolation.proof import test_attacks
from tests.isolation.proof.attack.combinations import sample_combinations
from tests.isolation.proof.attack.execution import attack
from tests.isolation.proof.attack.gateway import LocalGateway
from tests.isolation.proof.attack.preparation import prepare_target
from tests.isolation.proof.attack.state import DeploymentState
from tests.isolation.proof.leaks import snapshots
from tests.isolation.proof.leaks.output import CapturedOutput
from tests.isolation.proof.leaks.queues import QueueInspector
from tests.isolation.proof.leaks.stores import record_written_rows
from tests.isolation.proof.proof_data import ProofData

ROLES = {
    DATABASE: postgres.FUNCTIONS,
    AUTHORIZER_DATABASE: postgres.AUTHORIZER,
    PLATFORM_DATABASE: postgres.PLATFORM,
}
LIST_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"
INSERT_MOVED = """
    INSERT INTO moved_organizations (organization_id, state, other, move_id) VALUES (%s, 'moved', %s, %s)
"""
INSERT_HOME = "INSERT INTO organization_homes (organization_id, database) VALUES (%s, 'second')"
COUNT_WRITTEN = """
    SELECT count(*) FROM written.rows WHERE table_name = 'audit_log' AND content ->> 'organization_id' = %s
"""
NEXT_OF_OUTBOX = "SELECT setval('outbox_id_seq', 1000000)"


class BothDatabases:
    """A connection that executes each statement in both databases, and has the rows of all of them or of the first."""

    def __init__(self, connections: Sequence[psycopg.Connection[Any]], *, is_first_shown: bool = False) -> None:
        self._connections = connections
        self._shown = 1 if is_first_shown else len(connections)

    def execute(self, statement: Any, values: Any = None) -> "BothDatabases":  # noqa: ANN401 - psycopg's types
        cursors = [conn.execute(statement, values) for conn in self._connections]
        self._rows = [row for cursor in cursors[: self._shown] if cursor.description for row in cursor]
        return self

    def fetchall(self) -> list[Any]:
        return self._rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as_bytes() needs the connection's encoding
        return getattr(self._connections[0], name)


@pytest.fixture
def second(database_pool: DatabasePool) -> Iterator[Databases]:
    taken = database_pool.take()
    yield taken
    database_pool.give_back(taken)


def copy_all(source: psycopg.Connection[Any], target: psycopg.Connection[Any]) -> None:
    """Copy the rows of all tables."""
    target.execute("SET session_replication_role = replica")
    for (table,) in source.execute(LIST_TABLES).fetchall():
        with (
            source.cursor().copy(f"COPY {table} TO STDOUT".encode()) as out,
            target.cursor().copy(f"COPY {table} FROM STDIN".encode()) as into,
        ):
            for part in out:
                into.write(part)
    target.execute(NEXT_OF_OUTBOX)


@pytest.fixture
def data(
    data: ProofData,
    databases: Databases,
    second: Databases,
    secrets: None,  # noqa: ARG001 - they name one database, before this fixture names two
    put_secret: PutSecret,
) -> ProofData:
    """The organizations of the proof after a move: globex is in the second database. The stale rows are still there."""
    home_of = {each.organization_id: "second" if each.name == "globex" else "main" for each in data.organizations}
    with superuser(databases) as main, superuser(second) as other:
        copy_all(main, other)
        for organization_id, home in home_of.items():
            conn, elsewhere = (main, "second") if home == "second" else (other, "main")
            conn.execute(INSERT_MOVED, (organization_id, elsewhere, uuid4()))
            if home == "second":
                main.execute(INSERT_HOME, (organization_id,))
    for secret, role in ROLES.items():
        urls = [each.servers.postgres_url(role, each.name) for each in (databases, second)]
        put_secret(secret, f"main {urls[0]}\nsecond {urls[1]}")
    return data


@pytest.fixture
def new_gateway(
    start: Start,
    secrets: None,  # noqa: ARG001
    resources: dict[str, str],
    databases: Databases,
    second: Databases,
) -> Iterator[Callable[[], LocalGateway]]:
    with (
        superuser(databases) as main,
        superuser(second) as other,
        redis.Redis.from_url(databases.servers.valkey_url) as client,
    ):
        state = DeploymentState(BothDatabases([main, other], is_first_shown=True), client)  # type: ignore[arg-type]
        yield lambda: LocalGateway(start, resources, state)


@pytest.fixture(autouse=True)
def _both_are_searched(second: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let snapshots and searches read the rows of both databases."""

    @contextmanager
    def both(databases: Databases) -> Iterator[BothDatabases]:
        with ExitStack() as stack:
            yield BothDatabases([stack.enter_context(superuser(each)) for each in (databases, second)])

    for module in (snapshots, test_attacks):
        monkeypatch.setattr(module, "superuser", both)


@pytest.mark.exhaustive
def test_attacks_between_databases_find_no_leak(
    databases: Databases,
    second: Databases,
    data: ProofData,
    gateway: LocalGateway,
    queues: QueueInspector,
    output: CapturedOutput,
    subtests: pytest.Subtests,
) -> None:
    for each in (databases, second):
        with superuser(each) as conn:
            record_written_rows(conn)
    target = prepare_target(databases, gateway, data, queues, output)

    attack(target, sample_combinations(target.data, target.calls, target.permitted))

    findings = target.findings
    with subtests.test("every call succeeds for a permitted caller"):
        assert [call.name for call in target.calls if not target.permitted[call.name]] == []
        assert target.canaries_shown.total() > 0
    with subtests.test("no answer, log line, metric or message shows a foreign canary, and no foreign row changes"):
        assert findings.leaks == []
    with subtests.test("no answer is a 5xx"):
        assert findings.faults == []
    with subtests.test("answers are the same for an organization that does not exist"):
        assert findings.existence_leaks == []
    with subtests.test("a permitted caller that names a foreign organization is refused"):
        assert findings.accepted == []
    with subtests.test("each organization's calls wrote into its own home"):
        assert_own_homes(databases, second, data)


def assert_own_homes(main: Databases, second: Databases, data: ProofData) -> None:
    """Assert that the calls of each organization added audit records in its home alone."""
    for each in data.organizations:
        is_second = each.name == "globex"
        written = {}
        for database in (main, second):
            with superuser(database) as conn:
                [(count,)] = conn.execute(COUNT_WRITTEN, (str(each.organization_id),)).fetchall()
                written[database.name] = count
        home, other = (second, main) if is_second else (main, second)
        assert written[home.name] > 0
        assert written[other.name] == 0
