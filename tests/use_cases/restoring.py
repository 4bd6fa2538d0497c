"""Backups of the databases of a test, restored under another name, and the replay of the register on them."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from scripts.restore.backups import backup_clickhouse, dump_postgres, restore_clickhouse, restore_postgres
from scripts.stack import postgres
from tenancy.rules.homes import CATALOGUE
from tenancy.rules.register import RegisteredChanges
from tenancy.stores.clickhouse.client import connect
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.deletion.erasure_stores import ErasureStores
from tenancy.use_cases.restore.erase_subjects_again import Pause
from tenancy.use_cases.restore.replay import Replay, ReplayStores, Say, replay
from tests.given import Databases
from tests.registers import read_register
from tests.use_cases.erasing import Platform, domain_stores
from tests.use_cases.privacy_jobs import stores_of

CREATE = "CREATE DATABASE {} OWNER {}"
DROP = "DROP DATABASE {} WITH (FORCE)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup of the databases of a test."""

    databases: Databases
    file: Path
    name: str

    @classmethod
    def take(cls, databases: Databases, folder: Path) -> "Backup":
        file = folder / f"{databases.name}.dump"
        dump_postgres(superuser_url(databases, databases.name), file)
        name = f"backup_{uuid4().hex}"
        backup_clickhouse(databases.clickhouse, databases.name, name)
        return cls(databases=databases, file=file, name=name)

    @contextmanager
    def restored(self, *, with_postgres: bool = True, with_clickhouse: bool = True) -> Iterator[Databases]:
        """Restore both databases, or only one: then the other one is that of the test, which has survived."""
        source, name = self.databases, f"{self.databases.name}_restored"
        before = superuser_url(source, "postgres")
        try:
            if with_postgres:
                _execute(before, CREATE, name, postgres.OWNER)
                restore_postgres(superuser_url(source, name), self.file)
            if with_clickhouse:
                restore_clickhouse(source.clickhouse, source.name, name, self.name)
            with _opened(source, name if with_postgres else source.name) as opened:
                clickhouse = connect(source.servers.clickhouse_url(name if with_clickhouse else source.name))
                with closing(clickhouse):
                    yield replace(opened, clickhouse=clickhouse)
        finally:
            if with_postgres:
                _execute(before, DROP, name)
            if with_clickhouse:
                source.clickhouse.command(f"DROP DATABASE IF EXISTS {name}")


def superuser_url(databases: Databases, name: str) -> str:
    servers = databases.servers
    host = "127.0.0.1"
    return postgres.url_for(
        postgres.SUPERUSER, servers.credentials.superuser, host, port=servers.postgres_port, database=name
    )


def replay_stores(platform: Platform, databases: Databases) -> ReplayStores:
    """Return the stores of *platform* with other databases."""
    stores: ErasureStores = replace(
        platform.erasure_stores,
        platform_db=databases.platform,
        client=lambda: databases.clickhouse,
        domains=domain_stores(databases),
    )
    return ReplayStores(erasure=stores, privacy={CATALOGUE: stores_of(databases)}, signer=platform.signer)


def never_pause(waiting: Sequence[UUID]) -> None:
    raise AssertionError(f"{waiting} wait")


def run_replay(
    platform: Platform,
    databases: Databases,
    now: datetime,
    changes: RegisteredChanges | None = None,
    *,
    say: Say = lambda _: None,
    pause: Pause = never_pause,
) -> Replay:
    """Replay *changes*, or the whole register. The rows are older than the wait for writers."""
    return replay(
        replay_stores(platform, databases),
        read_register() if changes is None else changes,
        clock=lambda: now + timedelta(seconds=1),
        say=say,
        pause=pause,
    )


@contextmanager
def _opened(source: Databases, name: str) -> Iterator[Databases]:
    def connect_as(role: str) -> Database:
        url = source.servers.postgres_url(role, name)
        return Database(lambda: url, as_owner=role == postgres.OWNER)

    roles = (postgres.OWNER, postgres.FUNCTIONS, postgres.PLATFORM, postgres.AUTHORIZER)
    owner, functions, platform, authorizer = map(connect_as, roles)
    opened = replace(source, name=name, owner=owner, functions=functions, platform=platform, authorizer=authorizer)
    try:
        yield opened
    finally:
        for each in (owner, functions, platform, authorizer):
            each.close()


def _execute(url: str, statement: str, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
