"""Migrate the schemas of both databases, and create the first platform key."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from tenancy.errors import AwsCallError, DeploymentError, UnavailableError
from tenancy.rules.durations import TABLE_FIRST_PAUSE, TABLE_MAX_PAUSE
from tenancy.rules.keys.api_keys import KeyType, find_key, generate_key
from tenancy.stores.aws.secrets import (
    AUTHORIZER_DATABASE,
    CLICKHOUSE,
    DATABASE,
    OWNER_DATABASE,
    PLATFORM_DATABASE,
    PLATFORM_KEY,
    Secrets,
)
from tenancy.stores.clickhouse import client as clickhouse
from tenancy.stores.clickhouse.client import Client, DatabaseError
from tenancy.stores.clickhouse.platform import migrations as clickhouse_migrations
from tenancy.stores.clickhouse.platform.shards import distribute_tables, grant_distributed_tables
from tenancy.stores.postgres import connecting as postgres
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.homes import Homes
from tenancy.stores.postgres.platform import migrations as postgres_migrations
from tenancy.stores.postgres.platform.directory import insert_bucket_homes
from tenancy.stores.postgres.platform.migrations import TableInUseError
from tenancy.stores.postgres.platform.platform_keys import insert_platform_key

REQUIRED_ROLES: Final = ("tenancy_functions", "tenancy_platform", "tenancy_authorizer", "tenancy_lookup")
LOCK_ATTEMPTS: Final = 20  # of at most 2 s for each table, with pauses of 128 s in all


class UnusableStoreError(DeploymentError):
    """The store of a secret's URL cannot be migrated."""

    def __init__(self, secret: str, problem: str) -> None:
        """Name the secret, its problem and the next step."""
        super().__init__(f'The secret {secret} {problem}. See docs/operations.md, "Deploy". Then deploy again.')


class MissingRolesError(DeploymentError):
    """PostgreSQL lacks roles. Nothing was changed."""

    def __init__(self, roles: Sequence[str]) -> None:
        """Name the *roles* and the next step."""
        super().__init__(
            f"PostgreSQL lacks the roles {', '.join(roles)}. Make them as tenancy_owner, as docs/operations.md says"
            ' ("Deploy"). Then deploy again.'
        )


class DatabaseNamesError(DeploymentError):
    """The secrets of PostgreSQL name different databases, and nothing was changed."""

    def __init__(self, names: Mapping[str, Iterable[str]]) -> None:
        """Name the secrets with their databases, and the next step."""
        listed = "; ".join(f"{secret}: {', '.join(sorted(each))}" for secret, each in names.items())
        super().__init__(
            f"The secrets of PostgreSQL name different databases ({listed}). Give all four the same names, in any"
            " order. Then deploy again."
        )


class MigrationChangedError(Exception):
    """A migration file differs from the file that was applied. Restore the applied file."""


