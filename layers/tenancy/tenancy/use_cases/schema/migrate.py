"""Migrate the schemas of both databases, and create the first platform key."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tenancy.errors import AwsCallError, UnavailableError
from tenancy.rules.api_keys import KeyType, find_key, generate_key
from tenancy.stores.aws.secrets import PLATFORM_KEY, Secrets
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform import migrations as clickhouse_migrations
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform import migrations as postgres_migrations
from tenancy.stores.postgres.platform.platform_keys import insert_platform_key


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
    owner_db: Database, authorizer_db: Database, client: Client, secrets: Secrets, folder: Path
) -> AppliedMigrations:
    """Migrate both databases with the files in *folder*, then create the first platform key.

    Idempotent.

    Raises:
        AuthorizerLoginError: the operator has not made the role and the secret of *authorizer_db*. Nothing was changed.
        MigrationChangedError: an applied migration differs from its file. Nothing was changed.
    """
    _require_login(authorizer_db)
    applied = migrate(owner_db, client, folder)
    ensure_platform_key(owner_db, secrets)
    return applied


def _require_login(authorizer_db: Database) -> None:
    """Stop a deploy whose authorizer could answer no request, before any function is replaced."""
    try:
        with authorizer_db.transaction():
            pass
    except (AwsCallError, UnavailableError) as error:
        raise AuthorizerLoginError from error


def read_migrations(folder: Path) -> list[Migration]:
    """Return the migrations in *folder* (`0001_name.sql`), ordered by number."""
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return [Migration(version=int(file.stem[:4]), name=file.stem, script=file.read_text()) for file in files]


def migrate(owner_db: Database, client: Client, folder: Path) -> AppliedMigrations:
    """Apply the missing migrations of `postgres/` and `clickhouse/` in *folder*.

    PostgreSQL's migrations run in one transaction under a lock. A second runner waits, and then finds nothing to
    apply. ClickHouse's migrations run within that transaction, one statement at a time. A statement may run twice.

    Raises:
        MigrationChangedError: an applied migration differs from its file.
    """
    with owner_db.transaction() as conn:
        postgres_migrations.lock_migrations(conn)
        postgres, _ = _apply(
            read_migrations(folder / "postgres"),
            postgres_migrations.list_versions(conn),
            lambda new: postgres_migrations.apply_migration(conn, new.version, new.name, new.digest, new.script),
        )
        clickhouse, skipped = _apply(
            read_migrations(folder / "clickhouse"),
            clickhouse_migrations.list_versions(client),
            lambda new: clickhouse_migrations.apply_migration(client, new.version, new.name, new.digest, new.script),
        )
    return AppliedMigrations(postgres=postgres, clickhouse=clickhouse, skipped=skipped)


def ensure_platform_key(owner_db: Database, secrets: Secrets) -> None:
    """Create the first platform key, once.

    The key is stored in its secret before the database gets its digest. So the operator never misses a valid key.
    """
    with owner_db.transaction() as conn:
        postgres_migrations.lock_migrations(conn)
        key = find_key(secrets.find_secret(PLATFORM_KEY) or "")
        if key is None:
            key = generate_key(KeyType.PLATFORM)
            secrets.put_secret(PLATFORM_KEY, key.text)
        insert_platform_key(conn, key, name="First platform key")


def _apply(
    migrations: Sequence[Migration], versions: Mapping[int, str], apply: Callable[[Migration], bool]
) -> tuple[list[str], list[str]]:
    """Apply the migrations that *versions* lacks, and return the applied and skipped names."""
    applied: list[str] = []
    skipped: list[str] = []
    for migration in migrations:
        if migration.version not in versions:
            (applied if apply(migration) else skipped).append(migration.name)
        elif versions[migration.version] != migration.digest:
            raise MigrationChangedError(f"{migration.name} was changed after it had been applied")
    return applied, skipped
