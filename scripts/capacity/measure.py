"""Measure the service times of the capacity model on the stack of `make up`, and write them to service_times.json.

All are processor times, because other programs of the machine lengthen those least. Each is the least of the rounds,
because other programs never shorten one.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import linear_regression
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

import psutil
from redis import Redis as Client

from scripts.bench.customers import Customer, OwnStores, own_stores, provision_customers
from scripts.bench.events import insert_bare, make_body, make_frames, make_rows
from scripts.bench.functions import loaded, sample
from scripts.capacity import ROOT
from scripts.capacity.known import Line, ServiceTimes
from tenancy.rules.events.frames import encode_frames
from tenancy.rules.tiers import MAX_REQUESTS_PER_MINUTE
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.admission.admit import AdmissionGate

FUNCTIONS: Final = ("authorizer", "ingest", "load")
PATIENCE: Final = {"REDIS_PATIENCE_MS": "5000"}  # a pause of the machine is not taken for Redis being away
MILLISECONDS: Final = 1_000
ROUNDS: Final = 7
CALLS: Final = 60  # of a round, fewer for larger ones
ADMISSIONS: Final = 50  # of a round, so that some rounds are not interrupted
SCRIPT_ROUNDS: Final = 10
MICROSECONDS: Final = 1_000  # of a millisecond
EVENTS: Final = (1, 20, 100)
MESSAGES: Final = (1, 20, 100)
FRAMES: Final = (1, 5, 20)  # of 1,000 rows
RECORD_BYTES: Final = 900  # of Lambda's JSON around a message's body
START: Final = """
import os, sys, time
from scripts.bench.functions import loaded
started = time.process_time()
with loaded(sys.argv[1], "http://127.0.0.1:9"):
    print(time.process_time() - started, file=sys.__stdout__, flush=True)
