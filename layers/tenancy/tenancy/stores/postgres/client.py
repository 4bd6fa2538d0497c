"""PostgreSQL: one connection per process, and transactions that carry the tenant.

Reasons: docs/decisions/0004-tenant-context-per-transaction.md.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from uuid import UUID

import psycopg
from aws_lambda_powertools import Logger
from psycopg import sql
from psycopg.pq import TransactionStatus

from tenancy.errors import DeploymentError, UnavailableError
from tenancy.rules.durations import (
    POSTGRES_CONNECT_TIMEOUT_SECONDS,
    POSTGRES_KEEPALIVE_SECONDS,
    POSTGRES_SILENCE_LIMIT_MS,
)

SET_TENANT: Final = "SET LOCAL app.current_tenant = {}"
LIMIT_STATEMENTS: Final = "SET LOCAL statement_timeout = {}"
SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
# The session's role, and whether it is one of these or can become one with SET ROLE: a superuser, a role that bypasses
# row-level security, an owner of tables. Policies do not bind such a role.
FIND_POWERS: Final = """
    SELECT session_user,
           EXISTS (SELECT FROM pg_roles AS r WHERE r.rolsuper AND pg_has_role(session_user, r.oid, 'MEMBER')),
           EXISTS (SELECT FROM pg_roles AS r WHERE r.rolbypassrls AND pg_has_role(session_user, r.oid, 'MEMBER')),
           EXISTS (
               SELECT FROM pg_class AS c
               WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                 AND pg_has_role(session_user, c.relowner, 'MEMBER')
           )
