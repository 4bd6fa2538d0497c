"""The ClickHouse client, and the reader through which a tenant's rows are read."""

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, Final, LiteralString
from uuid import UUID

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from tenancy.errors import UnavailableError
from tenancy.rules.durations import (
    CLICKHOUSE_CONNECT_TIMEOUT_SECONDS,
    CLICKHOUSE_LAST_ANSWER_SECONDS,
    CLICKHOUSE_QUERY_TIMEOUT_SECONDS,
)

# Errors in the statement itself: BAD_ARGUMENTS, UNKNOWN_FUNCTION, UNKNOWN_IDENTIFIER, UNKNOWN_TABLE, SYNTAX_ERROR,
# READONLY, BAD_QUERY_PARAMETER. A retry cannot help. All other errors (memory, load, time-out, proxy) may be temporary.
STATEMENT_ERRORS: Final = frozenset({36, 46, 47, 60, 62, 164, 457})
TOO_MANY_ROWS: Final = 158
# TOO_MANY_ROWS, TIMEOUT_EXCEEDED, TOO_SLOW, MEMORY_LIMIT_EXCEEDED: the query itself is too expensive.
TOO_EXPENSIVE: Final = frozenset({TOO_MANY_ROWS, 159, 160, 241})
MOST_COUNTED_ROWS: Final = 200_000  # more than any page may read
TOO_EXPENSIVE_TEXT: Final = "The query took too much time or memory. Ask for a shorter period or for fewer rows."
# Each table with the day that retention compares. Held events may have a wrong clock, so their day of receipt counts.
TENANT_TABLES: Final = MappingProxyType(
    {
        "events": "toDate(event_timestamp)",
        "held_events": "toDate(received_at)",
        "daily_statistics": "event_date",
    }
)

AUTHENTICATION_FAILED: Final = 516
UNKNOWN_DATABASE: Final = 81
# ACCESS_STORAGE_READONLY, ACCESS_DENIED, UNKNOWN_ROLE (its creation was rejected), no ACCESS_STORAGE_FOR_INSERTION
ACCESS_REFUSALS: Final = frozenset({495, 497, 511, 514})
PLATFORM_TABLES: Final = ("tombstones",)  # not read for tenants
# A read in order merges one stream for each part of a table. Each stream reads at least one block. The first setting
# allows no further streams. The second one makes a block as large as a granule. The third one lets a stream read no
# block before the merge needs it.
READ_IN_ORDER: Final[Mapping[str, int]] = MappingProxyType(
    {"max_threads": 1, "max_block_size": 8_192, "read_in_order_use_buffering": 0}
)

# A database with shards has Distributed tables, and a second database has the tables of each shard
# (docs/decisions/0085-clickhouse-shards.md).
SHARDS_SUFFIX: Final = "_shards"
FIND_DATABASE: Final = "SELECT name FROM system.databases WHERE name = {name:String}"
# How Distributed tables are read and written. Other tables ignore these settings. All rows of an organization are on
# one shard. So a sub-query reads the tables of the same shard, and a query of one organization reads one shard. An
# insert returns when all shards have stored their rows. INSERT SELECT reads with the rules of SELECT.
SHARD_SETTINGS: Final[Mapping[str, int | str]] = MappingProxyType(
    {
        "distributed_product_mode": "local",
        "optimize_skip_unused_shards": 1,
        "distributed_foreground_insert": 1,
        "parallel_distributed_insert_select": 0,
    }
)

__all__ = [
    "ClickHouseError",
    "Client",
    "DatabaseError",
    "OperationalError",
    "TenantReader",
    "TooManyRowsError",
    "connect",
]


def connect(url: str, *, timeout_seconds: int = CLICKHOUSE_QUERY_TIMEOUT_SECONDS) -> Client:
    """Return a client for *url* (`https://user:password@host:port/database`).

    A query may take *timeout_seconds*. An `https` URL means TLS on any port: the driver itself looks at the port alone.

    Raises:
        UnavailableError: ClickHouse is unreachable.
    """
    try:
        return clickhouse_connect.get_client(
            dsn=url,
            secure=url.startswith("https:"),
            autogenerate_session_id=False,
            connect_timeout=CLICKHOUSE_CONNECT_TIMEOUT_SECONDS,
            send_receive_timeout=timeout_seconds + CLICKHOUSE_LAST_ANSWER_SECONDS,
            settings={**SHARD_SETTINGS, "max_execution_time": timeout_seconds},  # ends the query on the server, too
        )
    except ClickHouseError as error:
        raise UnavailableError("ClickHouse is unreachable.") from error


def find_connection_problem(error: UnavailableError) -> str:
    """Return why `connect` made no client, as the rest of a sentence about its secret."""
    code = getattr(error.__cause__, "code", None)
    if code == AUTHENTICATION_FAILED:
        return "has a user or password that ClickHouse refuses"
    if code == UNKNOWN_DATABASE:
        return "names a database that ClickHouse does not have"
    return (
        f"names a ClickHouse server that did not answer within {CLICKHOUSE_CONNECT_TIMEOUT_SECONDS} s, or has no"
        " valid certificate of a public root"
    )


class TooManyRowsError(Exception):
    """A query would have read more rows than its caller allows. ClickHouse read none."""


