"""The checks of both databases before a move changes anything."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from scripts.move.databases import Connection, Connections
from scripts.move.errors import MoveError
from scripts.move.homes import find_home, has_organization
from scripts.move.tables import Table, list_filled, list_tables, list_unidentified
from tenancy.rules.homes import CATALOGUE

LIST_VERSIONS: Final = "SELECT version, digest FROM schema_migrations ORDER BY version"
FIND_SLOTS: Final = """
    SELECT current_setting('wal_level'),
           current_setting('max_replication_slots')::integer - (SELECT count(*) FROM pg_replication_slots)
"""
FIND_WORKERS: Final = """
    SELECT current_setting('max_logical_replication_workers')::integer
           - (SELECT count(*) FROM pg_stat_subscription WHERE pid IS NOT NULL)
"""
NEEDED_WORKERS: Final = 2  # one applies changes, and one or more copy tables
NEEDED_SLOTS: Final = 3  # of the move, and of two workers that copy tables at the same time


def require_database(connections: Connections, name: str) -> None:
    """Check that the file of databases has *name*.

    Raises:
        MoveError: it does not.
    """
    if name not in connections.databases:
        raise MoveError(f'Unknown database "{name}". The file of databases has: {", ".join(connections.databases)}.')


def find_source(connections: Connections, organization_id: UUID) -> str:
    """Return the home of the organization.

    Raises:
        MoveError: there is no such organization, or the file of databases lacks its home.
    """
    home = find_home(connections.mover(CATALOGUE), organization_id)
    require_database(connections, home)
    if not has_organization(connections.mover(home), organization_id):
        raise MoveError(f'Unknown organization {organization_id}. The directory has "{home}" for it.')
    return home


def require_ready(connections: Connections, source: str, target: str) -> list[Table]:
    """Check both databases, and return the tables that move.

    Raises:
        MoveError: their schemas differ, or the source cannot replicate.
    """
    versions = {name: list_versions(connections.owner(name)) for name in (source, target)}
    if versions[source] != versions[target]:
        latest = {name: max(found, default=(0, ""))[0] for name, found in versions.items()}
        raise MoveError(
            f'The schema of "{source}" is at migration {latest[source]}, that of "{target}" at {latest[target]}.'
            " Deploy, so that both are equal."
        )
    tables = list_tables(connections.owner(source))
    if {(each.name, each.definition) for each in tables} != {
        (each.name, each.definition) for each in list_tables(connections.owner(target))
    }:
        raise MoveError(f'The tables of "{source}" and "{target}" differ. Deploy, so that both are equal.')
    _require_replication(connections.owner(source), source, tables)
    [(free_workers,)] = connections.owner(target).execute(FIND_WORKERS).fetchall()
    if free_workers < NEEDED_WORKERS:
        raise MoveError(
            f'"{target}" has {free_workers} free workers of logical replication, and a move needs {NEEDED_WORKERS}.'
            " Raise max_logical_replication_workers."
        )
    return tables


def require_empty(target: Connection, name: str, tables: Sequence[Table], organization_id: UUID) -> None:
    """Check that the target has no row of the organization.

    Raises:
        MoveError: it has.
    """
    if filled := list_filled(target, tables, organization_id):
        raise MoveError(f'The database "{name}" has rows of {organization_id} already: {", ".join(filled)}.')


def list_versions(conn: Connection) -> list[tuple[int, str]]:
    """Return the migrations of the database, with their digests."""
    return [(int(version), str(digest)) for version, digest in conn.execute(LIST_VERSIONS).fetchall()]


def _require_replication(conn: Connection, name: str, tables: Sequence[Table]) -> None:
    if unidentified := list_unidentified(conn, tables):
        raise MoveError(f"The replica identity of these tables lacks the organization: {', '.join(unidentified)}.")
    [(wal_level, free_slots)] = conn.execute(FIND_SLOTS).fetchall()
    if wal_level != "logical":
        raise MoveError(
            f'wal_level of "{name}" is {wal_level}, and a move needs logical. Set it (on Aurora:'
            " rds.logical_replication = 1) and restart the server."
        )
    if free_slots < NEEDED_SLOTS:
        raise MoveError(
            f'"{name}" has {free_slots} free replication slots, and a move needs {NEEDED_SLOTS}. Drop unused ones'
            " (pg_replication_slots), or raise max_replication_slots."
        )
