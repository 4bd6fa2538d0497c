"""The rows of an organization under erasure: deleted in foreign-key order, and counted."""

from collections.abc import Mapping
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


def delete_last_mail(conn: Connection, organization_id: UUID, *, pending_since: datetime) -> None:
    """Delete the last mail with its address if it has been pending since before *pending_since*."""
    conn.execute(DELETE_LAST_MAIL, (organization_id, pending_since))


def _for_table(statement: sql.SQL, table: str) -> sql.Composed:
    composed = statement.format(sql.Identifier(table))
    return composed + EXCEPT_LAST_MAIL if table == "outbox" else composed
