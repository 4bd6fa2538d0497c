"""Servers of the tests that are fast, because their data need not survive a crash."""

import os
import shutil
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

MEMORY = Path("/dev/shm")
MEMORY_BYTES = 10 << 30  # for four workers, each with about 100 databases


def fast_folder() -> Path | None:
    """Return a folder in memory, or None if the machine has none with enough room.

    ClickHouse makes many small files for each insert. A file system on a disk takes more processor time for them than
    ClickHouse takes for the insert.
    """
    if not os.access(MEMORY, os.W_OK):
        return None
    free = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    return MEMORY if free >= MEMORY_BYTES else None


def make_cheap(superuser_url: str, password: str) -> None:
    """Make PostgreSQL faster and smaller: data that a crash of a test server loses does not matter.

    Each hash of a password is cheap to compute, too, because each test opens connections. Autovacuum would visit
    hundreds of small databases again and again.
    """
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        conn.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
        conn.execute("ALTER SYSTEM SET scram_iterations = 1")
        conn.execute("ALTER SYSTEM SET autovacuum = off")
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            conn.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        conn.execute("SELECT pg_reload_conf()")
        conn.execute("SET scram_iterations = 1")
        conn.execute(sql.SQL("ALTER ROLE CURRENT_USER PASSWORD {}").format(sql.Literal(password)))
