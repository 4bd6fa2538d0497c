"""Databases of a figure's own on the servers of the running stack; what the stack keeps there is not touched."""

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final, Self

import psycopg
from psycopg import sql
from redis import Redis

from scripts.bench import ROOT
from tenancy.rules.durations import CLICKHOUSE_QUERY_TIMEOUT_SECONDS
from tenancy.stores.clickhouse.client import Client, connect
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.schema.migrate import migrate

MIGRATIONS: Final = ROOT / "layers" / "migrations"
VALKEY_DATABASE: Final = 1  # the stack's is 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where stack.json says that the databases answer: PostgreSQL to its owner and to the platform's role."""

    database_url: str
    platform_database_url: str
    clickhouse_url: str
    redis_url: str

    @classmethod
    def load(cls) -> Self:
        """Read the contract file that `make up` wrote; without one there is nothing to measure on."""
        file = ROOT / os.environ.get("STACK_DIR", ".local") / "stack.json"
        if not file.exists():
            sys.exit("no stack runs (`make up`)")
        contract = json.loads(file.read_text())
        return cls(**{name: contract[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """A figure's own: PostgreSQL as two of its roles see it, and ClickHouse."""

    owner: Database
    platform: Database
    clickhouse: Client


@contextmanager
def own_databases(servers: Servers, *, timeout_seconds: int) -> Iterator[Databases]:
    """Yield databases that are migrated, have no rows, and are gone afterwards.

    A query in ClickHouse may take *timeout_seconds*.
    """
    with (
        _own_postgres(servers.database_url) as name,
        own_clickhouse(servers.clickhouse_url, timeout_seconds=timeout_seconds) as client,
        closing(Database(lambda: _at(servers.database_url, name), as_owner=True)) as owner,
        closing(Database(lambda: _at(servers.platform_database_url, name))) as platform,
    ):
        migrate(owner, client, MIGRATIONS)
        yield Databases(owner=owner, platform=platform, clickhouse=client)


@contextmanager
def own_clickhouse(url: str, *, timeout_seconds: int = CLICKHOUSE_QUERY_TIMEOUT_SECONDS) -> Iterator[Client]:
    """Yield a client of a new and empty database of the server at *url*, which is gone afterwards."""
    name = _new_name()
    with closing(connect(url)) as admin:
        admin.command(f"CREATE DATABASE {name}")
        try:
            with closing(connect(_at(url, name), timeout_seconds=timeout_seconds)) as client:
                yield client
        finally:
            admin.command(f"DROP DATABASE {name} SYNC")


@contextmanager
def own_valkey(url: str) -> Iterator[str]:
    """Yield the URL of a database of the server at *url* that nothing else uses; it is empty before and afterwards."""
    own = _at(url, str(VALKEY_DATABASE))
    with Redis.from_url(own) as client:
        client.flushdb()
        try:
            yield own
        finally:
            client.flushdb()


@contextmanager
def _own_postgres(owner_url: str) -> Iterator[str]:
    name = _new_name()
    with psycopg.connect(owner_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield name
        finally:
            conn.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def _new_name() -> str:
    return f"bench_{secrets.token_hex(3)}"


def _at(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"
