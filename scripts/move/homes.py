"""The homes of organizations: the directory in the catalogue, and the marks of moves in each database."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from scripts.move.databases import Connection
from tenancy.rules.homes import CATALOGUE, bucket_of

FIND_BUCKET_HOME: Final = "SELECT database FROM bucket_homes WHERE bucket = %s"
FIND_EXCEPTION: Final = "SELECT database FROM organization_homes WHERE organization_id = %s"
PUT_EXCEPTION: Final = """
    INSERT INTO organization_homes (organization_id, database) VALUES (%s, %s)
    ON CONFLICT (organization_id) DO UPDATE SET database = excluded.database
"""
DELETE_EXCEPTION: Final = "DELETE FROM organization_homes WHERE organization_id = %s"
PUT_BUCKET_HOME: Final = """
    INSERT INTO bucket_homes (bucket, database) VALUES (%s, %s)
    ON CONFLICT (bucket) DO UPDATE SET database = excluded.database
"""
LIST_DATABASES: Final = "SELECT database FROM bucket_homes UNION SELECT database FROM organization_homes"
HAS_ORGANIZATION: Final = """
    SELECT EXISTS (SELECT FROM organizations WHERE id = %(id)s)
           AND NOT EXISTS (SELECT FROM moved_organizations WHERE organization_id = %(id)s)
"""
LIST_ORGANIZATIONS: Final = """
    SELECT id FROM organizations WHERE id NOT IN (SELECT organization_id FROM moved_organizations)
"""
LIST_MOVES: Final = """
    SELECT organization_id, state, other, move_id FROM moved_organizations
    WHERE state = 'incoming' OR move_id = ANY (%s) ORDER BY organization_id
"""
FIND_MOVE: Final = "SELECT organization_id, state, other, move_id FROM moved_organizations WHERE organization_id = %s"
LIST_ALL_ORGANIZATIONS: Final = "SELECT id FROM organizations"
LIST_MARKS: Final = "SELECT organization_id, state, other, move_id, recorded_at FROM moved_organizations"
PUT_MOVE: Final = """
    INSERT INTO moved_organizations (organization_id, state, other, move_id) VALUES (%s, %s, %s, %s)
    ON CONFLICT (organization_id) DO UPDATE
    SET state = excluded.state, other = excluded.other, move_id = excluded.move_id, recorded_at = now()
"""
DELETE_INCOMING: Final = "DELETE FROM moved_organizations WHERE organization_id = %s AND state = 'incoming'"
# A stale directory may name an earlier home. Its mark then leads to the home in one step.
FORWARD_MOVED: Final = """
    UPDATE moved_organizations SET other = %s WHERE organization_id = %s AND state = 'moved' AND other <> %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The row of an organization in `moved_organizations`. Only `list_marks` reads `recorded_at`."""

    organization_id: UUID
    state: str
    other: str
    move_id: UUID
    recorded_at: datetime | None = field(default=None, compare=False)


def find_home(catalogue: Connection, organization_id: UUID) -> str:
    """Return the database that the directory has for the organization."""
    found = catalogue.execute(FIND_EXCEPTION, (organization_id,)).fetchone()
    return str(found[0]) if found else find_bucket_home(catalogue, bucket_of(organization_id))


def find_bucket_home(catalogue: Connection, bucket: int) -> str:
    """Return the database for new organizations of *bucket*."""
    found = catalogue.execute(FIND_BUCKET_HOME, (bucket,)).fetchone()
    return str(found[0]) if found else CATALOGUE


def list_databases(catalogue: Connection) -> list[str]:
    """Return the names of the databases in the directory."""
    return sorted(each for (each,) in catalogue.execute(LIST_DATABASES).fetchall())


def put_home(catalogue: Connection, organization_id: UUID, home: str) -> None:
    """Store the home of the organization, as an exception if its bucket has another one. Idempotent."""
    with catalogue.transaction():
        if find_bucket_home(catalogue, bucket_of(organization_id)) == home:
            catalogue.execute(DELETE_EXCEPTION, (organization_id,))
        else:
            catalogue.execute(PUT_EXCEPTION, (organization_id, home))


def put_bucket_home(catalogue: Connection, bucket: int, home: str, pinned: Iterable[tuple[UUID, str]]) -> None:
    """Store the home of *bucket*, and in the same transaction those of its organizations, *pinned*. Idempotent."""
    with catalogue.transaction():
        catalogue.execute(PUT_BUCKET_HOME, (bucket, home))
        for organization_id, database in pinned:
            put_home(catalogue, organization_id, database)


def has_organization(conn: Connection, organization_id: UUID) -> bool:
    """Tell whether the database is the home of the organization."""
    return conn.execute(HAS_ORGANIZATION, {"id": organization_id}).fetchone() == (True,)


def list_bucket(conn: Connection, bucket: int) -> list[UUID]:
    """Return the organizations of *bucket* whose home is the database."""
    return [each for each in list_homes(conn) if bucket_of(each) == bucket]


def list_homes(conn: Connection) -> list[UUID]:
    """Return the organizations whose home is the database."""
    return sorted(each for (each,) in conn.execute(LIST_ORGANIZATIONS).fetchall())


def list_unfinished(conn: Connection, move_ids: Iterable[UUID]) -> list[Mark]:
    """Return the marks of incoming organizations, and those of *move_ids*."""
    rows = conn.execute(LIST_MOVES, (list(move_ids),)).fetchall()
    return [Mark(organization_id=row[0], state=row[1], other=row[2], move_id=row[3]) for row in rows]


def list_copies(conn: Connection) -> list[UUID]:
    """Return the organizations whose row the database has, also if it is not their home."""
    return [each for (each,) in conn.execute(LIST_ALL_ORGANIZATIONS).fetchall()]


def list_marks(conn: Connection) -> list[Mark]:
    """Return all marks of the database."""
    rows = conn.execute(LIST_MARKS).fetchall()
    return [
        Mark(organization_id=row[0], state=row[1], other=row[2], move_id=row[3], recorded_at=row[4]) for row in rows
    ]


def find_mark(conn: Connection, organization_id: UUID) -> Mark | None:
    """Return the mark of the organization. A home has none."""
    row = conn.execute(FIND_MOVE, (organization_id,)).fetchone()
    return Mark(organization_id=row[0], state=row[1], other=row[2], move_id=row[3]) if row else None


def put_mark(conn: Connection, mark: Mark) -> None:
    """Store *mark* in place of the organization's mark."""
    conn.execute(PUT_MOVE, (mark.organization_id, mark.state, mark.other, mark.move_id))


def delete_incoming(conn: Connection, organization_id: UUID) -> None:
    """Make the database the home of the organization. Idempotent."""
    conn.execute(DELETE_INCOMING, (organization_id,))


def forward_moved(conn: Connection, organization_id: UUID, home: str) -> None:
    """Let an older mark of the organization name its *home*."""
    conn.execute(FORWARD_MOVED, (home, organization_id, home))
