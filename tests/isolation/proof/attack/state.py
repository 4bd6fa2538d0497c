"""The state that calls change, put back so that every call meets the same deployment."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import redis
from psycopg import sql

from tenancy.rules.organization import OrganizationStatus
from tenancy.rules.people.member import MemberStatus
from tenancy.use_cases.deletion.delete import DELETED
from tenancy.use_cases.outbox.run_entries import OutboxKind
from tests.isolation.proof.discovery.tables import discover_tables

# Tables that a list shows and to which calls add rows.
GROWING_TABLES = ("audit_log", "erasures", "exports")
# Tables whose rows calls add, end or remove. A key refers to its app, so keys are deleted first.
MANAGED_TABLES = ("api_keys", "apps")
GROWING_KEYS = (*MANAGED_TABLES, "platform_keys")
PEOPLE_TABLES = ("one_time_tokens", "users")  # referring tables first
LIST_ENDS = """
    SELECT coalesce(jsonb_agg(to_jsonb(k)), '[]')
    FROM (SELECT id, expires_at, revoked_at, replaced_by FROM {table}) AS k
"""
RESTORE_ENDS = sql.SQL("""
    UPDATE {table} AS k SET expires_at = e.expires_at, revoked_at = e.revoked_at, replaced_by = e.replaced_by
    FROM jsonb_to_recordset({ends}) AS e (id uuid, expires_at timestamptz, revoked_at timestamptz, replaced_by uuid)
    WHERE k.id = e.id AND {owner}
      AND (k.expires_at, k.revoked_at, k.replaced_by) IS DISTINCT FROM (e.expires_at, e.revoked_at, e.replaced_by)
""")
# Calls claim e-mail domains, and remove them.
LIST_DOMAINS = "SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]'), coalesce(array_agg(id), '{}') FROM email_domains AS d"
RESTORE_DOMAINS = sql.SQL("""
    DELETE FROM email_domains WHERE id <> ALL ({kept}::uuid[]) AND {owner};
    INSERT INTO email_domains SELECT * FROM jsonb_populate_recordset(NULL::email_domains, {rows}) WHERE {owner}
    ON CONFLICT DO NOTHING
""")
# Calls claim custom domains, verify and remove them. So whole rows are put back.
LIST_CUSTOM_DOMAINS = "SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]') FROM custom_domains AS d"
RESTORE_CUSTOM_DOMAINS = sql.SQL("""
    DELETE FROM custom_domains WHERE {owner};
    INSERT INTO custom_domains SELECT * FROM jsonb_populate_recordset(NULL::custom_domains, {rows}) WHERE {owner}
""")
RESTORE_APPS = sql.SQL("UPDATE apps SET status = 'active' WHERE status <> 'active' AND {owner}")
OWNED = sql.SQL("organization_id = {owner}")
ANY_OWNER = sql.SQL("true")
LIST_ROWS = sql.SQL("SELECT id FROM {table}")
DELETE_NEW_ROWS = sql.SQL("DELETE FROM {table} WHERE id <> ALL ({kept}::uuid[])")
SET_ROW_STATUS = sql.SQL("""
    UPDATE {table} SET status = {status} WHERE status <> {status} AND id <> ALL ({others}::uuid[])
""")
LIST_OTHER_STATUSES = sql.SQL("SELECT status, array_agg(id) FROM {table} WHERE status <> {status} GROUP BY status")
SET_OTHER_STATUS = sql.SQL("UPDATE {table} SET status = {status} WHERE status <> {status} AND id = ANY ({ids}::uuid[])")
LIST_SESSIONS = "SELECT id FROM sessions"
LIST_TOKENS = "SELECT digest FROM refresh_tokens"
RESTORE_SESSIONS = sql.SQL("""
    DELETE FROM refresh_tokens WHERE digest <> ALL ({digests}::bytea[]);
    DELETE FROM sessions WHERE id <> ALL ({sessions}::uuid[]);
    UPDATE refresh_tokens SET used_at = NULL, successor = NULL WHERE used_at IS NOT NULL;
    UPDATE sessions SET ended_at = NULL, expires_at = created_at + interval '30 days', refreshed_at = created_at,
        refreshes = 0
    WHERE ended_at IS NOT NULL OR refreshed_at <> created_at;
    UPDATE users SET token_epoch = 0 WHERE token_epoch <> 0;
    DELETE FROM one_time_tokens WHERE id <> ALL ({one_time_tokens}::uuid[]);
    UPDATE one_time_tokens AS t SET digest = k.digest, expires_at = k.expires_at
    FROM unnest({one_time_tokens}::uuid[], {one_time_digests}::bytea[], {one_time_ends}::timestamptz[])
        AS k (id, digest, expires_at)
    WHERE t.id = k.id AND (t.digest, t.expires_at) IS DISTINCT FROM (k.digest, k.expires_at);
    UPDATE users SET status = 'invited' WHERE id = ANY ({invited}::uuid[]) AND status = 'active'
