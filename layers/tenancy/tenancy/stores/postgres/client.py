"""PostgreSQL: one connection per process, and transactions that carry the tenant.

Reasons: docs/decisions/0004-tenant-context-per-transaction.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.errors import QueryCanceled
from psycopg.pq import TransactionStatus

from tenancy.errors import DeploymentError, UnavailableError
from tenancy.rules.homes import CATALOGUE, PLATFORM_FENCE, Entry, fence_key
from tenancy.stores.postgres.connecting import connect

# Each transaction begins with one of these: several statements in one round trip. They are bytes, because psycopg.sql
# takes as long to compose them as half of a transaction. A value is a UUID or a number, which need no quoting.
BEGIN: Final = b"BEGIN; SELECT pg_advisory_xact_lock_shared(%d)"
# Each statement sees what was committed before it, so the last one sees a move that ended while the lock was awaited.
BEGIN_TENANT: Final = (
    b"BEGIN; SET LOCAL app.current_tenant = '%b'; SELECT pg_advisory_xact_lock_shared(%d);"
    b" SELECT state, other, move_id FROM find_current_move()"
)
# A snapshot is older than the lock, so a move may have ended in between. Its rows are as of the snapshot, and it may
# change none.
BEGIN_SNAPSHOT: Final = (
    b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL app.current_tenant = '%b';"
    b" SELECT pg_advisory_xact_lock_shared(%d); SELECT state, other, move_id FROM find_current_move()"
)
LIMIT_STATEMENTS: Final = "SET LOCAL statement_timeout = {}"
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

INCOMING: Final = "incoming"  # a state of moved_organizations: a move copies the rows to here
WITHIN_TRANSACTION: Final = (TransactionStatus.ACTIVE, TransactionStatus.INTRANS, TransactionStatus.INERROR)

type Connection = psycopg.Connection[tuple[Any, ...]]
type Cursor = psycopg.Cursor[tuple[Any, ...]]


class UnboundRoleError(DeploymentError):
    """Row-level security does not bind the role of the URL. The deployment is wrong."""

    def __init__(self, role: str, powers: Sequence[str]) -> None:
        """Name the *role* and its *powers*."""
        super().__init__(
            f"The database role {role!r} is {' and '.join(powers)}. Policies would not bind it. Use another role."
        )


class MovedError(UnavailableError):
    """This database does not have the organization's rows, or not yet. The database *other* has them."""

    def __init__(self, other: str, move_id: UUID) -> None:
        """Name the *other* database and the move, by whose id the other one knows it."""
        super().__init__("The organization was moved to another database.")
        self.other = other
        self.move_id = move_id


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
        connect_seconds: int | None = None,
        watch: Callable[[Connection], None] | None = None,
        prepare: Callable[[Connection], None] | None = None,
    ) -> None:
        """Connect to the result of *url*, which is called when the connection opens.

        *secret* is the name of the secret that holds the URL. The log has it if the URL is not valid. *as_owner* is for
        migrations only: it accepts the owner of the tables. *connect_seconds* is shorter than the usual time-out.
        *watch* gets a connection when it has opened, before its first statement, and *prepare* before each transaction.
        """
        self._url = url
        self._secret = secret
        self._as_owner = as_owner
        self._connect_seconds = connect_seconds
        self._watch = watch
        self._prepare = prepare
        self._connection: Connection | None = None

    @property
    def catalogue(self) -> "Database":
        """This database: it is the only one."""
        return self

    def of(self, organization_id: UUID) -> "Database":
        """Return this database: it is the only one."""
        del organization_id
        return self

    def by_name(self) -> Mapping[str, "Database"]:
        """Return this database: it is the only one."""
        return {CATALOGUE: self}

    def every(self) -> Sequence["Database"]:
        """Return this database: it is the only one."""
        return (self,)

    def name_home(self, organization_id: UUID) -> str:
        """Return the name of this database: it is the only one."""
        del organization_id
        return CATALOGUE

    @contextmanager
    def transaction(self, *, statement_seconds: int | None = None) -> Iterator[Connection]:
        """Run the block in one transaction without a tenant.

        The policies of tenants' tables show `tenancy_functions` no rows in it. PostgreSQL ends the transaction if a
        statement takes longer than *statement_seconds*. No move of an organization is cut over meanwhile.

        Raises:
            UnavailableError: the URL is not valid, or the database is unreachable or ended the transaction. Nothing was
                changed, unless the connection broke during COMMIT. Then it is unknown whether the transaction was
                committed.
            UnboundRoleError: the role is a superuser, bypasses row-level security, or owns tables.
            RuntimeError: a transaction of this database is already open. In a savepoint the tenant would outlive its
                block, because SET LOCAL lasts until the outer transaction ends.
        """
        with self._transaction(BEGIN % PLATFORM_FENCE, statement_seconds) as cursor:
            yield cursor.connection

    @contextmanager
    def tenant_transaction(
        self,
        organization_id: UUID,
        *,
        is_snapshot: bool = False,
        statement_seconds: int | None = None,
        move_id: UUID | None = None,
        ignores_moves: bool = False,
    ) -> Iterator[Connection]:
        """Run the block in one transaction that reads and changes only rows of *organization_id*.

        The setting ends with the transaction, so the next user of a pooled connection cannot inherit it. In a snapshot
        transaction all statements see the database as of the first statement, and none may change a row.

        With *ignores_moves* it runs also in a database that is not the organization's home. Only an erasure needs that,
        to find what a move left there.

        Raises:
            MovedError: another database has the organization's rows. The rows that the move *move_id* has copied are
                accepted, because the other database says that the move has ended.
            UnavailableError, UnboundRoleError, RuntimeError: as for `transaction`.
        """
        tenant = str(UUID(bytes=organization_id.bytes)).encode()
        begin = (BEGIN_SNAPSHOT if is_snapshot else BEGIN_TENANT) % (tenant, fence_key(organization_id))
        with self._transaction(begin, statement_seconds) as cursor:
            while cursor.nextset():
                pass
            for state, other, its_id in cursor:
                if not ignores_moves and (state != INCOMING or its_id != move_id):
                    raise MovedError(other, its_id)
            yield cursor.connection

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

    def look_up_in_homes[Found](
        self, read: Callable[[Connection], Found], *, ids: Iterable[UUID] = (), values: Iterable[Entry] = ()
    ) -> Sequence[Found]:
        """Return the result of *read* in this database, which has all organizations and values.

        Raises:
            UnavailableError, UnboundRoleError, RuntimeError: as for `look_up`.
        """
        del ids, values
        return [self.look_up(read)]

    def close(self) -> None:
        """Close the connection if it is open. The next transaction opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _transaction(self, begin: bytes, statement_seconds: int | None) -> Iterator[Cursor]:
        try:
            cursor = self._begin(begin)
            conn = cursor.connection
            try:
                if statement_seconds is not None:
                    conn.execute(sql.SQL(LIMIT_STATEMENTS).format(sql.Literal(statement_seconds * 1000)))
                yield cursor
                conn.commit()
            except BaseException:
                self._roll_back(conn)
                raise
        except psycopg.OperationalError as error:
            raise UnavailableError("The database is unreachable.") from error

    def _begin(self, begin: bytes) -> Cursor:
        try:
            return self._connected().execute(begin)
        except psycopg.Error as error:
            self.close()
            if isinstance(error, QueryCanceled) or not isinstance(error, psycopg.OperationalError):
                raise  # no retry: the wait for a closed fence has used up the statement time-out
            return self._connected().execute(begin)

    def _roll_back(self, conn: Connection) -> None:
        with suppress(psycopg.Error):
            conn.rollback()
            return
        self.close()  # nothing can be said of its transaction

    def _connected(self) -> Connection:
        """Return the connection, which is in no transaction."""
        if self._connection is None or self._connection.closed:
            self._connection = self._connect_bound()
        if self._connection.info.transaction_status in WITHIN_TRANSACTION:
            raise RuntimeError("Transactions do not nest.")
        if self._prepare is not None:
            self._prepare(self._connection)
        return self._connection

    def _connect_bound(self) -> Connection:
        connection = connect(self._url(), self._secret, self._connect_seconds)
        try:
            if self._watch is not None:
                self._watch(connection)
            _refuse_powers(connection, as_owner=self._as_owner)
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
