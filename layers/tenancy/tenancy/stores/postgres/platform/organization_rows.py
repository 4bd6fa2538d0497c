"""The rows of an organization under erasure: deleted in foreign-key order, and counted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import sql

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.stores.postgres.client import Connection

# Every table with an organization_id is in ERASED or KEPT. The isolation tests compare both with the catalog. A table
# comes before the tables that its foreign keys reference.
ERASED: Final = (
    "outbox", "export_files", "exports", "erasures", "dead_letters", "provisioning_requests",
    "idempotent_requests", "audit_refusals", "audit_people", "quota_notices", "usage_reservations",
    "usage_totals", "usage_ledger", "measurements", "settlements", "tenant_usage", "tier_changes", "api_keys",
    "key_digests", "apps", "one_time_tokens", "refresh_tokens", "sessions", "sso_log_ins", "sso_assertions",
    "sso_identities", "sso_connections", "branding_images", "tenant_branding", "users", "email_domains",
    "proven_email_domains", "custom_domains", "certificate_requests",
    "listed_custom_domains", "organization_names", "catalogue_entries",
)  # fmt: skip
# The anonymous remnant, its certificates and where they are, and the audit log, which holds ids.
KEPT: Final = frozenset(
    {
        "organizations", "deletion_certificates", "audit_log", "audit_heads", "audit_checkpoints",
        "moved_organizations", "organization_homes",
    }
)  # fmt: skip
DELETE_ROWS: Final = sql.SQL("DELETE FROM {} WHERE organization_id = %s")
COUNT_ROWS: Final = sql.SQL("SELECT count(*) FROM {} WHERE organization_id = %s")
EXCEPT_LAST_MAIL: Final = sql.SQL(" AND kind <> 'erased_mail'")  # it holds the last address until it is sent
DELETE_LAST_MAIL: Final = """
    DELETE FROM outbox WHERE organization_id = %s AND kind = 'erased_mail' AND created_at < %s
"""
# The platform's own log may name people of the organization, because it holds tenant mismatches.
DELETE_PLATFORM_PEOPLE: Final = """
    DELETE FROM audit_people WHERE organization_id = %(platform_log)s AND actor_id IN (
        SELECT id FROM users WHERE organization_id = %(organization_id)s
        UNION ALL SELECT id FROM api_keys WHERE organization_id = %(organization_id)s
    )
"""
CLEAR_PLATFORM_REFUSALS: Final = """
    UPDATE audit_refusals SET source_address = '' WHERE organization_id = %(platform_log)s AND actor_id IN (
        SELECT id FROM users WHERE organization_id = %(organization_id)s
        UNION ALL SELECT id FROM api_keys WHERE organization_id = %(organization_id)s
    )
"""
# In a database that was the organization's home before a move. Its log of the platform stayed there.
LIST_PEOPLE: Final = """
    SELECT id FROM users WHERE organization_id = %(organization_id)s
    UNION ALL SELECT id FROM api_keys WHERE organization_id = %(organization_id)s
"""
DELETE_LISTED_PEOPLE: Final = """
    DELETE FROM audit_people WHERE organization_id = %(platform_log)s AND actor_id = ANY(%(people)s)
"""
CLEAR_LISTED_REFUSALS: Final = """
    UPDATE audit_refusals SET source_address = ''
    WHERE organization_id = %(platform_log)s AND actor_id = ANY(%(people)s)
"""
# Tables of the catalogue, whose rows are not copied by a move.
OF_CATALOGUE: Final = frozenset({"catalogue_entries", "provisioning_requests"})
HAS_INCOMING: Final = """
    SELECT EXISTS (SELECT FROM moved_organizations WHERE organization_id = %s AND state = 'incoming')
"""
HAS_ORGANIZATION: Final = "SELECT EXISTS (SELECT FROM organizations WHERE id = %s)"


def delete_rows(conn: Connection, organization_id: UUID) -> None:
    """Delete all rows of the organization. Policies require that it is being erased."""
    values = {"organization_id": organization_id, "platform_log": PLATFORM_LOG}
    conn.execute(CLEAR_PLATFORM_REFUSALS, values)  # first: a refusal that it waits for is a record by then
    conn.execute(DELETE_PLATFORM_PEOPLE, values)
    for table in ERASED:
        conn.execute(_for_table(DELETE_ROWS, table), (organization_id,))


def count_rows(conn: Connection, organization_id: UUID) -> Mapping[str, int]:
    """Return the number of the organization's rows in each table."""
    counts = {}
    for table in ERASED:
        [(rows,)] = conn.execute(_for_table(COUNT_ROWS, table), (organization_id,))
        counts[table] = rows
    return counts


def has_copy(conn: Connection, organization_id: UUID) -> bool:
    """Return whether the database has rows of the organization, or a move is about to copy them to here.

    *conn* is in a transaction of the organization in a database that is not its home.
    """
    for statement in (HAS_INCOMING, HAS_ORGANIZATION):
        if conn.execute(statement, (organization_id,)).fetchone() == (True,):
            return True
    return any(rows for table, rows in count_rows(conn, organization_id).items() if table not in OF_CATALOGUE)


def list_people(conn: Connection, organization_id: UUID) -> list[UUID]:
    """Return the ids of members and keys of the organization, which may be actors in the platform's own log."""
    return [person for (person,) in conn.execute(LIST_PEOPLE, {"organization_id": organization_id})]


def delete_platform_people(conn: Connection, people: Sequence[UUID]) -> None:
    """Delete the addresses of *people* from the platform's own log of this database.

    *conn* is in a transaction of their organization, which is being erased here, or was moved away from here. A policy
    requires that.
    """
    values = {"platform_log": PLATFORM_LOG, "people": list(people)}
    conn.execute(CLEAR_LISTED_REFUSALS, values)  # first, as in delete_rows
    conn.execute(DELETE_LISTED_PEOPLE, values)


def delete_last_mail(conn: Connection, organization_id: UUID, *, pending_since: datetime) -> None:
    """Delete the last mail with its address if it has been pending since before *pending_since*."""
    conn.execute(DELETE_LAST_MAIL, (organization_id, pending_since))


def _for_table(statement: sql.SQL, table: str) -> sql.Composed:
    composed = statement.format(sql.Identifier(table))
    return composed + EXCEPT_LAST_MAIL if table == "outbox" else composed
