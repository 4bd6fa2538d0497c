"""Ingest and load in processes of their own, with a stand-in for the queue between them and without API Gateway."""

import http.client
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from scripts.bench.events import make_body
from scripts.bench.functions import loaded
from scripts.bench.requests import events_request

INGEST_PROCESSES: Final = 2
MESSAGES: Final = 20  # at most, in one call of load
WINDOW_SECONDS: Final = 0.25  # Load is called with fewer messages as long after the first one
IDLE_SECONDS: Final = 0.005
PATIENCE_MILLISECONDS: Final = "5000"  # a pause of the machine is measured, not taken for Redis being away


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineTimes:
    """The seconds of a run by the clock, and the processor seconds of ingest's and of load's handler."""

    clock: float
    ingest: float
    load: float


class FunctionProcesses:
    """The processes of both functions, and the pipes to them."""

    def __init__(self, ingests: list[Connection], load: Connection, batch: int) -> None:
        """Send requests with *batch* events each."""
        self._ingests = ingests
        self._load = load
        self._batch = batch

    def run(self, requests: int) -> PipelineTimes:
        """Return the times from the first request until load has stored the events of all *requests*.

        Raises:
            EOFError: a process has failed. Its error is on stderr.
        """
        each = requests // len(self._ingests)
        for pipe in self._ingests:
            pipe.send(each)
        for pipe in self._ingests:
            pipe.recv()  # the requests are made
        started = time.perf_counter()
        for pipe in self._ingests:
            pipe.send(None)
        missing = each * len(self._ingests) * self._batch
        working = list(self._ingests)
        ingest = load = 0.0
        while missing or working:
            ready = wait([self._load, *working])
            if self._load in ready:
                events, seconds = self._load.recv()
                missing, load = missing - events, load + seconds
            for pipe in [each for each in working if each in ready]:
                ingest += pipe.recv()  # the last answer is there; EOFError if the process has failed
                working.remove(pipe)
        return PipelineTimes(clock=time.perf_counter() - started, ingest=ingest, load=load)


@contextmanager
def pipeline(aws_url: str, batch: int) -> Iterator[FunctionProcesses]:
    """Yield the running processes, with AWS at *aws_url*: its queue, and the secrets of both functions."""
    with ExitStack() as stack:
        ingests = [stack.enter_context(_process(_ingest, aws_url, batch)) for _ in range(INGEST_PROCESSES)]
        load = stack.enter_context(_process(_load, aws_url, batch))
        yield FunctionProcesses(ingests, load, batch)


@contextmanager
def _process(work: Any, aws_url: str, batch: int) -> Iterator[Connection]:  # noqa: ANN401 - one of the two below
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, aws_url, batch), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def _ingest(pipe: Connection, aws_url: str, batch: int) -> None:
    """Send requests as often as the pipe asks for, and end with the pipe."""
    with loaded("ingest", aws_url, {"REDIS_PATIENCE_MS": PATIENCE_MILLISECONDS}) as app:
        while True:
            try:
                requests = [events_request(make_body(batch)) for _ in range(pipe.recv())]
            except EOFError:
                return
            pipe.send("made")
            pipe.recv()
            started = time.process_time()
            for request in requests:
                answer = app.handler(request, None)
                if answer["statusCode"] != http.client.OK or msgspec.json.decode(answer["body"])["accepted"] != batch:
                    sys.exit(f"the handler refused the batch: {answer['body']}")
            pipe.send(time.process_time() - started)


def _load(pipe: Connection, aws_url: str, _batch: int) -> None:
    """Load the messages in the queue and report their events, until the pipe is closed."""
    queue = http.client.HTTPConnection(urlsplit(aws_url).netloc)
    with loaded("load", aws_url) as app:
        while True:
            records = _collect(queue, pipe)
            if not records:
                return
            started = time.process_time()
            if app.handler({"Records": records}, None)["batchItemFailures"]:
                sys.exit("load gave messages back")
            seconds = time.process_time() - started
            pipe.send((sum(int(each["messageAttributes"]["events"]["stringValue"]) for each in records), seconds))


def _collect(queue: http.client.HTTPConnection, pipe: Connection) -> list[Mapping[str, Any]]:
    """Return the next batch, collected as by Lambda's poller. It is empty only if the other end of *pipe* is closed."""
    records: list[Mapping[str, Any]] = []
    ends_at = float("inf")
    while len(records) < MESSAGES and time.monotonic() < ends_at:
        taken = _take(queue, MESSAGES - len(records))
        if taken and not records:
            ends_at = time.monotonic() + WINDOW_SECONDS
        records.extend(taken)
        if not taken and pipe.poll(IDLE_SECONDS):
            break
    return records


def _take(queue: http.client.HTTPConnection, most: int) -> list[Mapping[str, Any]]:
    queue.request("POST", "/", msgspec.json.encode({"Most": most}), {"X-Amz-Target": "Local.TakeRecords"})
    records: list[Mapping[str, Any]] = msgspec.json.decode(queue.getresponse().read())["Records"]
    return records
