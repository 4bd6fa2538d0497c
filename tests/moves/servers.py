"""Two servers of PostgreSQL with three databases, and a file with their URLs.

`main` and `third` are on one server, so that there are moves between servers and on one server.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from scripts.move.databases import Connections, DatabaseUrls, read_databases
from scripts.stack import postgres, processes
from scripts.stack.credentials import Credentials
from scripts.stack.settings import StackSettings
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform import migrations
from tenancy.use_cases.schema.migrate import read_migrations
from tests.free_ports import free_port
from tests.given import MIGRATIONS, ROOT

MAIN, SECOND, THIRD = "main", "second", "third"
HOST = "127.0.0.1"
THIRD_DATABASE = "tenancy_third"
PASSWORD = "password-of-a-test"
# A move needs `wal_level`. The other settings only make it faster, and the data need not survive the machine.
OPTIONS = {
    "wal_level": "logical",
    "max_sync_workers_per_subscription": "8",
    "max_logical_replication_workers": "12",
    "max_worker_processes": "24",
    "wal_retrieve_retry_interval": "200ms",
    "max_replication_slots": "20",
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "128MB",
    "scram_iterations": "1",
}
HEADING = "## Move an organization\n"

type Conn = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MovableDatabase:
    """One database, opened as the superuser and with the roles of the product."""

    name: str
    superuser: Conn
    functions: Database
    platform: Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The databases by name, and the *file* with their URLs."""

    databases: Mapping[str, MovableDatabase]
    file: Path

    def __getitem__(self, name: str) -> MovableDatabase:
        return self.databases[name]

    def __iter__(self) -> Iterator[MovableDatabase]:
        return iter(self.databases.values())

    @contextmanager
    def connections(self) -> Iterator[Connections]:
        with Connections(read_databases(self.file), PASSWORD) as opened:
            yield opened


@contextmanager
def running_deployment(folder: Path | None, options: Mapping[str, str] = OPTIONS) -> Iterator[Deployment]:
    """Start both servers, and stop them at the end."""
    directory = Path(tempfile.mkdtemp(prefix="tenancy-moves-", dir=folder))
    credentials = Credentials.load(directory)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        urls = {}
        for name in (MAIN, SECOND):
            urls[name] = _start(stack, directory / name, credentials, options)
        with closing(psycopg.connect(urls[MAIN].administrator, autocommit=True)) as conn:
            conn.execute(f"CREATE DATABASE {THIRD_DATABASE} TEMPLATE tenancy OWNER tenancy_owner".encode())
        third = urls[MAIN].owner.removesuffix("tenancy") + THIRD_DATABASE
        urls[THIRD] = replace(urls[MAIN], owner=third, publisher=third)
        file = directory / "databases.json"
        document = {name: {"administrator": each.administrator, "owner": each.owner} for name, each in urls.items()}
        file.write_text(json.dumps(document), encoding="utf-8")
        file.chmod(0o600)
        databases = {name: _open(stack, name, each, credentials) for name, each in urls.items()}
        yield Deployment(databases=databases, file=file)


def documented_statements() -> str:
    """Return the statements of docs/operations.md that make the role of moves."""
    section = (ROOT / "docs/operations.md").read_text().split(HEADING)[1]
    found = re.search(r"```sql\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


def _start(stack: ExitStack, directory: Path, credentials: Credentials, options: Mapping[str, str]) -> DatabaseUrls:
    settings, port = StackSettings(root=ROOT, directory=directory), free_port()
    launch = postgres.prepare(settings, port=port, credentials=credentials)
    arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
    stack.callback(processes.stop, directory, postgres.NAME)
    processes.start(directory, replace(launch, command=[*launch.command, *arguments]))
    superuser = postgres.superuser_url(settings, port=port, credentials=credentials)
    postgres.create_database(superuser, credentials)
    owner = postgres.url_for(postgres.OWNER, credentials.owner, HOST, port=port)
    with closing(psycopg.connect(superuser, autocommit=True)) as conn:
        conn.execute(documented_statements().encode())
    with closing(Database(lambda: owner, as_owner=True)) as database, database.transaction() as conn:
        migrations.lock_migrations(conn)
        migrations.list_versions(conn)
        for each in read_migrations(MIGRATIONS / "postgres"):
            migrations.apply_migration(conn, each.version, each.name, each.digest, each.script)
    return DatabaseUrls(administrator=superuser, owner=owner, publisher=owner)


def _open(stack: ExitStack, name: str, urls: DatabaseUrls, credentials: Credentials) -> MovableDatabase:
    info = psycopg.conninfo.conninfo_to_dict(urls.owner)
    port, database = int(str(info["port"])), str(info["dbname"])

    def url_of(role: str, password: str) -> str:
        return postgres.url_for(role, password, HOST, port=port, database=database)

    opened = MovableDatabase(
        name=name,
        superuser=psycopg.connect(urls.administrator, dbname=database, autocommit=True),
        functions=Database(lambda: url_of(postgres.FUNCTIONS, credentials.functions)),
        platform=Database(lambda: url_of(postgres.PLATFORM, credentials.platform)),
    )
    for each in (opened.superuser, opened.functions, opened.platform):
        stack.callback(each.close)
    return opened