class TenantReader:
    """A reader of one organization's rows. It cannot read rows of another organization.

    Four measures ensure this:
        1. Every statement must name `{organization_id:UUID}`, which only this class binds.
        2. The setting `additional_table_filters` filters every tenant table, also inside joins and sub-queries.
        3. The query is read-only, so it cannot change that setting.
        4. The server's row policies, if it has any, compare the `log_comment` that is set here.
    """

    def __init__(self, client: Client, organization_id: UUID, *, first_kept: date | None = None) -> None:
        """Bind the reader to *organization_id* and to the events from the day *first_kept* on.

        Older events are past their retention, but may not be deleted yet. Without *first_kept* the reader shows them.

        Raises:
            ValueError: *organization_id* is not a UUID, or is the nil UUID.
        """
        if not isinstance(organization_id, UUID) or not organization_id.int:
            raise ValueError("A reader needs the UUID of one organization.")
        self._client = client
        self._organization_id = UUID(bytes=organization_id.bytes)
        self._first_kept = first_kept
        self._rows_read = 0
        self._has_shards: bool | None = None

    @property
    def rows_read(self) -> int:
        """The rows that all queries of this reader have read, as the server reports them."""
        return self._rows_read

    @property
    def first_kept(self) -> date | None:
        """The first day whose events the reader shows."""
        return self._first_kept

    def query(
        self,
        statement: LiteralString,
        parameters: Mapping[str, Any] | None = None,
        *,
        max_rows: int = 0,
        is_in_order: bool = False,
    ) -> Sequence[Sequence[Any]]:
        """Return the rows of *statement*, which may read *max_rows* rows of tables. 0 is no limit.

        *is_in_order* tells that it reads in the order of the sort key up to a LIMIT. Then
        few rows beyond the LIMIT are read.

        Raises:
            ValueError: the statement does not name `{organization_id:UUID}`.
            TooManyRowsError: the statement would read more than *max_rows* rows.
            UnavailableError: ClickHouse is unreachable or overloaded, or the query took too long or too much memory.
        """
        if "{organization_id:UUID}" not in statement:
            raise ValueError("The statement of a tenant must name {organization_id:UUID}.")
        try:
            result = self._client.query(
                statement,
                parameters={**(parameters or {}), "organization_id": str(self._organization_id)},
                settings={
                    **(READ_IN_ORDER if is_in_order else {}),
                    "additional_table_filters": self._filters(),
                    "log_comment": str(self._organization_id),
                    "readonly": 1,
                    **({"max_rows_to_read": max_rows} if max_rows else {}),
                },
            )
        except ClickHouseError as error:
            code = getattr(error, "code", None)
            if code in STATEMENT_ERRORS:
                raise
            if max_rows and code == TOO_MANY_ROWS:
                raise TooManyRowsError from error
            text = TOO_EXPENSIVE_TEXT if code in TOO_EXPENSIVE else "ClickHouse is unreachable."
            raise UnavailableError(text) from error
        self._rows_read += int(result.summary.get("read_rows", 0))
        return result.result_rows

    def estimate_rows(self, statement: LiteralString, parameters: Mapping[str, Any]) -> int:
        """Return how many rows *statement* would read, as the indexes of its tables tell.

        *statement* has no LIMIT. ClickHouse tells nothing of a shard on another server. Then the reader counts up to
        `MOST_COUNTED_ROWS` rows, and the result is at most 1 more.

        Raises:
            ValueError, UnavailableError: as `query`.
        """
        estimates = self.query("EXPLAIN ESTIMATE " + statement, parameters)
        if not estimates and self._is_on_shards():
            return self._count_rows("SELECT count() FROM (" + statement + ")", parameters)
        return sum(int(rows) for _database, _table, _parts, rows, _marks in estimates)

    def _is_on_shards(self) -> bool:
        """Return whether the tables are Distributed. It is asked once, and only if an estimate is empty."""
        if self._has_shards is None:
            parameters = {"name": f"{self._client.database}{SHARDS_SUFFIX}"}
            try:
                found = self._client.query(FIND_DATABASE, parameters=parameters, settings={"readonly": 1})
            except ClickHouseError as error:
                raise UnavailableError("ClickHouse is unreachable.") from error
            self._has_shards = bool(found.result_rows)
        return self._has_shards

    def _count_rows(self, statement: LiteralString, parameters: Mapping[str, Any]) -> int:
        rows_read = self._rows_read
        try:
            self.query(statement, parameters, max_rows=MOST_COUNTED_ROWS)
        except TooManyRowsError:
            return MOST_COUNTED_ROWS + 1
        counted, self._rows_read = self._rows_read - rows_read, rows_read  # an estimate is no part of the work
        return counted

    def _filters(self) -> str:
        is_own = f"organization_id = \\'{self._organization_id}\\'"
        kept = f">= toDate(\\'{self._first_kept.isoformat()}\\')" if self._first_kept is not None else ""
        conditions = {table: f"{is_own} AND {day} {kept}" if kept else is_own for table, day in TENANT_TABLES.items()}
        conditions |= dict.fromkeys(PLATFORM_TABLES, is_own)
        shards = f"{self._client.database}{SHARDS_SUFFIX}"
        conditions |= {f"{shards}.{table}": condition for table, condition in conditions.items()}
        return "{" + ", ".join(f"'{table}': '{condition}'" for table, condition in conditions.items()) + "}"
