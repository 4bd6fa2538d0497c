"""Back up a database of the local stack under load, and restore the backup into another one.

PostgreSQL: pg_dump reads one snapshot. ClickHouse: BACKUP has the parts that exist when it starts. On AWS the backups
of Aurora and ClickHouse replace these (docs/disaster-recovery.md).
"""

import re
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from clickhouse_connect.driver.client import Client

from scripts.stack.postgres import PROGRAMS

# These statements take no parameters.
BACKUP: Final = "BACKUP DATABASE {database} TO File('{name}')"
# The database `default` of the embedded engine is no Atomic one.
RESTORE: Final = (
    "RESTORE DATABASE {source} AS {staging} FROM File('{name}') SETTINGS allow_different_database_def = true"
)
LIST_TABLES: Final = "SELECT name FROM system.tables WHERE database = {database:String} ORDER BY name"
CREATE_TABLE: Final = "CREATE TABLE {target}.{table} AS {staging}.{table}"
COPY_ROWS: Final = "INSERT INTO {target}.{table} SELECT * FROM {staging}.{table}"
EXACTLY: Final = {"optimize_on_insert": 0, "max_partitions_per_insert_block": 0}
NAME: Final = re.compile(r"[a-z0-9_]+")


class BackupError(Exception):
    """A program of PostgreSQL failed. The message has its output."""


def dump_postgres(url: str, file: Path) -> None:
    """Write the database at the superuser's *url* to *file*.

    Raises:
        BackupError: pg_dump failed.
    """
    _run(url, "pg_dump", "--format=custom", f"--file={file}")


def restore_postgres(url: str, file: Path) -> None:
    """Restore *file* in one transaction into the empty database at the superuser's *url*, whose roles exist.

    Raises:
        BackupError: pg_restore failed.
    """
    _run(url, "pg_restore", "--exit-on-error", "--single-transaction", str(file))


def backup_clickhouse(client: Client, database: str, name: str) -> None:
    """Back up *database* as *name* in the folder of backups."""
    client.command(BACKUP.format(database=_checked(database), name=_checked(name)))


def restore_clickhouse(client: Client, source: str, target: str, name: str) -> None:
    """Restore the backup *name* of the database *source* as *target*, which has no tables of the same names.

    A restored part keeps the version of its last mutation, while the numbers of its new table begin anew. A DELETE with
    a lower number skips that part without an error. So the rows are copied into new tables.
    """
    staging = f"{_checked(target)}_staging"
    names = {"source": _checked(source), "target": target, "staging": staging}
    client.command(RESTORE.format(**names, name=_checked(name)))
    client.command(f"CREATE DATABASE IF NOT EXISTS {target}")
    for (table,) in client.query(LIST_TABLES, parameters={"database": staging}).result_rows:
        client.command(CREATE_TABLE.format(**names, table=_checked(table)))
        client.command(COPY_ROWS.format(**names, table=table), settings=EXACTLY)
    client.command(f"DROP DATABASE {staging}")


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} has other characters than a to z, 0 to 9 and _.")
    return name


def _run(url: str, program: str, *arguments: str) -> None:
    """Run *program* on the database at *url*, without the password in its arguments."""
    parts = urlsplit(url)
    target = f"postgresql://{parts.username}@{parts.hostname}:{parts.port}{parts.path}"
    done = subprocess.run(
        [str(PROGRAMS / program), f"--dbname={target}", *arguments],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PGPASSWORD": parts.password or "", "LC_ALL": "C"},
    )
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stdout.strip()}")
