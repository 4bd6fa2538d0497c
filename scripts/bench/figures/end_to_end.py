"""End to end: events through the functions alone, and through the deployed stack, until ClickHouse counts them."""

import http.client
import os
import secrets
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from scripts.bench.databases import VALKEY_DATABASE, Servers, own_databases, url_at
from scripts.bench.events import ORGANIZATION_ID, insert_bare, make_body, make_frames
from scripts.bench.figure import Comparison, Effort, Figure, alternate, at_least
from scripts.bench.functions import sample
from scripts.bench.local_aws import local_aws, processor_seconds
from scripts.bench.pipeline import INGEST_PROCESSES, MESSAGES, FunctionProcesses, pipeline
from scripts.bench.tenants import redis_knowing
from scripts.demo.client import DemoOrganization, Stack, provision
from tenancy.gateway.http import parse_request
from tenancy.rules.events.frames import MAX_ROWS
from tenancy.rules.permissions import EVENTS_WRITE
from tenancy.rules.tenant import require_tenant
from tenancy.stores.clickhouse.client import Client, connect

PIPELINE_EVENTS: Final = 60_000
PIPELINE_BATCH: Final = 1_000
LEAST_A_SECOND: Final = 60_000
EVENTS: Final = 20_000
BATCH: Final = 500
CLIENTS: Final = 4
POLL_SECONDS: Final = 0.1
STORED_SECONDS: Final = 120.0
REQUEST_SECONDS: Final = 40.0
MICROSECONDS: Final = 1_000_000
SPENT: Final = "SELECT sum(value) FROM system.events WHERE event = 'OSCPUVirtualTimeMicroseconds'"
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


class PipelineRun:
    """Ingest and load in a process tree, the queue at *aws_url*, and the ClickHouse that load fills."""

    def __init__(self, functions: FunctionProcesses, aws_url: str, client: Client, events: int, batch: int) -> None:
        """Send once so that every connection is open."""
        self._functions, self._aws_url, self._client = functions, aws_url, client
        self._events, self._batch = events, batch
        self._expected = 0
        self._spent: list[dict[str, float]] = []
        self.measure()

    def measure(self) -> float:
        """Return the events per second until all are stored and counted."""
        self._expected += self._events
        queue, clickhouse = processor_seconds(self._aws_url), self._clickhouse_seconds()
        times = self._functions.run(self._events // self._batch)
        started = time.perf_counter()
        counted = self._client.query(COUNT, parameters={"organization_id": str(ORGANIZATION_ID)}).result_rows[0][0]
        if counted != self._expected:
            sys.exit(f"{counted} of {self._expected} events are stored")
        seconds = times.clock + time.perf_counter() - started
        self._spent.append(
            {
                "ingest": times.ingest,
                "queue": processor_seconds(self._aws_url) - queue,
                "load": times.load,
                "ClickHouse's threads of inserts and queries": self._clickhouse_seconds() - clickhouse,
            }
        )
        return self._events / seconds

    def describe(self) -> str:
        """Describe the processor time of each process, and the events per second that all processors could take."""
        spent = {name: median(each[name] for each in self._spent) for name in self._spent[0]}
        shown = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in spent.items())
        whole, processors = sum(spent.values()), os.cpu_count() or 1
        return (
            f"Processor time for {self._events:,} events: {shown}, together {whole:.2f} s. So {processors} processors "
            f"with nothing else to do would take at most {processors * self._events / whole:,.0f} events a second."
        )

    def _clickhouse_seconds(self) -> float:
        return int(self._client.query(SPENT).result_rows[0][0]) / MICROSECONDS


def measure(effort: Effort) -> Figure:
    """Measure the functions alone, then the running stack, and the reference in the same ClickHouse."""
    functions, note = _measure_functions(effort)
    return Figure(
        name="end_to_end",
        unit="events per second, more is better",
        measured=f"functions: {effort.size(PIPELINE_EVENTS, 2):,} events in requests of "
        f"{effort.size(PIPELINE_BATCH):,}, from ingest's handler in {INGEST_PROCESSES} processes by a stand-in for the "
        f"queue to the handler of load in one, at most {MESSAGES} messages a call, until ClickHouse counts them all "
        "(FINAL). Gateway: "
        f"{effort.size(EVENTS, CLIENTS):,} events by POST /v1/events to the deployed stack, {effort.size(BATCH)} a "
        f"request, {CLIENTS} clients at once. Accepted: until the last request is answered 200. Stored: until "
        "ClickHouse counts them all, which includes the queue's window of up to 2 s. By the clock; clients, AWS's "
        "stand-ins and databases share this machine.",
        reference="load's: clickhouse_connect's raw_insert of such rows, 1,000 or more, into a table of the same "
        "definition in the same ClickHouse",
        comparisons=[functions, *_measure_gateway(effort)],
        notes=[note],
    )


def _measure_functions(effort: Effort) -> tuple[Comparison, str]:
    servers = Servers.load()
    events, batch = effort.size(PIPELINE_EVENTS, 2), effort.size(PIPELINE_BATCH)
    tenant = require_tenant(parse_request(sample("ingest/events")).caller(), EVENTS_WRITE)
    with own_databases(servers) as databases, redis_knowing(tenant):
        secrets = {"redis": url_at(servers.redis_url, str(VALKEY_DATABASE)), "clickhouse": databases.clickhouse_url}
        with local_aws(secrets) as aws_url, pipeline(aws_url, batch) as functions:
            run = PipelineRun(functions, aws_url, databases.clickhouse, events, batch)
            databases.clickhouse.command("CREATE TABLE bare_events AS events")
            comparison = alternate(
                "functions, stored",
                effort,
                run.measure,
                lambda: _insert_rate(databases.clickhouse, events, table="bare_events"),
                at_least(LEAST_A_SECOND, of="measured"),
            )
            return comparison, run.describe()


def _measure_gateway(effort: Effort) -> Sequence[Comparison]:
    servers = Servers.load()
    batch, events = effort.size(BATCH), effort.size(EVENTS, CLIENTS)
    run = Run(Stack.load(), batch=batch)
    accepted, stored, bare = [], [], []
    with own_databases(servers) as databases:
        _insert_rate(databases.clickhouse, events)
        for _ in range(effort.rounds):
            until_accepted, until_stored = run.send(events)
            accepted.append(events / until_accepted)
            stored.append(events / until_stored)
            bare.append(_insert_rate(databases.clickhouse, events))
    return [
        Comparison(what="gateway, accepted", measured=accepted, reference=bare),
        Comparison(what="gateway, stored", measured=stored, reference=bare),
    ]


def _insert_rate(client: Client, events: int, *, table: str = "events") -> float:
    """Return the rows per second of one bare insert of *events* rows, in whole frames."""
    frames = make_frames(max(1, events // MAX_ROWS))
    stream = b"".join(frame.bytes for frame in frames)
    started = time.perf_counter()
    insert_bare(client, table, stream)
    return len(frames) * MAX_ROWS / (time.perf_counter() - started)
