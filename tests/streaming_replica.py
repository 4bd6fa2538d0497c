"""A streaming replica of the tests' PostgreSQL, whose lag a test makes on purpose."""

import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from scripts.stack import postgres, processes
from scripts.stack.settings import StackSettings
from tests.free_ports import free_port
from tests.given import ROOT, Databases, Servers

ALLOW_REPLICATION = "host replication all all scram-sha-256\n"
CATCH_UP_SECONDS = 30.0
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingReplica:
    """A running replica at *port*, whose data lie in *directory*."""

    servers: Servers
    directory: Path
    port: int

    @property
    def address(self) -> tuple[str, int]:
        return HOST, self.port

    def connect(self, databases: Databases, **settings: str) -> psycopg.Connection:
        """Connect to the replica of a test's database as the superuser."""
        url = make_conninfo(self.servers.superuser_url, host=HOST, port=self.port, dbname=databases.name, **settings)
        return psycopg.connect(url, autocommit=True)

    def catch_up(self) -> None:
        """Wait until the replica has all that the primary has."""
        with psycopg.connect(self.servers.superuser_url, autocommit=True) as primary:
            primary.execute("SELECT pg_switch_wal()")  # the rest of the log may wait for its writer
            [wanted] = primary.execute("SELECT pg_current_wal_lsn()").fetchone() or (None,)
        ends_at = time.monotonic() + CATCH_UP_SECONDS
        with psycopg.connect(make_conninfo(self.servers.superuser_url, port=self.port), autocommit=True) as replica:
            while replica.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (wanted,)).fetchone() != (True,):
                assert time.monotonic() < ends_at, "the replica does not catch up"
                time.sleep(0.02)

    def pause(self) -> None:
        """Let the replica fall behind: it replays nothing until `resume`."""
        self.catch_up()
        self._execute("SELECT pg_wal_replay_pause()")

    def resume(self) -> None:
        self._execute("SELECT pg_wal_replay_resume()")
        self.catch_up()

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def stop(self) -> None:
        processes.stop(self.directory, postgres.NAME)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let no process of the replica run. Its connections stay open, and the system goes on accepting others."""
        server = psutil.Process(
            int((self.directory / postgres.NAME / "data" / "postmaster.pid").read_text().split()[0])
        )
        every = [server, *server.children(recursive=True)]
        for process in every:
            process.suspend()
        try:
            yield
        finally:
            for process in every:
                process.resume()

    def promote(self) -> None:
        """Make a primary of it for ever, with a log of its own. Use a replica that no other test uses."""
        self._execute("SELECT pg_promote()")

    def start(self) -> None:
        settings = StackSettings(root=ROOT, directory=self.directory)
        launch = postgres.prepare(settings, port=self.port, credentials=self.servers.credentials)
        processes.start(self.directory, launch)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(make_conninfo(self.servers.superuser_url, port=self.port), autocommit=True) as replica:
            replica.execute(statement.encode())


@contextmanager
def streaming_replica(servers: Servers, parent: Path | None) -> Iterator[StreamingReplica]:
    directory = Path(tempfile.mkdtemp(prefix="tenancy-replica-", dir=parent))
    replica = StreamingReplica(servers=servers, directory=directory, port=free_port())
    try:
        _copy_primary(servers, directory / postgres.NAME)
        replica.start()
        yield replica
    finally:
        replica.stop()
        shutil.rmtree(directory)


def _copy_primary(servers: Servers, home: Path) -> None:
    with psycopg.connect(servers.superuser_url, autocommit=True) as primary:
        [hba_file] = primary.execute("SHOW hba_file").fetchone() or ("",)
        with Path(hba_file).open("a") as access:
            access.write(ALLOW_REPLICATION)
        primary.execute("SELECT pg_reload_conf()")
    user = postgres.SYSTEM_USER if os.geteuid() == 0 else None
    home.mkdir()
    if user:
        postgres._allow(user, home)
    command = [str(postgres.PROGRAMS / "pg_basebackup"), "-D", str(home / "data"), "-d", servers.superuser_url]
    group = pwd.getpwnam(user).pw_gid if user else None
    postgres._run_tool([*command, "-R", "-c", "fast", "-X", "stream"], user=user, group=group, cwd=home)
