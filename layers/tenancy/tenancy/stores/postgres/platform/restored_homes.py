"""Homes of organizations in restored databases, and addresses in a former home's backup."""

from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.rules.homes import CATALOGUE, bucket_of
from tenancy.stores.postgres.client import INCOMING, Connection

LIST_MARKS: Final = "SELECT organization_id, state, other FROM moved_organizations ORDER BY organization_id"
LIST_BUCKET_HOMES: Final = "SELECT bucket, database FROM bucket_homes"
LIST_EXCEPTIONS: Final = "SELECT organization_id, database FROM organization_homes"
# The target of a tenant's mismatch in the platform's log ends with the organization (gateway/trail.py).
DELETE_NAMED_PEOPLE: Final = """
    DELETE FROM audit_people WHERE organization_id = %(platform_log)s AND record_id IN (
        SELECT id FROM audit_log WHERE organization_id = %(platform_log)s AND target LIKE %(target)s
    )
"""
CLEAR_NAMED_REFUSALS: Final = """
    UPDATE audit_refusals SET source_address = '' WHERE organization_id = %(platform_log)s AND target LIKE %(target)s
"""


class Marked(NamedTuple):
    """An organization that the database does not have, or not yet.

    *other* is the source of a copy, or the target of a finished move.
    """

    organization_id: UUID
    is_incoming: bool
    other: str


class Directory(NamedTuple):
    """The directory of homes."""

    buckets: Mapping[int, str]
    exceptions: Mapping[UUID, str]

    def find_home(self, organization_id: UUID) -> str:
        """Return the name of the database that the directory has for the organization."""
        by_bucket = self.buckets.get(bucket_of(organization_id), CATALOGUE)
        return self.exceptions.get(organization_id, by_bucket)


def list_marks(conn: Connection) -> list[Marked]:
    """Return all organizations that the database does not have, or not yet."""
    return [Marked(each, state == INCOMING, other) for each, state, other in conn.execute(LIST_MARKS)]


def read_directory(conn: Connection) -> Directory:
    """Return the directory of the catalogue."""
    buckets: dict[int, str] = dict(conn.execute(LIST_BUCKET_HOMES).fetchall())
    return Directory(buckets=buckets, exceptions=dict(conn.execute(LIST_EXCEPTIONS).fetchall()))


def delete_named_people(conn: Connection, organization_id: UUID) -> None:
    """Delete addresses of the organization's people from the platform's log of this database.

    *conn* is in a transaction of the organization, which is being erased here, or was moved away from here. A policy
    requires that.
    """
    values = {"platform_log": PLATFORM_LOG, "target": f"%by organization {organization_id}"}
    # First: this waits for a job that is turning such a refusal into a record, and the next statement finds the record.
    conn.execute(CLEAR_NAMED_REFUSALS, values)
    conn.execute(DELETE_NAMED_PEOPLE, values)
