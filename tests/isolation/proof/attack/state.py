"""The state that calls change, put back so that every call meets the same deployment."""

from typing import Any

import psycopg
import redis

from tenancy.rules.organization import Status
from tenancy.use_cases.deletion.delete import DELETED
from tenancy.use_cases.outbox.effects import Kind
from tests.isolation.proof.discovery.tables import discover_tables

LIST_AUDIT_LOG = "SELECT id FROM audit_log"


class DeploymentState:
    """Puts rows, rate limits and statuses back.

    *conn* is the superuser's.
    """

    def __init__(self, conn: psycopg.Connection[Any], client: redis.Redis) -> None:
        self._conn = conn
        self._redis = client
        self._first_status = {
            table.name: column.allowed_values[0]
            for table in discover_tables(conn)
            for column in table.columns
            if column.name == "status" and column.allowed_values
        }
        self._kept_audit_entries: list[object] = []

    def reset_rate_limits(self) -> None:
        """Delete all rate limit keys: thousands of attempts must not end at a rate limit."""
        self._delete_keys("*:rate:*")

    def restore_rows(self) -> None:
        """Set each row to its table's first status, and delete audit entries that calls have added.

        A call that uses something up (a pending export, say) does not take it from the next one.
        """
        if not self._kept_audit_entries:
            self._kept_audit_entries = [entry for (entry,) in self._conn.execute(LIST_AUDIT_LOG)]
        self._conn.execute("DELETE FROM audit_log WHERE id <> ALL (%s)", (self._kept_audit_entries,))
        for table, status in self._first_status.items():
            self._conn.execute(f"UPDATE {table} SET status = %(s)s WHERE status <> %(s)s", {"s": status})

    def set_status(self, status: Status) -> None:
        """Give every organization *status*, with valid tokens and without a trace of a deletion."""
        self._conn.execute("UPDATE organizations SET status = %s, token_epoch = 0", (status,))
        self._conn.execute("DELETE FROM audit_log WHERE action = %s", (DELETED,))
        self._conn.execute("DELETE FROM outbox WHERE kind = %s", (Kind.DELETION_EXECUTION,))
        self._delete_keys("*:standing")

    def _delete_keys(self, pattern: str) -> None:
        for key in self._redis.keys(pattern):
            self._redis.delete(key)