os._exit(0)
"""


def measure_service_times(*, rounds: int = ROUNDS) -> ServiceTimes:
    """Return the service times of this machine."""
    with own_stores() as stores, ExitStack() as stack:
        # All at once: the logger of the first one writes to where that function's output goes.
        apps = {name: stack.enter_context(loaded(name, stores.aws_url, PATIENCE)) for name in FUNCTIONS}
        for app in apps.values():  # before the databases are dropped
            stack.callback(app.wiring.authorizer_database.close)
            stack.callback(app.wiring.database.close)
        [customer] = provision_customers(
            stores.databases, 1, overrides={"ingest_requests_per_minute": MAX_REQUESTS_PER_MINUTE}
        )
        return ServiceTimes(
            measured_at=datetime.now(UTC).date().isoformat(),
            machine=f"{os.process_cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            authorizer=_authorizer(apps["authorizer"], customer, rounds),
            authorizer_start=_start("authorizer", rounds),
            ingest=_ingest(apps["ingest"], customer, rounds),
            ingest_start=_start("ingest", rounds),
            script=_script(stores, customer, rounds),
            load=_load(apps["load"], rounds),
            insert=_insert(stores, rounds),
            message_bytes=_fit({events: _message_bytes(events) for events in EVENTS}),
        )


def write_service_times(times: ServiceTimes, file: Path) -> None:
    """Write *times* to *file*."""
    file.write_text(f"{json.dumps(asdict(times), indent=1)}\n", encoding="utf-8")


def _fit(points: Mapping[int, float]) -> Line:
    """Return the line of least squares. A base below 0 is noise."""
    slope, intercept = linear_regression(list(points), list(points.values()))
    return Line(base=round(max(intercept, 0.0), 4), each=round(slope, 6))


def _least(work: Callable[[], object], calls: int, rounds: int) -> float:
    """Return the milliseconds of processor time of one call, all threads, in the fastest round."""
    work()
    seconds = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(calls):
            work()
        seconds.append(time.process_time() - started)
    return MILLISECONDS * min(seconds) / calls


def _authorizer(app: ModuleType, customer: Customer, rounds: int) -> float:
    credential = f"Bearer {customer.key}"
    request = sample("authorizer/write_key")
    request["headers"]["Authorization"] = credential
    request["multiValueHeaders"]["Authorization"] = [credential]
    if app.handler(request, None)["context"]["organization_id"] != str(customer.organization_id):
        sys.exit("the authorizer found another organization")
    return round(_least(lambda: app.handler(request, None), CALLS, rounds), 3)


def _ingest(app: ModuleType, customer: Customer, rounds: int) -> Line:
    return _fit({events: _least(_call(app, customer, events), CALLS // 2, rounds) for events in EVENTS})


def _call(app: ModuleType, customer: Customer, events: int) -> Callable[[], None]:
    request = customer.ingest(make_body(events))

    def call() -> None:
        if app.handler(request, None)["statusCode"] != 200:  # noqa: PLR2004 - HTTP's OK
            sys.exit("ingest refused a request")

    return call


def _script(stores: OwnStores, customer: Customer, rounds: int) -> float:
    """Return the milliseconds that Valkey itself counts for one run of the script, without its connections."""
    redis = Redis(lambda: stores.redis_url, timeout_seconds=5.0)
    with Client.from_url(stores.redis_url) as bare:
        gate = AdmissionGate(redis, lambda: sys.exit("Redis has no standing"))
        each = []
        for _ in range(rounds * SCRIPT_ROUNDS):
            calls, microseconds = _scripts_run(bare)
            for _ in range(ADMISSIONS):
                gate.admit(customer.write, events=1, now=datetime.now(UTC))
            more_calls, more_microseconds = _scripts_run(bare)
            each.append((more_microseconds - microseconds) / (more_calls - calls))
    redis.close()
    return round(min(each) / MICROSECONDS, 4)


def _scripts_run(bare: Client) -> tuple[int, int]:
    """Return how many scripts Valkey has run, and their microseconds."""
    counted: dict[str, Any] = bare.info("commandstats")
    scripts = counted["cmdstat_evalsha"]
    return int(scripts["calls"]), int(scripts["usec"])


def _load(app: ModuleType, rounds: int) -> Line:
    return _fit({count: _least(_batch(app, count), 3, rounds) for count in MESSAGES})


def _batch(app: ModuleType, messages: int) -> Callable[[], None]:
    envelope = sample("load/frames")["Records"][0]
    frames = [encode_frames(make_rows(make_body(1)))[0] for _ in range(messages)]
    records = [envelope | {"messageId": str(number), "body": each.text} for number, each in enumerate(frames)]

    def call() -> None:
        if app.handler({"Records": records}, None)["batchItemFailures"]:
            sys.exit("load gave messages back")

    return call


def _insert(stores: OwnStores, rounds: int) -> Line:
    """Return the processor time of ClickHouse's process for an insert, by rows, with its merges meanwhile."""
    databases = stores.databases
    server = _listening(int(urlsplit(databases.clickhouse_url).port or 0))
    points = {}
    for count in FRAMES:
        spent = []
        for _ in range(rounds):
            stream = b"".join(frame.bytes for frame in make_frames(count))
            before = server.cpu_times()
            insert_bare(databases.clickhouse, "events", stream)
            after = server.cpu_times()
            spent.append(after.user + after.system - before.user - before.system)
        points[count * 1_000] = MILLISECONDS * min(spent)
    return _fit(points)


def _listening(port: int) -> psutil.Process:
    for connection in psutil.net_connections("tcp"):
        address = connection.laddr
        if connection.status == psutil.CONN_LISTEN and address and address.port == port and connection.pid:
            return psutil.Process(connection.pid)
    sys.exit(f"no process listens on port {port}")


def _message_bytes(events: int) -> int:
    [frame] = encode_frames(make_rows(make_body(events)))
    return len(frame.text) + RECORD_BYTES


def _start(function: str, rounds: int) -> float:
    """Return the milliseconds of processor time to import a function in a fresh process."""
    command = [sys.executable, "-c", START, function]
    runs = (subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True) for _ in range(rounds))
    return round(MILLISECONDS * min(float(done.stdout) for done in runs), 1)
