"""The embedded engine for many threads, where no statement leaves state to the next.

Each statement gets a connection of its own, which costs 0.2 ms. It runs beside the others, and its settings, parameters
and current database end with it. A setting inside the statement would not do: readonly, for example, cannot be reset.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

os.environ["TZ"] = "UTC"  # as servers have it; the engine reads it once, while it is imported

from chdb.state import connect
from chdb.state.sqlitelike import Connection

from scripts.stack.clickhouse_front.body import Text
from scripts.stack.clickhouse_front.protocol import Code, QueryError, StatementRequest
from scripts.stack.clickhouse_front.statement import Insert, find_insert, find_output_format

HEAD_BYTES = 256 << 10  # a server's max_query_size: an INSERT must name its format within it
PYTHON_FORMATS = frozenset({"dataframe", "datastore", "arrowtable"})  # the wrapper's own, and no bytes
CONTENT_TYPES = {
    "CSV": "text/csv; charset=UTF-8",
    "JSON": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that is not HTTP yet."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Engine:
    """An open data path, which no other process can open meanwhile."""

    def __init__(self, path: Path, backups: Path | None = None) -> None:
        """Open *path*, which is made if it is not there. BACKUP and RESTORE may use the folder *backups*.

        Raises:
            RuntimeError: the path cannot be opened.
        """
        self._path = str(path) if backups is None else f"{path}?backups.allowed_path={backups}/"
        self._keeper = connect(self._path)  # the engine lives as long as its last connection
        row: bytes = self._keeper.query("SELECT version(), timezone()", "TabSeparated").bytes()
        self.version, self.time_zone = row.decode().split()

    def answer(self, request: StatementRequest, text: Text) -> Reply:
        """Run the statement of *request* and *text*. On return an INSERT has written its rows.

        Raises:
            QueryError: it is refused, or failed; an INSERT of millions of rows may have written some by then.
        """
        head = b"\n".join(filter(None, (request.query, text.read(HEAD_BYTES))))
        insert = find_insert(head)
        if insert:
            return self._insert(request, insert, chain([head[insert.rows_at :]], text.pieces()))
        return self._query(request, head + text.rest())

    def close(self) -> None:
        """Give the data path back."""
        self._keeper.close()

    def _insert(self, request: StatementRequest, insert: Insert, pieces: Iterable[bytes]) -> Reply:
        with self._connection(request) as connection:
            inserter: Any = connection.send_insert(insert.sql, insert.input_format)  # type: ignore[arg-type]  # bytes do
            for piece in filter(None, pieces):
                inserter.append(piece)
            result = inserter.finish()
        written = {"written_rows": result.rows_written, "written_bytes": result.bytes_written}
        return Reply(headers=_summary(written, result.elapsed))

    def _query(self, request: StatementRequest, sql: bytes) -> Reply:
        output_format = find_output_format(sql, request.output_format)
        if request.output_format.lower() in PYTHON_FORMATS:
            raise QueryError.of_front(Code.UNKNOWN_FORMAT, f"Unknown format {request.output_format}")
        with self._connection(request) as connection:
            result = connection.query(sql, request.output_format)  # type: ignore[arg-type]  # bytes do
            body = result.bytes()
        counts = {
            "read_rows": result.storage_rows_read(),
            "read_bytes": result.storage_bytes_read(),
            "written_rows": result.rows_written(),
            "written_bytes": result.bytes_written(),
            "result_rows": result.rows_read(),
            "result_bytes": result.bytes_read(),
        }
        headers = _summary(counts, result.elapsed())
        if output_format:
            headers["X-ClickHouse-Format"] = output_format
            headers["Content-Type"] = CONTENT_TYPES.get(output_format, "text/plain; charset=UTF-8")
        return Reply(headers=headers, body=body)

    @contextmanager
    def _connection(self, request: StatementRequest) -> Iterator[Connection]:
        connection = connect(self._path)
        try:
            if request.database:
                _run(connection, f"USE {_quoted(request.database, '`')}")
            settings = {"implicit_select": "0", **request.settings}  # a server has it off
            # In one statement, because none can follow that sets readonly.
            _run(connection, "SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))
            yield connection
        except RuntimeError as error:
            raise QueryError.of_engine(str(error)) from error
        except UnicodeDecodeError as error:  # the engine quotes the statement, which was no UTF-8
            raise QueryError.of_engine(error.object.decode("utf-8", "surrogateescape")) from error
        finally:
            connection.close()  # cancels an insert that has not finished


def _run(connection: Connection, sql: str) -> None:
    connection.query(sql.encode("utf-8", "surrogateescape"), "Null")  # type: ignore[arg-type]  # bytes do


def _quoted(value: str, quote: str = "'") -> str:
    return quote + value.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def _summary(counts: Mapping[str, int], seconds: float) -> dict[str, str]:
    summary = {name: str(count) for name, count in counts.items()} | {"elapsed_ns": str(round(seconds * 1e9))}
    return {"X-ClickHouse-Summary": json.dumps(summary)}
