"""PostgreSQL: one connection per process, and the transactions that carry the tenant."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import sql

from tenancy.errors import UnavailableError

CONNECT_TIMEOUT_SECONDS: Final = 3
SILENCE_MILLISECONDS: Final = 5_000  # of a server that failed over without a word
KEEPALIVE_SECONDS: Final = 30
SET_TENANT: Final = "SET LOCAL app.current_tenant = {}"

type Connection = psycopg.Connection[tuple[Any, ...]]


class Database:
    """One database, as one role. The connection opens at first use and is replaced when it broke in between.

    Autocommit, so that no stray statement leaves a transaction (and its tenant) open; no prepared statements,
    because RDS Proxy pins a session that has one.
    """

    def __init__(self, url: Callable[[], str]) -> None:
        """*url* is called when the connection is opened, not before."""
        self._url = url
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run the block in one transaction, without a tenant: policies then show a tenant's role no row.

        Raises:
            UnavailableError: the database is away, or broke the transaction off; nothing was changed.
        """
        try:
            with ExitStack() as stack:
                yield self._begin(stack)
        except psycopg.OperationalError as error:
            raise UnavailableError("The database does not answer.") from error

    @contextmanager
    def tenant_transaction(self, organization_id: UUID) -> Iterator[Connection]:
        """Run the block in one transaction that sees and changes the rows of *organization_id* alone.

        The setting ends with the transaction, so the next user of a pooled connection cannot inherit it.

        Raises:
            UnavailableError: as for `transaction`.
        """
        with self.transaction() as conn:
            conn.execute(sql.SQL(SET_TENANT).format(sql.Literal(str(UUID(bytes=organization_id.bytes)))))
            yield conn

    def close(self) -> None:
        """Close the connection, if there is one; the next transaction opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin(self, stack: ExitStack) -> Connection:
        try:
            return self._enter(stack)
        except psycopg.OperationalError:
            self.close()
            return self._enter(stack)

    def _enter(self, stack: ExitStack) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = _connect(self._url())
        stack.enter_context(self._connection.transaction())
        return self._connection


def _connect(url: str) -> Connection:
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            tcp_user_timeout=SILENCE_MILLISECONDS,
            keepalives_idle=KEEPALIVE_SECONDS,
        )
    except psycopg.ProgrammingError:
        raise UnavailableError("The database's URL is not valid.") from None  # the error quotes it, password and all
