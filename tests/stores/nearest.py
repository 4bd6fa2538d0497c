"""A client of the streaming replica, and reads and writes of acme."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pytest

from scripts.stack import postgres
from tenancy.rules.replica_reads import ReplicaFault, WriteMark
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.replica import Replica, ReplicaError, find_position
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import PATIENCE_SECONDS, Databases
from tests.streaming_replica import StreamingReplica

RENAME = "UPDATE apps SET name = %s WHERE organization_id = %s"
NO_MARKS: Sequence[WriteMark | None] = ()


@dataclass(slots=True, kw_only=True)
class Clock:
    """Both clocks of the module `time`, which a test sets."""

    awake: float = 0.0
    wall: float = 0.0

    def monotonic(self) -> float:
        return self.awake

    def time(self) -> float:
        return self.wall


@pytest.fixture
def open_replica(databases: Databases) -> Iterator[Callable[[tuple[str, int]], Replica]]:
    url = databases.servers.postgres_url(postgres.FUNCTIONS, databases.name)
    opened: list[Replica] = []

    def enter(address: tuple[str, int]) -> Replica:
        opened.append(Replica(lambda: url, address, databases.functions))
        return opened[-1]

    yield enter
    for each in opened:
        each.close()


@pytest.fixture
def near(replica: StreamingReplica, acme: Provisioned, open_replica: Callable[[tuple[str, int]], Replica]) -> Replica:
    """Return a client of a replica that has replayed acme."""
    assert acme.organization.subdomain == "acme"
    replica.catch_up()
    return open_replica(replica.address)


def reading(organization_id: UUID) -> Callable[[Homes], list[str]]:
    def read(db: Homes) -> list[str]:
        with db.tenant_transaction(organization_id) as conn:
            return [name for (name,) in conn.execute("SELECT name FROM apps").fetchall()]

    return read


def read_when_replayed(near: Replica, read: Callable[[Homes], list[str]]) -> list[str]:
    """Read as soon as the replica has replayed the log of the primary, which writes some of it by itself."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return near.read(read, NO_MARKS)
        except ReplicaError as error:
            if error.fault != ReplicaFault.LAG or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def rename_app(databases: Databases, acme: Provisioned, name: str) -> WriteMark:
    """Change a row and return the mark of the write."""
    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        conn.execute(RENAME, (name, acme.organization.id))
    return WriteMark(written_at=datetime.now(UTC), position=find_position(databases.functions))


def fault_of(near: Replica, use: Callable[[Database], object], marks: Sequence[WriteMark | None] = NO_MARKS) -> str:
    with pytest.raises(ReplicaError) as raised:
        near.read(use, marks)
    return raised.value.fault
