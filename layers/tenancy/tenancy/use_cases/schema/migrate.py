"""Bring the schemas of both databases to the bundle's version, and make the first platform key."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tenancy.rules.api_keys import KeyType, find_key, generate_key
from tenancy.stores.aws.secrets import PLATFORM_KEY, Secrets
from tenancy.stores.clickhouse.client import Client
from tenancy.stores.clickhouse.platform import migrations as clickhouse_migrations
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform import migrations as postgres_migrations
from tenancy.stores.postgres.platform.platform_keys import insert_platform_key


class MigrationChangedError(Exception):
    """A migration that has landed differs from the one that was applied: it must be put back."""


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
    """The names of the migrations that this run applied, by store, and of those that ClickHouse would not have.

    *skipped* ones make roles and row policies on a server that manages no access for us; the next run tries again.
    """

    postgres: Sequence[str]
    clickhouse: Sequence[str]
    skipped: Sequence[str]


def read_migrations(folder: Path) -> list[Migration]:
    """Return the migrations of *folder* in order of their numbers (`0001_what.sql`)."""
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return [Migration(version=int(file.stem[:4]), name=file.stem, script=file.read_text()) for file in files]


def migrate(owner_db: Database, client: Client, folder: Path) -> AppliedMigrations:
    """Apply what is missing of `postgres/` and `clickhouse/` in *folder*.

    PostgreSQL's migrations are one transaction under a lock, so that a second runner waits and then finds nothing
    to do; ClickHouse's run inside it, one statement each, and may run twice.

    Raises:
        MigrationChangedError: an applied migration is not the file that is here now.
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
    """Make the first platform key, once: it is kept for the operator before the database learns its digest."""
    with owner_db.transaction() as conn:
        postgres_migrations.lock_migrations(conn)
        key = find_key(secrets.find_secret(PLATFORM_KEY) or "")
        if key is None:
            key = generate_key(KeyType.PLATFORM)
            secrets.put_secret(PLATFORM_KEY, key.text)
        insert_platform_key(conn, key, name="First platform key")


def _apply(
    migrations: Sequence[Migration], applied: Mapping[int, str], apply: Callable[[Migration], bool]
) -> tuple[list[str], list[str]]:
    """Return the names of what was applied now, and of what was skipped."""
    done: list[str] = []
    skipped: list[str] = []
    for migration in migrations:
        if migration.version not in applied:
            (done if apply(migration) else skipped).append(migration.name)
        elif applied[migration.version] != migration.digest:
            raise MigrationChangedError(f"{migration.name} was changed after it had been applied")
    return done, skipped
