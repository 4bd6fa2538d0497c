"""Load: the cost of the function on top of a bare insert into ClickHouse."""

import sys
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final

from scripts.bench.databases import Servers, own_databases
from scripts.bench.events import insert_bare, make_frames
from scripts.bench.figure import Effort, Figure, alternate, at_least
from scripts.bench.functions import loaded, sample
from scripts.bench.stand_in import stand_in
from tenancy.rules.events.frames import MAX_ROWS, Frame
from tenancy.stores.clickhouse.client import Client

MESSAGES: Final = 20
LEAST_OF_BARE: Final = 0.8


class Batches:
    """Loads messages with the function, then the same frames without it into a second table."""

    def __init__(self, app: ModuleType, client: Client, messages: int) -> None:
        """Create the second table, with the definition of the first."""
        self._app = app
        self._client = client
        self._messages = messages
        self._rows = messages * MAX_ROWS
        self._frames: Sequence[Frame] = ()
        client.command("CREATE TABLE bare_events AS events")

    def load(self) -> float:
        """Return the rows per second of the handler.

        The batch is new, because ClickHouse drops bytes that it knows as a repetition.
        """
        self._frames = make_frames(self._messages)
        request = {"Records": [_record(number, frame) for number, frame in enumerate(self._frames)]}
        self._client.command("TRUNCATE TABLE events")
        started = time.perf_counter()
        again = self._app.handler(request, None)["batchItemFailures"]
        seconds = time.perf_counter() - started
        self._check("events", again)
        return self._rows / seconds

    def insert(self) -> float:
        """Return the rows per second of the bare insert of the batch that was loaded last."""
        stream = b"".join(frame.bytes for frame in self._frames)
        self._client.command("TRUNCATE TABLE bare_events")
        started = time.perf_counter()
        insert_bare(self._client, "bare_events", stream)
        seconds = time.perf_counter() - started
        self._check("bare_events", [])
        return self._rows / seconds

    def _check(self, table: str, again: Sequence[object]) -> None:
        stored = self._client.query(f"SELECT count() FROM {table}").result_rows[0][0]  # noqa: S608 - one of our two
        if again or stored != self._rows:
            sys.exit(f"{table} has {stored} of {self._rows} rows")


def measure(effort: Effort) -> Figure:
    """Measure on the stack's ClickHouse, in tables that are empty before each insert."""
    messages = effort.size(MESSAGES)
    with (
        own_databases(Servers.load()) as databases,
        stand_in(secret=databases.clickhouse_url) as aws_url,
        loaded("load", aws_url) as app,
    ):
        batches = Batches(app, databases.clickhouse, messages)
        batches.load()  # opens the connections
        batches.insert()
        comparison = alternate(
            f"{messages * MAX_ROWS:,} rows", effort, batches.load, batches.insert, at_least(LEAST_OF_BARE)
        )
    return Figure(
        name="load",
        unit="rows per second, more is better",
        measured=f"the load function's handler with {messages} messages of {MAX_ROWS:,} rows, from SQS's request to "
        "the answer: base64, one joined stream, its digest as the token, one insert. By the clock, with the stack's "
        "ClickHouse, which shares this machine.",
        reference="clickhouse_connect's raw_insert of the same zstd bytes into another table of the same definition",
        comparisons=[comparison],
    )


def _record(number: int, frame: Frame) -> dict[str, Any]:
    envelope: dict[str, Any] = sample("load/frames")["Records"][0]
    return envelope | {"messageId": f"message-{number}", "body": frame.text}
