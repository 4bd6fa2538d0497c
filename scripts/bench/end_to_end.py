"""End to end: events through the deployed stack, from the client to the last row in ClickHouse."""

import http.client
import secrets
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

from scripts.bench import ROOT
from scripts.bench.databases import own_clickhouse
from scripts.bench.events import insert_bare, make_body, make_frames
from scripts.bench.figure import Comparison, Figure
from scripts.bench.load import EVENTS_TABLE
from scripts.demo.client import Organization, Stack, provision
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
    """Sends for one organization, and knows how many of its events must be stored by now."""

    def __init__(self, stack: Stack) -> None:
        """Provision the organization and let every function start."""
        self._stack = stack
        self._organization: Organization = provision(stack, "acme", "enterprise", f"bench-{secrets.token_hex(3)}")
        self._client = connect(stack.clickhouse_url)
        self._expected = 0
        self.send(CLIENTS * BATCH)

    def send(self, count: int) -> tuple[float, float]:
        """Send *count* events; return the seconds until the last one was accepted, and until it was stored."""
        bodies = [make_body(BATCH) for _ in range(count // BATCH)]
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


def measure(rounds: int) -> Figure:
    """Measure on the running stack; its ClickHouse is the reference's, too."""
    if not (ROOT / ".local" / "stack.json").exists():
        sys.exit("end_to_end: no stack runs (`make up`)")
    stack = Stack.load()
    run = Run(stack)
    accepted, stored, bare = [], [], []
    with own_clickhouse(stack.clickhouse_url) as client:
        client.command(EVENTS_TABLE.read_text())
        _insert(client)
        for _ in range(rounds):
            until_accepted, until_stored = run.send(EVENTS)
            accepted.append(EVENTS / until_accepted)
            stored.append(EVENTS / until_stored)
            bare.append(EVENTS / _insert(client))
    return Figure(
        name="end_to_end",
        unit="events per second, more is better",
        measured=f"{EVENTS:,} events by POST /v1/events to the deployed stack, {BATCH} a request, {CLIENTS} clients at "
        "once. Accepted: until the last request is answered 200. Stored: until ClickHouse counts them all (FINAL), "
        "which includes the queue's window of up to 2 s. By the clock; clients, emulated AWS and databases share "
        "this machine.",
        reference=f"load's: clickhouse_connect's raw_insert of {EVENTS:,} such rows into a table of the same "
        "definition in the same ClickHouse",
        comparisons=[
            Comparison(what="accepted", measured=accepted, reference=bare),
            Comparison(what="stored", measured=stored, reference=bare),
        ],
    )


def _insert(client: Client) -> float:
    stream = b"".join(frame.bytes for frame in make_frames(EVENTS // MAX_ROWS))
    started = time.perf_counter()
    insert_bare(client, "events", stream)
    return time.perf_counter() - started