class AuthorizerLoginError(Exception):
    """The authorizer of this release could not log in to PostgreSQL. Nothing was changed."""

    def __init__(self) -> None:
        """Name the secret and the role, and the next step."""
        super().__init__(
            "The secret authorizer-database is missing, or its role cannot log in to PostgreSQL."
            ' Make both as docs/operations.md says ("Deploy"), then deploy again.'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseRoles:
    """The databases of PostgreSQL as each role, in the secret of that role."""

    owner: Homes
    functions: Homes
    platform: Homes
    authorizer: Homes


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered file of layers/migrations."""

    version: int
    name: str
    script: str

    @property
    def digest(self) -> str:
        """SHA-256 of the script, in hex."""
        return hashlib.sha256(self.script.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedMigrations:
    """The names of the migrations that a run applied, by database.

    *skipped* migrations create roles and row policies on a ClickHouse server that denies access management. The next
    run tries them again.
    """

    postgres: Sequence[str]
    clickhouse: Sequence[str]
    skipped: Sequence[str]


def prepare_databases(
    roles: DatabaseRoles, connect: Callable[[], Client], secrets: Secrets, folder: Path
) -> AppliedMigrations:
    """Migrate all databases with the files in *folder*, then create the first platform key.

    Idempotent. *connect* opens ClickHouse. With several databases of PostgreSQL the directory is filled, once.

    Raises:
        ClusterUserError: ClickHouse has shards without a secret. PostgreSQL was not changed.
        UnusableStoreError, MissingRolesError: a secret, a server or the roles are not as expected. PostgreSQL was not
            changed.
        DatabaseNamesError: the four secrets of PostgreSQL name different databases. Nothing was changed.
        AuthorizerLoginError: the operator has not made the role and the secret of the authorizer. Nothing was changed.
        MigrationChangedError: an applied migration differs from its file. Nothing was changed.
    """
    owner = roles.owner
    _require_roles(owner)
    _require_login(roles.authorizer)
    _require_equal_names(roles)
    with closing(_connected(connect)) as client:
        try:
            applied = [migrate(database, client, folder) for database in owner.every()]
        except DatabaseError as error:
            if getattr(error, "code", None) not in clickhouse.ACCESS_REFUSALS:
                raise
            raise UnusableStoreError(CLICKHOUSE, "has a user that may not make the tables of its database") from error
    ensure_platform_key(owner.catalogue, secrets)
    if len(names := list(owner.by_name())) > 1:
        with owner.catalogue.transaction() as conn:
            insert_bucket_homes(conn, names)
    return AppliedMigrations(
        postgres=[name for each in applied for name in each.postgres],
        clickhouse=[name for each in applied for name in each.clickhouse],
        skipped=applied[0].skipped,
    )


def _require_roles(owner: Homes) -> None:
    """Stop a deploy before its migrations grant rights to roles that do not exist."""
    try:
        for database in owner.every():
            with database.transaction() as conn:
                if missing := postgres_migrations.list_missing_roles(conn, REQUIRED_ROLES):
                    raise MissingRolesError(missing)
    except AwsCallError as error:
        raise UnusableStoreError(OWNER_DATABASE, "is missing, or Migrate may not read it") from error
    except UnavailableError as error:
        raise UnusableStoreError(OWNER_DATABASE, postgres.find_connection_problem(error)) from error


def _connected(connect: Callable[[], Client]) -> Client:
    try:
        return connect()
    except AwsCallError as error:
        raise UnusableStoreError(CLICKHOUSE, "is missing, or Migrate may not read it") from error
    except UnavailableError as error:
        raise UnusableStoreError(CLICKHOUSE, clickhouse.find_connection_problem(error)) from error


def _require_login(authorizer: Homes) -> None:
    """Stop a deploy whose authorizer could answer no request, before any function is replaced."""
    try:
        for database in authorizer.every():
            with database.transaction():
                pass
    except (AwsCallError, UnavailableError) as error:
        raise AuthorizerLoginError from error


def _require_equal_names(roles: DatabaseRoles) -> None:
    """Stop a deploy whose functions would not find the database of an organization."""
    homes = {
        OWNER_DATABASE: roles.owner,
        DATABASE: roles.functions,
        PLATFORM_DATABASE: roles.platform,
        AUTHORIZER_DATABASE: roles.authorizer,
    }
    names = {secret: _names_in(secret, each) for secret, each in homes.items()}
    if len(set(names.values())) > 1:
        raise DatabaseNamesError(names)


def _names_in(secret: str, homes: Homes) -> frozenset[str]:
    try:
        return frozenset(homes.by_name())
    except AwsCallError as error:
        raise UnusableStoreError(secret, "is missing, or Migrate may not read it") from error


def read_migrations(folder: Path) -> list[Migration]:
    """Return the migrations in *folder* (`0001_name.sql`), ordered by number."""
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return [Migration(version=int(file.stem[:4]), name=file.stem, script=file.read_text()) for file in files]


def migrate(
    owner_db: Database, client: Client, folder: Path, *, pause: Callable[[float], None] = time.sleep
) -> AppliedMigrations:
    """Apply the missing migrations of `postgres/` and `clickhouse/` in *folder*.

    PostgreSQL's migrations run in one transaction under a lock. A second runner waits, and then finds nothing to
    apply. ClickHouse's migrations run within that transaction, one statement at a time. A statement may run twice. They
    come first, because PostgreSQL's tables are locked from their migration to the end of the transaction.

    If a table is in use, the transaction is rolled back and tried again after a pause, in which the waiting requests
    run. It is tried `LOCK_ATTEMPTS` times. *pause* takes seconds.

    Raises:
        MigrationChangedError: an applied migration differs from its file. Nothing was changed.
        TableInUseError: a long transaction uses a table of PostgreSQL. PostgreSQL was not changed.
    """
    applied: list[str] = []
    for seconds in islice(_pauses(), LOCK_ATTEMPTS - 1):
        with suppress(TableInUseError):
            return _migrate(owner_db, client, folder, applied)
        pause(seconds)
    return _migrate(owner_db, client, folder, applied)


def _pauses() -> Iterator[float]:
    """Yield the seconds of each pause, which doubles until the longest one is reached."""
    length = TABLE_FIRST_PAUSE
    while True:
        yield length.total_seconds()
        length = min(2 * length, TABLE_MAX_PAUSE)


def ensure_platform_key(owner_db: Database, secrets: Secrets) -> None:
    """Create the first platform key, once.

    The key is stored in its secret before the database gets its digest. So the operator never misses a valid key.
    """
    with owner_db.transaction() as conn:
        postgres_migrations.lock_migrations(conn)
        key = find_key(secrets.read_secret(PLATFORM_KEY).text or "")
        if key is None:
            key = generate_key(KeyType.PLATFORM)
            secrets.put_secret(PLATFORM_KEY, key.text)
        insert_platform_key(conn, key, name="First platform key")


def _migrate(owner_db: Database, client: Client, folder: Path, clickhouse: list[str]) -> AppliedMigrations:
    """Migrate in one transaction of PostgreSQL.

    It adds the names of ClickHouse's applied migrations to *clickhouse*, also before a failure.
    """
    for_postgres, for_clickhouse = read_migrations(folder / "postgres"), read_migrations(folder / "clickhouse")
    with owner_db.transaction() as conn:
        postgres_migrations.lock_migrations(conn)
        missing_in_postgres = _missing(for_postgres, postgres_migrations.list_versions(conn))
        missing_in_clickhouse = _missing(for_clickhouse, clickhouse_migrations.list_versions(client))
        skipped: list[str] = []
        for new in missing_in_clickhouse:
            is_applied = clickhouse_migrations.apply_migration(client, new.version, new.name, new.digest, new.script)
            (clickhouse if is_applied else skipped).append(new.name)
        distribute_tables(client)
        grant_distributed_tables(client)
        for new in missing_in_postgres:
            postgres_migrations.apply_migration(conn, new.version, new.name, new.digest, new.script)
    return AppliedMigrations(
        postgres=[migration.name for migration in missing_in_postgres], clickhouse=clickhouse, skipped=skipped
    )


def _missing(migrations: Sequence[Migration], versions: Mapping[int, str]) -> list[Migration]:
    """Return the migrations that *versions* lacks.

    Raises:
        MigrationChangedError: an applied migration differs from its file.
    """
    for migration in migrations:
        if versions.get(migration.version, migration.digest) != migration.digest:
            raise MigrationChangedError(f"{migration.name} was changed after it had been applied")
    return [migration for migration in migrations if migration.version not in versions]