""")
SSO_TABLES = ("sso_log_ins", "sso_assertions", "sso_connections")
CONNECT_SAML = "UPDATE sso_connections SET type = 'saml'"
LIST_WHOLE_ROWS = "SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]')::text FROM {} AS t"
RESTORE_WHOLE_ROWS = sql.SQL("""
    DELETE FROM {table};
    INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, {rows}::jsonb)
""")
READ_LOG_END = "SELECT pg_current_wal_insert_lsn()"
STANDING = ":standing"  # ends the name of a key of Redis
LIST_ONE_TIME_TOKENS = "SELECT id, digest, expires_at FROM one_time_tokens"
LIST_INVITED = "SELECT id FROM users WHERE status = 'invited'"
SET_ORGANIZATION_STATUS = sql.SQL("""
    UPDATE organizations SET status = {status}, token_epoch = 0;
    DELETE FROM audit_log WHERE action = {action};
    DELETE FROM outbox WHERE kind = {kind}
""")


class DeploymentState:
    """Puts rows, rate limits and statuses back.

    *conn* is the superuser's. Statements are kept as bytes, because to compose one takes longer than to run it.
    """

    def __init__(self, conn: psycopg.Connection[Any], client: redis.Redis) -> None:
        self._conn = conn
        self._redis = client
        self._restoration: bytes | None = None
        self._ends: dict[str, str] | None = None
        self._kept: dict[str, sql.Composed] = {}
        self._domains: dict[str, sql.Literal] = {}
        self._custom_domains = sql.Literal("[]")
        self._managed: dict[UUID | None, bytes] = {}
        self._members: list[sql.Composed] = []
        self._restored_sessions: bytes | None = None
        self._restored_sso: bytes | None = None
        self._log_ends: dict[bytes, str] = {}  # of PostgreSQL, after a restoration by its statements
        self.deleted_keys: set[tuple[str, str]] = set()  # keys of Redis that the proof deletes, with their value

    def reset_rate_limits(self) -> None:
        """Delete all rate limit keys and counts of log-ins, so that no call ends at a limit."""
        self._delete_keys(":rate:", ":logins:")

    def restore_sessions(self, *, has_revoked: bool) -> None:
        """Restore the first tokens of all sessions, and delete sessions that calls have started.

        *has_revoked* tells that access tokens were revoked, which Redis would remember.
        """
        if self._restored_sessions is None:
            self._restored_sessions = self._compose_restored_sessions().as_bytes(self._conn)
        self._restore(self._restored_sessions)
        if has_revoked:
            self._delete_keys(STANDING)

    def _compose_restored_sessions(self) -> sql.Composed:
        """Return the statements that keep the sessions and tokens of now."""
        kept = {
            "sessions": sql.Literal([row for (row,) in self._conn.execute(LIST_SESSIONS)]),
            "digests": sql.Literal([row for (row,) in self._conn.execute(LIST_TOKENS)]),
        }
        ids, digests, ends = zip(*self._conn.execute(LIST_ONE_TIME_TOKENS), strict=True)
        kept |= {
            "one_time_tokens": sql.Literal(list(ids)),
            "one_time_digests": sql.Literal(list(digests)),
            "one_time_ends": sql.Literal(list(ends)),
            "invited": sql.Literal([row for (row,) in self._conn.execute(LIST_INVITED)]),
        }
        return RESTORE_SESSIONS.format(**kept)

    def restore_sso(self) -> None:
        """Put connections and log-ins back, as they were before the first call of single sign-on.

        *restore_rows* ran before that call, and keeps them.
        """
        self._restore(self._keep_sso())

    def connect_saml(self) -> None:
        """Make the connections such to a SAML provider, whose columns their rows have, until they are put back."""
        self._keep_sso()
        self._conn.execute(CONNECT_SAML)

    def _keep_sso(self) -> bytes:
        if self._restored_sso is None:
            kept = {
                table: sql.Literal(self._conn.execute(LIST_WHOLE_ROWS.format(table).encode()).fetchall()[0][0])
                for table in SSO_TABLES
            }
            restored = [
                RESTORE_WHOLE_ROWS.format(table=sql.Identifier(table), rows=rows) for table, rows in kept.items()
            ]
            self._restored_sso = sql.SQL("; ").join(restored).as_bytes(self._conn)
        return self._restored_sso

    def restore_rows(self) -> None:
        """Set each row to its first status, and delete rows that calls have added to lists.

        A call that uses something up (a pending export, say) does not take it from the next one.
        """
        self._keep_sso()
        if self._restoration is None:
            self._restoration = self._compose_restoration().as_bytes(self._conn)
        self._restore(self._restoration)

    def restore_keys(self, owner: UUID | None) -> None:
        """Restore the apps, keys and members of *owner*, or of all if it is None.

        Rows of other organizations stay as calls left them, so that a changed one is found.
        """
        if owner not in self._managed:
            self._managed[owner] = self._compose_keys(owner).as_bytes(self._conn)
        self._restore(self._managed[owner])

    def set_status(self, status: OrganizationStatus) -> None:
        """Give every organization *status*, with valid tokens and without a trace of a deletion."""
        values = {"status": status.value, "action": DELETED, "kind": OutboxKind.DELETION_EXECUTION.value}
        literals = {name: sql.Literal(value) for name, value in values.items()}
        self._conn.execute(SET_ORGANIZATION_STATUS.format(**literals))
        self._delete_keys(STANDING)

    def _restore(self, statements: bytes) -> None:
        """Run *statements*, unless nothing was written since they ran: most calls are refused, and write nothing."""
        if self._log_ends.get(statements) == self._log_end():
            return
        self._conn.execute(statements)
        self._log_ends[statements] = self._log_end()

    def _log_end(self) -> str:
        """Return the end of PostgreSQL's write-ahead log, which grows with each change of a row."""
        [(end,)] = self._conn.execute(READ_LOG_END).fetchall()
        return str(end)

    def _compose_restoration(self) -> sql.Composed:
        """Return all statements as one, because it runs before each of thousands of requests."""
        deletions = [self._compose_deletion(sql.Identifier(table)) for table in GROWING_TABLES]
        updates = [
            update
            for table in discover_tables(self._conn)
            for column in table.columns
            if column.name == "status" and column.allowed_values
            for update in self._compose_updates(sql.Identifier(table.name), column.allowed_values[0])
        ]
        return sql.SQL("; ").join([*deletions, *updates, self._compose_keys(None)])

    def _compose_keys(self, owner: UUID | None) -> sql.Composed:
        """Compose the restoration.

        The first call of this process comes before a call changes a key.
        """
        if self._ends is None:
            self._ends = {table: self._list_ends(table) for table in ("api_keys", "platform_keys")}
            [(rows, kept)] = self._conn.execute(LIST_DOMAINS).fetchall()
            self._domains = {"rows": sql.Literal(json.dumps(rows)), "kept": sql.Literal(kept)}
            [(custom,)] = self._conn.execute(LIST_CUSTOM_DOMAINS).fetchall()
            self._custom_domains = sql.Literal(json.dumps(custom))
            grown = (*GROWING_KEYS, *PEOPLE_TABLES)
            self._kept = {table: self._compose_deletion(sql.Identifier(table)) for table in grown}
            self._members = [*self._compose_updates(sql.Identifier("users"), MemberStatus.ACTIVE)]
        condition = ANY_OWNER if owner is None else OWNED.format(owner=sql.Literal(owner))
        tables = GROWING_KEYS if owner is None else MANAGED_TABLES
        restored = [
            RESTORE_ENDS.format(table=sql.Identifier(table), ends=sql.Literal(self._ends[table]), owner=condition)
            for table in tables
            if table != "apps"
        ]
        deleted = [self._kept[table] for table in (*tables, *PEOPLE_TABLES)]
        owned = [statement + sql.SQL(" AND ") + condition for statement in (*deleted, *self._members)]
        domains = RESTORE_DOMAINS.format(**self._domains, owner=condition)
        custom = RESTORE_CUSTOM_DOMAINS.format(rows=self._custom_domains, owner=condition)
        return sql.SQL("; ").join([*owned, *restored, domains, custom, RESTORE_APPS.format(owner=condition)])

    def _list_ends(self, table: str) -> str:
        [(ends,)] = self._conn.execute(LIST_ENDS.format(table=table).encode()).fetchall()
        return json.dumps(ends)

    def _compose_updates(self, table: sql.Identifier, first: str) -> Iterator[sql.Composed]:
        """Yield the statements that set the rows of *table* to their present status.

        Most rows have the status *first*.
        """
        status = sql.Literal(first)
        others = self._conn.execute(LIST_OTHER_STATUSES.format(table=table, status=status)).fetchall()
        ids = [row for _, rows in others for row in rows]
        yield SET_ROW_STATUS.format(table=table, status=status, others=sql.Literal(ids))
        for other, rows in others:
            yield SET_OTHER_STATUS.format(table=table, status=sql.Literal(other), ids=sql.Literal(rows))

    def _compose_deletion(self, table: sql.Identifier) -> sql.Composed:
        kept = [row for (row,) in self._conn.execute(LIST_ROWS.format(table=table))]
        return DELETE_NEW_ROWS.format(table=table, kept=sql.Literal(kept))

    def _delete_keys(self, *parts: str) -> None:
        """Delete the keys with one of *parts* in their name."""
        found = [key for key in self._redis.keys("*") if any(part.encode() in key for part in parts)]
        with self._redis.pipeline(transaction=False) as calls:
            for key in found:
                calls.hgetall(key)
                calls.delete(key)
            values = calls.execute()[::2]
        self.deleted_keys |= {(f"Redis {parts}", f"{key!r} {value}") for key, value in zip(found, values, strict=True)}
