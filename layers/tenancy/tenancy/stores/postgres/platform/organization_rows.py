"""What PostgreSQL knows of an organization that ends: deleted in the order of its foreign keys, and counted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import sql

from tenancy.rules.audit_record import PLATFORM_LOG
from tenancy.stores.postgres.client import Connection

# Every table with an organization_id is in ERASED or KEPT: the isolation suite holds both against the catalog. What
# points at another table comes before it.
ERASED: Final = (
    "outbox", "export_files", "exports", "erasures", "provisioning_requests", "audit_refusals", "audit_people",
    "quota_notices", "usage_reservations", "usage_totals", "usage_ledger", "measurements", "settlements",
    "tenant_usage", "tier_changes", "api_keys", "apps", "users",
)  # fmt: skip
# The tombstone, what certifies it, and the trail of what was done, by ids.
KEPT: Final = frozenset({"organizations", "deletion_certificates", "audit_log", "audit_heads", "audit_checkpoints"})
DELETE_ROWS: Final = sql.SQL("DELETE FROM {} WHERE organization_id = %s")
COUNT_ROWS: Final = sql.SQL("SELECT count(*) FROM {} WHERE organization_id = %s")
BUT_THE_LAST_MAIL: Final = sql.SQL(" AND kind <> 'erased_mail'")  # which has the last address, and goes out first
DELETE_LAST_MAIL: Final = """
    DELETE FROM outbox WHERE organization_id = %s AND kind = 'erased_mail' AND created_at < %s
"""
# Who acted for the organization may stand in the platform's own log as well, where mismatches are.
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
    """Delete all rows of the organization, which is being erased: policies let no other's go."""
    values = {"organization_id": organization_id, "platform_log": PLATFORM_LOG}
    conn.execute(CLEAR_PLATFORM_REFUSALS, values)  # first: what it waits for has become a record then
    conn.execute(DELETE_PLATFORM_PEOPLE, values)
    for table in ERASED:
        conn.execute(_of(DELETE_ROWS, table), (organization_id,))


def count_rows(conn: Connection, organization_id: UUID) -> Mapping[str, int]:
    """Return how many rows of the organization each table has."""
    counts = {}
    for table in ERASED:
        [(rows,)] = conn.execute(_of(COUNT_ROWS, table), (organization_id,))
        counts[table] = rows
    return counts


def delete_last_mail(conn: Connection, organization_id: UUID, *, owed_before: datetime) -> None:
    """Forget the last address whose mail is owed since before then, and could not be sent."""
    conn.execute(DELETE_LAST_MAIL, (organization_id, owed_before))


def _of(statement: sql.SQL, table: str) -> sql.Composed:
    found = statement.format(sql.Identifier(table))
    return found + BUT_THE_LAST_MAIL if table == "outbox" else found
