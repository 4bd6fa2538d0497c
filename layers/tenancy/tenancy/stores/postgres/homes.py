"""The databases of the platform, and transactions in the home of an organization.

Reasons: docs/decisions/0083-homes-of-organizations.md.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from typing import Final, Protocol
from uuid import UUID

from tenancy.errors import AwsCallError, DeploymentError, UnavailableError
from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.durations import HOME_CACHE_SECONDS, SECRET_CACHE_SECONDS
from tenancy.rules.homes import CATALOGUE, ENTERED, DatabaseListError, Entry, bucket_of, parse_databases
from tenancy.stores.postgres.client import Connection, Database, MovedError

FIND_OWNERS: Final = "SELECT organization_id FROM find_catalogue_entries(%s, %s)"
FIND_HOME: Final = "SELECT database FROM find_home(%s, %s)"
MAX_HOPS: Final = 2  # a move to a database, and one away from it that ended meanwhile
MAX_CACHED: Final = 100_000  # organizations


class Homes(Protocol):
    """The databases of the platform as one role: one `Database`, or several as `RoutedDatabases`.

    It has no transaction without a tenant. The caller must choose a database first: the catalogue, the home of an
    organization, or each of them.
    """

    @property
    def catalogue(self) -> Database:
        """The first database. It has platform keys and the values that are unique among all organizations."""
        ...

    def by_name(self) -> Mapping[str, Database]:
        """Return all databases by name, the catalogue first."""
        ...

    def of(self, organization_id: UUID) -> Database:
        """Return the home of an organization."""
        ...

    def every(self) -> Sequence[Database]:
        """Return all databases, the catalogue first."""
        ...

    def name_home(self, organization_id: UUID) -> str:
        """Return the name of an organization's home, as far as this process knows."""
        ...

    def tenant_transaction(
        self, organization_id: UUID, *, is_snapshot: bool = False, statement_seconds: int | None = None
    ) -> AbstractContextManager[Connection]:
        """Run the block in one transaction of the organization, in its home."""
        ...

    def look_up_in_homes[Found](
        self, read: Callable[[Connection], Found], *, ids: Iterable[UUID] = (), values: Iterable[Entry] = ()
    ) -> Sequence[Found]:
        """Return the results of *read* in the databases of the organizations *ids* and those that have *values*.

        *read* executes one statement that looks for these organizations and values, and changes nothing. Its result is
        false if it finds none.
        """
        ...


class UnknownDatabaseError(DeploymentError):
    """The directory, a move or another secret names a database that a secret does not have."""

    def __init__(self, name: str) -> None:
        """Name the database and the next step."""
        super().__init__(
            f"A secret of PostgreSQL has no line for the database {name!r}, which is in use. Add it to all four."
        )


