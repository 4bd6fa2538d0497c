"""The plain TypeScript server on databases of its own, and its clients."""

import http.client
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Final
from uuid import UUID, uuid4

import jwt
import psutil
import psycopg

from scripts.bench.databases import Servers, empty_clickhouse, empty_postgres, own_valkey
from scripts.bench.peers.node import SOURCES, Program, programs
from tenancy.stores.clickhouse.client import connect

CLIENTS: Final = 4
CPUCLOCK_SCHED: Final = 2  # of Linux: the time in which the scheduler has run a process
ORGANIZATIONS: Final = 50  # each may send 2,000 requests a minute
SECRET: Final = uuid4().hex + uuid4().hex
TOKEN_LIFE: Final = timedelta(days=1)
TIMEOUT_SECONDS: Final = 60
INSERT_ORGANIZATION: Final = """
    INSERT INTO organizations (id, name, subdomain, tier, status) VALUES (%s, %s, %s, 'enterprise', 'active')
"""
INSERT_USER: Final = "INSERT INTO users (id, organization_id, email, role) VALUES (%s, %s, %s, 'super_admin')"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerServer:
    """A running server and tokens of its organizations."""

    process: psutil.Process
    port: int
    tokens: tuple[str, ...]

    def processor_seconds(self, method: str, path: str, body: bytes = b"", *, requests: int) -> float:
        """Return the processor time of the server's process for one of so many *requests*.

        They come from some clients at once, each over one connection.
        """
        started = self._spent()
        with ThreadPoolExecutor(CLIENTS) as clients:
            shares = [requests // CLIENTS + (number < requests % CLIENTS) for number in range(CLIENTS)]
            list(clients.map(lambda share: self._send(method, path, body, share), shares))
        return (self._spent() - started) / requests

    def _send(self, method: str, path: str, body: bytes, requests: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)) as connection:
            for token in islice(cycle(self.tokens), requests):
                headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
                connection.request(method, path, body or None, headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != http.client.OK:
                    sys.exit(f"the peer refused a request: {answer.status} {text[:500]!r}")

    def _spent(self) -> float:
        """Return the processor seconds of all threads of the server.

        psutil has them in steps of 10 ms. This is the clock that clock_getcpuclockid(3) of glibc returns.
        """
        return time.clock_gettime(~self.process.pid << 3 | CPUCLOCK_SCHED)


@contextmanager
def peer_server() -> Iterator[PeerServer]:
    """Yield a server with some organizations and no events."""
    servers = Servers.load()
    with (
        empty_postgres(servers) as database_url,
        empty_clickhouse(servers) as clickhouse_url,
        own_valkey(servers.redis_url) as redis_url,
    ):
        tokens = _prepare(database_url, clickhouse_url)
        environment = {
            "DATABASE_URL": database_url,
            "CLICKHOUSE_URL": clickhouse_url,
            "REDIS_URL": redis_url,
            "JWT_SECRET": SECRET,
        }
        with programs("server", environment) as [running]:
            yield PeerServer(process=psutil.Process(running.pid), port=_port_of(running), tokens=tokens)


def _prepare(database_url: str, clickhouse_url: str) -> tuple[str, ...]:
    """Make the tables and the organizations, and return one token of each."""
    with closing(connect(clickhouse_url)) as clickhouse:
        clickhouse.command((SOURCES / "clickhouse.sql").read_text())
    with psycopg.connect(database_url) as conn:
        conn.execute((SOURCES / "postgres.sql").read_bytes())
        return tuple(_insert_organization(conn, f"organization-{number}") for number in range(ORGANIZATIONS))


def _insert_organization(conn: psycopg.Connection, name: str) -> str:
    organization_id, user_id, email = uuid4(), uuid4(), f"admin@{name}.example"
    conn.execute(INSERT_ORGANIZATION, (organization_id, name, name))
    conn.execute(INSERT_USER, (user_id, organization_id, email))
    return _token(organization_id, user_id, email)


def _token(organization_id: UUID, user_id: UUID, email: str) -> str:
    claims = {"user_id": str(user_id), "organization_id": str(organization_id), "email": email, "role": "super_admin"}
    return jwt.encode({**claims, "exp": datetime.now(UTC) + TOKEN_LIFE}, SECRET, algorithm="HS256")


def _port_of(running: Program) -> int:
    line = running.stdout.readline() if running.stdout else ""
    if not line:
        sys.exit("the peer does not start")
    return int(line)
