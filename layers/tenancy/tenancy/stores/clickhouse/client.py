"""ClickHouse: the client, and the one reader through which a tenant's rows are read."""

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, Final, LiteralString
from uuid import UUID

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from tenancy.errors import UnavailableError
from tenancy.rules.durations import CLICKHOUSE_CONNECT_TIMEOUT_SECONDS, CLICKHOUSE_QUERY_TIMEOUT_SECONDS

# BAD_ARGUMENTS, UNKNOWN_FUNCTION, UNKNOWN_IDENTIFIER, UNKNOWN_TABLE, SYNTAX_ERROR, READONLY, BAD_QUERY_PARAMETER:
# our own fault; whatever else goes wrong (memory, too many queries, a time-out, a proxy) may pass.
STATEMENT_ERRORS: Final = frozenset({36, 46, 47, 60, 62, 164, 457})
# With the day that retention goes by: the event's own; of held events, whose clock may be wrong, that of receipt.
TENANT_TABLES: Final = MappingProxyType(
    {
        "events": "toDate(event_timestamp)",
        "held_events": "toDate(received_at)",
        "daily_statistics": "event_date",
    }
)

PLATFORM_TABLES: Final = ("tombstones",)  # no tenant reads them

__all__ = ["ClickHouseError", "Client", "DatabaseError", "OperationalError", "TenantReader", "connect"]


def connect(url: str, *, timeout_seconds: int = CLICKHOUSE_QUERY_TIMEOUT_SECONDS) -> Client:
    """Return a client for *url* (`https://user:password@host:port/database`) whose queries may take that long.

    Raises:
        UnavailableError: the server does not answer.
    """
    try:
        return clickhouse_connect.get_client(
            dsn=url,
            autogenerate_session_id=False,
            connect_timeout=CLICKHOUSE_CONNECT_TIMEOUT_SECONDS,
            send_receive_timeout=timeout_seconds,
            settings={"max_execution_time": timeout_seconds},  # the server's own end: nothing outlives who asked
        )
    except ClickHouseError as error:
        raise UnavailableError("ClickHouse does not answer.") from error


class TenantReader:
    """Reads one organization's rows, and cannot be made to read another's.

    Its walls: the statement names `{organization_id:UUID}`, which only this class binds; every tenant table is
    filtered by a setting, also inside joins and sub-queries; the query is read-only, so that it cannot change a
    setting either; and the server's row policies, where it has them, go by the `log_comment` that is set here.
    """

    def __init__(self, client: Client, organization_id: UUID, *, first_kept: date | None = None) -> None:
        """Bind the reader to *organization_id*, and to what its retention keeps: events from the day *first_kept* on.

        Without a *first_kept* it reads older events as well, which are counted until they are deleted.

        Raises:
            ValueError: that is no organization's: None, a text, the nil UUID.
        """
        if not isinstance(organization_id, UUID) or not organization_id.int:
            raise ValueError("A reader is bound to one organization.")
        self._client = client
        self._organization_id = UUID(bytes=organization_id.bytes)
        self._first_kept = first_kept

    def query(self, statement: LiteralString, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """Return the rows of *statement*.

        Raises:
            ValueError: the statement does not name the organization.
            UnavailableError: ClickHouse is away, or has too much to do.
        """
        if "{organization_id:UUID}" not in statement:
            raise ValueError("A tenant's statement names {organization_id:UUID}.")
        try:
            result = self._client.query(
                statement,
                parameters={**(parameters or {}), "organization_id": str(self._organization_id)},
                settings={
                    "additional_table_filters": self._filters(),
                    "log_comment": str(self._organization_id),
                    "readonly": 1,
                },
            )
        except ClickHouseError as error:
            if getattr(error, "code", None) in STATEMENT_ERRORS:
                raise
            raise UnavailableError("ClickHouse does not answer.") from error
        return result.result_rows

    def _filters(self) -> str:
        whose = f"organization_id = \\'{self._organization_id}\\'"
        kept = f">= toDate(\\'{self._first_kept.isoformat()}\\')" if self._first_kept is not None else ""
        conditions = {table: f"{whose} AND {day} {kept}" if kept else whose for table, day in TENANT_TABLES.items()}
        conditions |= dict.fromkeys(PLATFORM_TABLES, whose)
        return "{" + ", ".join(f"'{table}': '{condition}'" for table, condition in conditions.items()) + "}"
