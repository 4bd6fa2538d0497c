"""Row-level security from the catalog of PostgreSQL, and the settings that a connection shows."""

from datetime import datetime
from typing import Final

from tenancy.rules.compliance import MAX_POLICIES, MAX_TABLES, RowPolicy, Setting, TableSecurity
from tenancy.stores.postgres.client import Database

POSTGRES: Final = "PostgreSQL"
# Each table of the platform that holds rows of organizations, as the isolation tests find them: tables, partitioned
# tables, materialized views and foreign tables.
LIST_TABLES: Final = """
    SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, ARRAY(
        SELECT jsonb_build_object(
            'name', left(p.polname, 100), 'is_permissive', p.polpermissive,
            'command', CASE p.polcmd
                WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL'
            END,
            'roles', ARRAY(
                SELECT CASE role WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(role)::text END
                FROM unnest(p.polroles) AS role ORDER BY 1 LIMIT %(policies)s
            )
        )
        FROM pg_policy AS p WHERE p.polrelid = c.oid ORDER BY p.polname LIMIT %(policies)s
    )
    FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f') AND EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND NOT a.attisdropped
          AND a.attname = CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'organization_id' END
    )
    ORDER BY c.relname LIMIT %(tables)s
"""
# pg_stat_ssl has the session as PostgreSQL sees it: behind a proxy, the session of the proxy.
FIND_CONNECTION: Final = """
    SELECT s.version, current_setting('archive_mode'), a.last_archived_time
    FROM pg_stat_archiver AS a LEFT JOIN pg_stat_ssl AS s ON s.pid = pg_backend_pid()
"""


def list_table_security(db: Database) -> list[TableSecurity]:
    """Return the row-level security of each table of tenants, as the catalog has it. No row of a tenant is read.

    Raises:
        UnavailableError: the database is unreachable.
    """
    values = {"tables": MAX_TABLES, "policies": MAX_POLICIES}
    rows = db.look_up(lambda conn: conn.execute(LIST_TABLES, values).fetchall())
    return [
        TableSecurity(
            table=table, is_enabled=is_enabled, is_forced=is_forced, policies=[RowPolicy(**each) for each in policies]
        )
        for table, is_enabled, is_forced, policies in rows
    ]


def find_connection_settings(db: Database) -> tuple[Setting, Setting]:
    """Return the settings that a connection shows: its encryption, and the archive of the write-ahead log.

    Raises:
        UnavailableError: the database is unreachable.
    """
    is_encrypted, (version, archive_mode, last_archived_at) = db.look_up(
        lambda conn: (bool(conn.pgconn.ssl_in_use), conn.execute(FIND_CONNECTION).fetchall()[0])
    )
    encryption = f"TLS. PostgreSQL's own end: {version or 'none'}." if is_encrypted else None
    absent = "This function's connection has no TLS."
    connection = Setting.of(POSTGRES, "encrypted connection", encryption, absent=absent)
    return connection, _archive(archive_mode, last_archived_at)


def _archive(archive_mode: str, last_archived_at: datetime | None) -> Setting:
    aspect = "archive of the write-ahead log"
    if archive_mode == "off":
        reason = "archive_mode is off. A connection does not show the backups of a managed service."
        return Setting.not_known(POSTGRES, aspect, reason)
    last = "no segment was archived yet" if last_archived_at is None else f"last segment at {last_archived_at:%FT%TZ}"
    return Setting.of(POSTGRES, aspect, f"archive_mode is {archive_mode}, {last}.")
