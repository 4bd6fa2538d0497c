"""The state that calls change, put back so that every call meets the same deployment."""

from typing import Any

import psycopg
import redis
from psycopg import sql

from tenancy.rules.organization import OrganizationStatus
from tenancy.use_cases.deletion.delete import DELETED
from tenancy.use_cases.outbox.run_entries import OutboxKind
from tests.isolation.proof.discovery.tables import discover_tables

# Tables that a list shows and to which calls add rows.
GROWING_TABLES = ("audit_log", "erasures", "exports")
LIST_ROWS = sql.SQL("SELECT id FROM {table}")
DELETE_NEW_ROWS = sql.SQL("DELETE FROM {table} WHERE id <> ALL ({kept}::uuid[])")
SET_ROW_STATUS = sql.SQL("UPDATE {table} SET status = {status} WHERE status <> {status}")
SET_ORGANIZATION_STATUS = sql.SQL("""
    UPDATE organizations SET status = {status}, token_epoch = 0;
    DELETE FROM audit_log WHERE action = {action};
    DELETE FROM outbox WHERE kind = {kind}
""")


class DeploymentState:
    """Puts rows, rate limits and statuses back.

    *conn* is the superuser's.
    """

    def __init__(self, conn: psycopg.Connection[Any], client: redis.Redis) -> None:
        self._conn = conn
        self._redis = client
        self._restoration: sql.Composed | None = None

    def reset_rate_limits(self) -> None:
        """Delete all rate limit keys: thousands of attempts must not end at a rate limit."""
        self._delete_keys("*:rate:*")

    def restore_rows(self) -> None:
        """Set each row to its table's first status, and delete rows that calls have added to lists.

        A call that uses something up (a pending export, say) does not take it from the next one.
        """
        if self._restoration is None:
            self._restoration = self._compose_restoration()
        self._conn.execute(self._restoration)

    def set_status(self, status: OrganizationStatus) -> None:
        """Give every organization *status*, with valid tokens and without a trace of a deletion."""
        values = {"status": status.value, "action": DELETED, "kind": OutboxKind.DELETION_EXECUTION.value}
        literals = {name: sql.Literal(value) for name, value in values.items()}
        self._conn.execute(SET_ORGANIZATION_STATUS.format(**literals))
        self._delete_keys("*:standing")

    def _compose_restoration(self) -> sql.Composed:
        """Return all statements as one, because it runs before each of thousands of requests."""
        deletions = [self._compose_deletion(sql.Identifier(table)) for table in GROWING_TABLES]
        updates = [
            SET_ROW_STATUS.format(table=sql.Identifier(table.name), status=sql.Literal(column.allowed_values[0]))
            for table in discover_tables(self._conn)
            for column in table.columns
            if column.name == "status" and column.allowed_values
        ]
        return sql.SQL("; ").join([*deletions, *updates])

    def _compose_deletion(self, table: sql.Identifier) -> sql.Composed:
        kept = [row for (row,) in self._conn.execute(LIST_ROWS.format(table=table))]
        return DELETE_NEW_ROWS.format(table=table, kept=sql.Literal(kept))

    def _delete_keys(self, pattern: str) -> None:
        for key in self._redis.keys(pattern):
            self._redis.delete(key)
