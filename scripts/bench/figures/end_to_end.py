"""End to end: events through the deployed stack, from the client to ClickHouse."""

import http.client
import secrets
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

from scripts.bench.databases import Servers, own_databases
from scripts.bench.events import insert_bare, make_body, make_frames
from scripts.bench.figure import Comparison, Effort, Figure
from scripts.demo.client import DemoOrganization, Stack, provision
from tenancy.rules.events.frames import MAX_ROWS
from tenancy.stores.clickhouse.client import Client, connect

EVENTS: Final = 20_000
BATCH: Final = 500
CLIENTS: Final = 4
POLL_SECONDS: Final = 0.1
STORED_SECONDS: Final = 120.0
REQUEST_SECONDS: Final = 40.0
COUNT: Final = "SELECT count() FROM events FINAL WHERE organization_id = {organization_id:UUID}"


class Run:
    """Sends events for one organization, and waits until ClickHouse has stored them all."""

    def __init__(self, stack: Stack, *, batch: int) -> None:
        """Provision the organization, and send once so that every function has started."""
        self._stack = stack
        self._organization: DemoOrganization = provision(stack, "acme", "enterprise", f"bench-{secrets.token_hex(3)}")
        self._client = connect(stack.clickhouse_url)
        self._batch = batch
        self._expected = 0
        self.send(CLIENTS * batch)

    def send(self, count: int) -> tuple[float, float]:
        """Send *count* events, and return the seconds until they are accepted, and stored."""
        bodies = [make_body(self._batch) for _ in range(count // self._batch)]
        self._expected += count
        started = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(self._send_all, [bodies[number::CLIENTS] for number in range(CLIENTS)]))
        accepted = time.perf_counter() - started
        self._wait_until_stored()
        return accepted, time.perf_counter() - started

    def _send_all(self, bodies: Sequence[bytes]) -> None:
        """Send *bodies* one after the other over one connection."""
        url = urlsplit(self._stack.api_url)
        connection = http.client.HTTPConnection(url.netloc, timeout=REQUEST_SECONDS)
        headers = {"Authorization": f"Bearer {self._organization.write_key}", "Content-Type": "application/json"}
        for body in bodies:
            connection.request("POST", f"{url.path}/events", body, headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status != http.client.OK:
                sys.exit(f"the API answered {response.status}: {answer.decode()}")
        connection.close()

    def _wait_until_stored(self) -> None:
        deadline = time.monotonic() + STORED_SECONDS
        while (stored := self._count()) != self._expected:
            if time.monotonic() > deadline:
                sys.exit(f"{stored} of {self._expected} events are stored")
            time.sleep(POLL_SECONDS)

    def _count(self) -> int:
        parameters = {"organization_id": self._organization.id}
        return int(self._client.query(COUNT, parameters=parameters).result_rows[0][0])


def measure(effort: Effort) -> Figure:
    """Measure on the running stack, and the reference in the same ClickHouse."""
    servers = Servers.load()
    batch = effort.size(BATCH)
    events = effort.size(EVENTS, CLIENTS)
    run = Run(Stack.load(), batch=batch)
    accepted, stored, bare = [], [], []
    with own_databases(servers) as databases:
        _insert_rate(databases.clickhouse, events)
        for _ in range(effort.rounds):
            until_accepted, until_stored = run.send(events)
            accepted.append(events / until_accepted)
            stored.append(events / until_stored)
            bare.append(_insert_rate(databases.clickhouse, events))
    return Figure(
        name="end_to_end",
        unit="events per second, more is better",
        measured=f"{events:,} events by POST /v1/events to the deployed stack, {batch} a request, {CLIENTS} clients at "
        "once. Accepted: until the last request is answered 200. Stored: until ClickHouse counts them all (FINAL), "
        "which includes the queue's window of up to 2 s. By the clock; clients, emulated AWS and databases share "
        "this machine.",
        reference="load's: clickhouse_connect's raw_insert of such rows, 1,000 or more, into a table of the same "
        "definition in the same ClickHouse",
        comparisons=[
            Comparison(what="accepted", measured=accepted, reference=bare),
            Comparison(what="stored", measured=stored, reference=bare),
        ],
    )


def _insert_rate(client: Client, events: int) -> float:
    """Return the rows per second of one bare insert of *events* rows, in whole frames."""
    frames = make_frames(max(1, events // MAX_ROWS))
    stream = b"".join(frame.bytes for frame in frames)
    started = time.perf_counter()
    insert_bare(client, "events", stream)
    return len(frames) * MAX_ROWS / (time.perf_counter() - started)
