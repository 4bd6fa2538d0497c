"""Databases of a figure's own on the servers of the running stack."""

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
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
    """The addresses of the databases in stack.json, for PostgreSQL's owner and two roles."""

    database_url: str
    app_database_url: str
    platform_database_url: str
    clickhouse_url: str
    redis_url: str

    @classmethod
    def load(cls) -> Self:
        """Read stack.json, which `make up` writes, and stop where there is none."""
        file = ROOT / os.environ.get("STACK_DIR", ".local") / "stack.json"
        if not file.exists():
            sys.exit("No stack runs here. Start it with `make up`.")
        contract = json.loads(file.read_text())
        return cls(**{name: contract[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """A figure's own databases: PostgreSQL for two of its roles, and ClickHouse.

    *name* is that of PostgreSQL's database.
    """

    name: str
    owner: Database
    platform: Database
    clickhouse: Client
    clickhouse_url: str


@contextmanager
def own_databases(
    servers: Servers, *, timeout_seconds: int = CLICKHOUSE_QUERY_TIMEOUT_SECONDS, migrations: Path = MIGRATIONS
) -> Iterator[Databases]:
    """Yield databases with the schema of *migrations* and no rows, and drop them afterwards.

    A query in ClickHouse may take *timeout_seconds*.
    """
    with (
        _own_postgres(servers.database_url) as name,
        _own_clickhouse(servers.clickhouse_url) as clickhouse_url,
        closing(connect(clickhouse_url, timeout_seconds=timeout_seconds)) as client,
        closing(Database(lambda: url_at(servers.database_url, name), as_owner=True)) as owner,
        closing(Database(lambda: url_at(servers.platform_database_url, name))) as platform,
    ):
        migrate(owner, client, migrations)
        yield Databases(name=name, owner=owner, platform=platform, clickhouse=client, clickhouse_url=clickhouse_url)


@contextmanager
def own_valkey(url: str, *, database: int = VALKEY_DATABASE) -> Iterator[str]:
    """Yield the URL of an empty *database* on the server at *url*, and empty it afterwards."""
    own = url_at(url, str(database))
    with Redis.from_url(own) as client:
        client.flushdb()
        try:
            yield own
        finally:
            client.flushdb()


@contextmanager
def empty_postgres(servers: Servers) -> Iterator[str]:
    """Yield the owner's URL of a database of PostgreSQL without tables, and drop it afterwards."""
    with _own_postgres(servers.database_url) as name:
        yield url_at(servers.database_url, name)


@contextmanager
def empty_clickhouse(servers: Servers) -> Iterator[str]:
    """Yield the URL of a database of ClickHouse without tables, and drop it afterwards."""
    with _own_clickhouse(servers.clickhouse_url) as url:
        yield url


@contextmanager
def _own_postgres(owner_url: str) -> Iterator[str]:
    name = _new_name()
    with psycopg.connect(owner_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield name
        finally:
            conn.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


@contextmanager
def _own_clickhouse(url: str) -> Iterator[str]:
    name = _new_name()
    with closing(connect(url)) as admin:
        admin.command(f"CREATE DATABASE {name}")
        try:
            yield url_at(url, name)
        finally:
            admin.command(f"DROP DATABASE {name} SYNC")


def _new_name() -> str:
    return f"bench_{secrets.token_hex(3)}"


def url_at(url: str, database: str) -> str:
    """Return *url* with another database."""
    return f"{url.rpartition('/')[0]}/{database}"
