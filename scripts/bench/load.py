"""Load: what the function adds to an insert into ClickHouse."""

import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from scripts.bench import ROOT
from scripts.bench.events import insert_bare, make_frames
from scripts.bench.figure import Figure, alternate
from scripts.bench.functions import loaded, sample
from scripts.bench.stand_in import stand_in
from scripts.stack import clickhouse, processes
from scripts.stack.settings import LOOPBACK, StackSettings
from tenancy.rules.events.frames import MAX_ROWS, Frame
from tenancy.stores.clickhouse.client import Client, connect

MESSAGES: Final = 20
ROWS: Final = MESSAGES * MAX_ROWS
EVENTS_TABLE: Final = ROOT / "layers" / "migrations" / "clickhouse" / "0001_events.sql"


class Batches:
    """Loads a batch of messages with the function, then the same frames without it, into a table of their own."""

    def __init__(self, app: ModuleType, client: Client) -> None:
        """Make both tables."""
        self._app = app
        self._client = client
        self._frames: Sequence[Frame] = ()
        client.command(EVENTS_TABLE.read_text())
        client.command("CREATE TABLE bare_events AS events")

    def load(self) -> float:
        """Return the rows per second of the handler with a new batch: known bytes would be dropped as a repetition."""
        self._frames = make_frames(MESSAGES)
        request = {"Records": [_record(number, frame) for number, frame in enumerate(self._frames)]}
        self._client.command("TRUNCATE TABLE events")
        started = time.perf_counter()
        again = self._app.handler(request, None)["batchItemFailures"]
        seconds = time.perf_counter() - started
        self._check("events", again)
        return ROWS / seconds

    def insert(self) -> float:
        """Return the rows per second of the bare insert of the batch that was loaded last."""
        stream = b"".join(frame.bytes for frame in self._frames)
        self._client.command("TRUNCATE TABLE bare_events")
        started = time.perf_counter()
        insert_bare(self._client, "bare_events", stream)
        seconds = time.perf_counter() - started
        self._check("bare_events", [])
        return ROWS / seconds

    def _check(self, table: str, again: Sequence[object]) -> None:
        stored = self._client.query(f"SELECT count() FROM {table}").result_rows[0][0]  # noqa: S608 - one of our two
        if again or stored != ROWS:
            sys.exit(f"{table} has {stored} of {ROWS} rows")


def measure(rounds: int) -> Figure:
    """Measure against an embedded ClickHouse of its own, empty at the start of each insert."""
    with (
        _clickhouse() as url,
        stand_in(secret=url) as aws_url,
        loaded("load", aws_url) as app,
    ):
        batches = Batches(app, connect(url))
        batches.load()  # opens the connections
        batches.insert()
        comparison = alternate(f"{ROWS:,} rows", rounds, batches.load, batches.insert)
    return Figure(
        name="load",
        unit="rows per second, more is better",
        measured=f"the load function's handler with {MESSAGES} messages of {MAX_ROWS:,} rows, from SQS's request to "
        "the answer: base64, one joined stream, its digest as the token, one insert. By the clock, with an embedded "
        "ClickHouse on this machine.",
        reference="clickhouse_connect's raw_insert of the same zstd bytes into another table of the same definition",
        comparisons=[comparison],
    )


@contextmanager
def _clickhouse() -> Iterator[str]:
    """Yield the URL of an empty ClickHouse on a free port."""
    with tempfile.TemporaryDirectory() as folder:
        settings = StackSettings(root=ROOT, directory=Path(folder))
        port = _free_port()
        try:
            processes.start(settings.directory, clickhouse.prepare(settings, port=port))
            yield clickhouse.url_for(LOOPBACK, port=port)
        finally:
            processes.stop(settings.directory, clickhouse.NAME)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


def _record(number: int, frame: Frame) -> dict[str, Any]:
    envelope: dict[str, Any] = sample("load/frames")["Records"][0]
    return envelope | {"messageId": f"message-{number}", "body": frame.text}
