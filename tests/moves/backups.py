"""Backups of one organization in one database, and moves without replication.

With them many cases take little time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from scripts.move.homes import Mark, find_mark, put_home, put_mark
from scripts.move.tables import delete_rows, list_tables
from tests.moves.leftovers import directory_of
from tests.moves.servers import MAIN, Conn, Deployment

REMOVE_MARK = "DELETE FROM moved_organizations WHERE organization_id = %s"
LIST_COLUMNS = """
    SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""

type Rows = Mapping[str, tuple[str, list[object]]]  # the columns and the rows of a table


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The rows and the mark of an organization in a database, and its home in the directory."""

    name: str
    organization_id: UUID
    rows: Rows
    mark: Mark | None
    home: str | None

    @classmethod
    def take(cls, deployment: Deployment, name: str, organization_id: UUID) -> "Backup":
        conn = deployment[name].superuser
        return cls(
            name=name,
            organization_id=organization_id,
            rows=read(conn, organization_id),
            mark=find_mark(conn, organization_id),
            home=directory_of(deployment, organization_id) if name == MAIN else None,
        )

    def restore(self, deployment: Deployment, name: str | None = None) -> None:
        """Replace the organization's rows by the backup, in its database or in another one."""
        conn = deployment[name or self.name].superuser
        replace(conn, self.organization_id, self.rows)
        conn.execute(REMOVE_MARK, (self.organization_id,))
        if self.mark is not None:
            put_mark(conn, self.mark)
        if self.home is not None and name is None:
            put_home(conn, self.organization_id, self.home)


def read(conn: Conn, organization_id: UUID) -> Rows:
    found = {}
    for table in list_tables(conn):
        [(columns,)] = conn.execute(LIST_COLUMNS, (table.name,)).fetchall()
        statement = f"SELECT to_jsonb(t) FROM {table.name} AS t WHERE {table.column} = %s"
        rows = conn.execute(statement.encode(), (organization_id,)).fetchall()
        if rows:
            found[table.name] = (str(columns), [row for (row,) in rows])
    return found


def replace(conn: Conn, organization_id: UUID, rows: Rows) -> None:
    """Replace the rows of the organization without running triggers."""
    with conn.transaction():
        conn.execute("SET LOCAL session_replication_role = replica")
        delete_rows(conn, list_tables(conn), organization_id)
        for name, (columns, values) in rows.items():
            statement = (
                f"INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE"
                f" SELECT {columns} FROM jsonb_populate_recordset(NULL::{name}, %s)"
            )
            conn.execute(statement.encode(), (Jsonb(values),))


def move(deployment: Deployment, organization_id: UUID, source: str, target: str, *, until: str = "end") -> None:
    """Move the organization, or stop when it is "copied", "committed" or "opened"."""
    old, new, move_id = deployment[source].superuser, deployment[target].superuser, uuid4()
    put_mark(new, Mark(organization_id=organization_id, state="incoming", other=source, move_id=move_id))
    replace(new, organization_id, read(old, organization_id))
    if until == "copied":
        return
    put_mark(old, Mark(organization_id=organization_id, state="moved", other=target, move_id=move_id))
    if until == "committed":
        return
    new.execute(REMOVE_MARK, (organization_id,))
    put_home(deployment[MAIN].superuser, organization_id, target)
    if until == "opened":
        return
    replace(old, organization_id, {})