class RoutedDatabases:
    """The databases that a secret names, as one role.

    The secret is read at the first use, again every few minutes, and for an unknown name. Each database connects at its
    first use. With one database each call goes straight to it.

    The home of an organization is looked up in the catalogue and cached. A stale entry does no harm: the database that
    it names refuses the transaction, and names the database that has the rows.
    """

    def __init__(
        self,
        read: Callable[[], str],
        *,
        read_again: Callable[[], str] | None = None,
        secret: str = "",
        as_owner: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Route to the databases in the text that *read* returns (`parse_databases`).

        *read* may cache the text. *read_again* returns what *read* returns from then on, for an unknown name.
        *secret* and *as_owner* are those of each `Database`.
        """
        self._read = read
        self._read_again = read_again or read
        self._secret = secret
        self._as_owner = as_owner
        self._monotonic = monotonic
        self._databases: dict[str, Database] = {}
        self._names_until = 0.0
        self._homes: dict[UUID, tuple[str, float]] = {}

    @property
    def catalogue(self) -> Database:
        """The first database.

        Raises:
            AwsCallError, UnavailableError: the secret cannot be read.
            DatabaseListError: it is malformed.
        """
        return self.by_name()[CATALOGUE]

    def by_name(self) -> Mapping[str, Database]:
        """Return all databases by name, the catalogue first."""
        if not self._databases:
            self._add_databases(self._read())
        elif self._monotonic() >= self._names_until:
            with suppress(AwsCallError, UnavailableError, DatabaseListError):  # the known ones go on serving
                self._add_databases(self._read())
            self._names_until = self._monotonic() + SECRET_CACHE_SECONDS
        return self._databases

    def every(self) -> Sequence[Database]:
        """Return all databases, the catalogue first."""
        return tuple(self.by_name().values())

    def of(self, organization_id: UUID) -> Database:
        """Return the database that has the organization's rows now, or would have them.

        Raises:
            UnavailableError: the catalogue or the home is unreachable.
        """
        if (only := self._find_only()) is not None:
            return only
        with ExitStack() as stack:
            return self._enter(stack, organization_id)[0]

    def name_home(self, organization_id: UUID) -> str:
        """Return the name of the home in the directory, which a move may just have changed.

        Raises:
            UnavailableError: the catalogue is unreachable.
        """
        return CATALOGUE if self._find_only() is not None else self._find_home(organization_id)

    def tenant_transaction(
        self, organization_id: UUID, *, is_snapshot: bool = False, statement_seconds: int | None = None
    ) -> AbstractContextManager[Connection]:
        """Run the block in one transaction of the organization, in its home.

        Raises:
            UnavailableError: the catalogue or the home is unreachable, or several moves have ended meanwhile.
            UnboundRoleError, RuntimeError: as for `Database.transaction`.
        """
        return self._routed_transaction(organization_id, is_snapshot=is_snapshot, statement_seconds=statement_seconds)

    def look_up_in_homes[Found](
        self, read: Callable[[Connection], Found], *, ids: Iterable[UUID] = (), values: Iterable[Entry] = ()
    ) -> Sequence[Found]:
        """Return the result of *read* for each of the organizations, in its own transaction.

        Until all values are entered (`ENTERED`), each database is asked as well in three cases:
        - A value has no entry. It may be older than the second database.
        - A home lacks its value. The entry may be of a claim whose process died.
        - Several names are looked for. A result does not tell which of them a home has.

        Raises:
            UnavailableError: the catalogue or a home is unreachable.
        """
        if (only := self._find_only()) is not None:
            return only.look_up_in_homes(read)
        wanted, known = list(values), list(ids)
        owners, are_entered = self._find_owners(wanted)
        found = []
        for organization_id in dict.fromkeys([*known, *owners]):
            with self.tenant_transaction(organization_id) as conn:
                found.append(read(conn))
        if not are_entered and (len(owners) < len(wanted) or len(wanted) + len(known) > 1 or not all(found)):
            found += [database.look_up(read) for database in self.every()]
        return found

    def close(self) -> None:
        """Close all connections. The next transactions open new ones."""
        for database in self._databases.values():
            database.close()

    @contextmanager
    def _routed_transaction(
        self, organization_id: UUID, *, is_snapshot: bool, statement_seconds: int | None
    ) -> Iterator[Connection]:
        with ExitStack() as stack:
            _, conn = self._enter(stack, organization_id, is_snapshot=is_snapshot, statement_seconds=statement_seconds)
            yield conn

    def _find_only(self) -> Database | None:
        """Return the only database, or None if there are several."""
        databases = self.by_name()
        return databases[CATALOGUE] if len(databases) == 1 else None

    def _add_databases(self, text: str) -> None:
        for name in parse_databases(text):
            if name not in self._databases:
                self._databases[name] = Database(
                    partial(self._find_url, name), secret=self._secret, as_owner=self._as_owner
                )
        self._names_until = self._monotonic() + SECRET_CACHE_SECONDS

    def _find_url(self, name: str) -> str:
        if (url := parse_databases(self._read()).get(name)) is None:
            raise UnknownDatabaseError(name)
        return url

    def _enter(
        self,
        stack: ExitStack,
        organization_id: UUID,
        *,
        is_snapshot: bool = False,
        statement_seconds: int | None = None,
    ) -> tuple[Database, Connection]:
        """Enter a transaction in the home of the organization.

        A stale entry of the cache gets one retry. A process that knows one database may be led to another one that its
        cached secret does not name yet.
        """
        for _ in range(2):
            name, move_id = self.name_home(organization_id), None
            for _ in range(MAX_HOPS + 1):
                database = self._named(name)
                transaction = database.tenant_transaction(
                    organization_id, is_snapshot=is_snapshot, statement_seconds=statement_seconds, move_id=move_id
                )
                try:
                    conn = stack.enter_context(transaction)
                except MovedError as error:
                    name, move_id = error.other, error.move_id
                else:
                    if move_id is not None:
                        self._remember(organization_id, name)
                    return database, conn
            self._homes.pop(organization_id, None)
        raise UnavailableError("The organization is being moved to another database. Try again.")

    def _find_owners(self, entries: Iterable[Entry]) -> tuple[list[UUID], bool]:
        """Return the owners of *entries*, and whether all values of their kinds are entered."""
        by_kind: dict[str, list[str]] = {}
        for kind, value in entries:
            by_kind.setdefault(kind, [ENTERED]).append(value)
        found = [self.catalogue.look_up(partial(_find_owners, wanted=wanted)) for wanted in by_kind.items()]
        are_entered = all(PLATFORM_LOG in owners for owners in found)
        return [owner for owners in found for owner in owners if owner != PLATFORM_LOG], are_entered

    def _find_home(self, organization_id: UUID) -> str:
        name, until = self._homes.get(organization_id, ("", 0.0))
        if name and self._monotonic() < until:
            return name
        if organization_id == PLATFORM_LOG:
            return CATALOGUE
        values = (organization_id, bucket_of(organization_id))
        [(home,)] = self.catalogue.look_up(lambda conn: conn.execute(FIND_HOME, values).fetchall())
        return self._remember(organization_id, home or CATALOGUE)

    def _remember(self, organization_id: UUID, name: str) -> str:
        if len(self._homes) >= MAX_CACHED:
            self._homes.clear()
        self._homes[organization_id] = (name, self._monotonic() + HOME_CACHE_SECONDS)
        return name

    def _named(self, name: str) -> Database:
        if name not in self._databases:
            self._add_databases(self._read_again())
        if name not in self._databases:
            raise UnknownDatabaseError(name)
        return self._databases[name]


def _find_owners(conn: Connection, wanted: tuple[str, list[str]]) -> list[UUID]:
    return [organization_id for (organization_id,) in conn.execute(FIND_OWNERS, wanted)]


def transactions_for[Item](
    homes: Homes, items: Iterable[Item], organization_of: Callable[[Item], UUID]
) -> Sequence[tuple[AbstractContextManager[Connection], list[Item]]]:
    """Return transactions of the platform, which are not begun yet, with the *items* that belong into each.

    With one database it is one transaction for all items. With several it is one for each organization, in its home.
    """
    every = homes.every()
    if len(every) == 1:
        return [(every[0].transaction(), list(items))]
    grouped: dict[UUID, list[Item]] = {}
    for item in items:
        grouped.setdefault(organization_of(item), []).append(item)
    return [(homes.tenant_transaction(organization_id), own) for organization_id, own in grouped.items()]