"""

WITHIN_TRANSACTION: Final = (TransactionStatus.ACTIVE, TransactionStatus.INTRANS, TransactionStatus.INERROR)

logger: Final = Logger()

type Connection = psycopg.Connection[tuple[Any, ...]]


class UnboundRoleError(DeploymentError):
    """Row-level security does not bind the role of the URL. The deployment is wrong."""

    def __init__(self, role: str, powers: Sequence[str]) -> None:
        """Name the *role* and its *powers*."""
        super().__init__(
            f"The database role {role!r} is {' and '.join(powers)}. Policies would not bind it. Use another role."
        )


class Database:
    """One database, as one role.

    The connection opens at the first use and is replaced when it breaks.

    Autocommit is on, so that no stray statement leaves a transaction and its tenant open. There are no prepared
    statements, because RDS Proxy pins a session that has one. A role that policies do not bind is rejected before any
    other statement runs.
    """

    def __init__(
        self,
        url: Callable[[], str],
        *,
        secret: str = "",
        as_owner: bool = False,
        prepare: Callable[[Connection], None] | None = None,
    ) -> None:
        """Connect to the result of *url*, which is called when the connection opens.

        *secret* is the name of the secret that holds the URL. The log has it if the URL is not valid. *as_owner* is for
        migrations only: it accepts the owner of the tables. *prepare* gets the connection before each transaction.
        """
        self._url = url
        self._secret = secret
        self._as_owner = as_owner
        self._prepare = prepare
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self, *, statement_seconds: int | None = None) -> Iterator[Connection]:
        """Run the block in one transaction without a tenant.

        The policies of tenants' tables show `tenancy_functions` no rows in it. PostgreSQL ends the transaction if a
        statement takes longer than *statement_seconds*.

        Raises:
            UnavailableError: the URL is not valid, or the database is unreachable or ended the transaction. Nothing was
                changed, unless the connection broke during COMMIT. Then it is unknown whether the transaction was
                committed.
            UnboundRoleError: the role is a superuser, bypasses row-level security, or owns tables.
            RuntimeError: a transaction of this database is already open. In a savepoint the tenant would outlive its
                block, because SET LOCAL lasts until the outer transaction ends.
        """
        try:
            with ExitStack() as stack:
                conn = self._begin(stack)
                if statement_seconds is not None:
                    conn.execute(sql.SQL(LIMIT_STATEMENTS).format(sql.Literal(statement_seconds * 1000)))
                yield conn
        except psycopg.OperationalError as error:
            raise UnavailableError("The database is unreachable.") from error

    @contextmanager
    def tenant_transaction(
        self, organization_id: UUID, *, is_snapshot: bool = False, statement_seconds: int | None = None
    ) -> Iterator[Connection]:
        """Run the block in one transaction that reads and changes only rows of *organization_id*.

        The setting ends with the transaction, so the next user of a pooled connection cannot inherit it. In a snapshot
        transaction all statements see the database as of the first statement.

        Raises:
            UnavailableError, UnboundRoleError, RuntimeError: as for `transaction`.
        """
        with self.transaction(statement_seconds=statement_seconds) as conn:
            if is_snapshot:
                conn.execute(SNAPSHOT)
            conn.execute(sql.SQL(SET_TENANT).format(sql.Literal(str(UUID(bytes=organization_id.bytes)))))
            yield conn

    def look_up[Found](self, read: Callable[[Connection], Found]) -> Found:
        """Return the result of *read*, which executes one statement and changes nothing.

        The statement has no transaction around it, so it takes one round trip. If the connection had died before,
        *read* is called again with a new one.

        Raises:
            UnavailableError, UnboundRoleError, RuntimeError: as for `transaction`.
        """
        try:
            conn = self._connected()
            try:
                return read(conn)
            except psycopg.OperationalError:
                if not conn.closed:
                    raise
                return read(self._connected())
        except psycopg.OperationalError as error:
            raise UnavailableError("The database is unreachable.") from error

    def close(self) -> None:
        """Close the connection if it is open. The next transaction opens a new one."""
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
        conn = self._connected()
        stack.enter_context(conn.transaction())
        return conn

    def _connected(self) -> Connection:
        """Return the connection, which is in no transaction."""
        if self._connection is None or self._connection.closed:
            self._connection = _connect_bound(self._url(), secret=self._secret, as_owner=self._as_owner)
        if self._connection.info.transaction_status in WITHIN_TRANSACTION:
            raise RuntimeError("Transactions do not nest.")
        if self._prepare is not None:
            self._prepare(self._connection)
        return self._connection


def find_connection_problem(error: UnavailableError) -> str:
    """Return why `Database` opened no connection, as the rest of a sentence about its secret."""
    cause = error.__cause__
    if not isinstance(cause, psycopg.OperationalError):
        return "is no valid URL of PostgreSQL"
    if cause.pgconn is not None and cause.pgconn.used_password:
        return "has a user, password or database that PostgreSQL refuses"
    return (
        f"names a PostgreSQL server that did not answer within {POSTGRES_CONNECT_TIMEOUT_SECONDS} s, or has no"
        " valid certificate of a root in layers/certificates/aws-roots.pem"
    )


def _connect_bound(url: str, *, secret: str, as_owner: bool) -> Connection:
    connection = _connect(url, secret)
    try:
        _refuse_powers(connection, as_owner=as_owner)
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_powers(conn: Connection, *, as_owner: bool) -> None:
    role, is_superuser, bypasses, owns = conn.execute(FIND_POWERS).fetchone() or ("", True, True, True)
    powers = {
        "a superuser": is_superuser,
        "one that bypasses row-level security": bypasses,
        "an owner of tables": owns and not as_owner,
    }
    if any(powers.values()):
        raise UnboundRoleError(role, [power for power, has in powers.items() if has])


def _connect(url: str, secret: str) -> Connection:
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=POSTGRES_CONNECT_TIMEOUT_SECONDS,
            tcp_user_timeout=POSTGRES_SILENCE_LIMIT_MS,
            keepalives_idle=POSTGRES_KEEPALIVE_SECONDS,
        )
    except psycopg.ProgrammingError:
        logger.error("the secret is not a valid URL of PostgreSQL", secret=secret)  # noqa: TRY400 - quotes the password
        raise UnavailableError("The service is not configured correctly. Contact the operator.") from None
