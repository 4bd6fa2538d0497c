"""Row-level security from the catalog of PostgreSQL, and the settings that a connection shows."""

from datetime import datetime
from typing import Final

from tenancy.rules.compliance import (
    MAX_EXPRESSION,
    MAX_POLICIES,
    MAX_ROLES,
    MAX_TABLES,
    TENANT_ROLE,
    RowPolicy,
    RowSecurity,
    Setting,
    TableSecurity,
)
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
            ),
            'using', left(pg_get_expr(p.polqual, p.polrelid), %(expression)s),
            'check', left(pg_get_expr(p.polwithcheck, p.polrelid), %(expression)s),
            'is_for_tenants', EXISTS (
                SELECT FROM unnest(p.polroles) AS role
                WHERE CASE role WHEN 0 THEN true ELSE pg_has_role(%(tenant_role)s, role, 'MEMBER') END
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
# The roles of functions come first, so that the limit hides none of them.
LIST_UNBOUND_ROLES: Final = """
    SELECT r.rolname::text FROM pg_roles AS r
    WHERE EXISTS (
        SELECT FROM pg_roles AS power
        WHERE (power.rolsuper OR power.rolbypassrls) AND pg_has_role(r.oid, power.oid, 'MEMBER')
    )
    ORDER BY starts_with(r.rolname::text, 'tenancy_') DESC, r.rolname LIMIT %s
"""
# pg_stat_ssl has the session as PostgreSQL sees it: behind a proxy, the session of the proxy.
FIND_CONNECTION: Final = """
    SELECT s.version, current_setting('archive_mode'), a.last_archived_time, a.last_failed_time
    FROM pg_stat_archiver AS a LEFT JOIN pg_stat_ssl AS s ON s.pid = pg_backend_pid()
"""


def read_row_security(db: Database) -> RowSecurity:
    """Return the row-level security of each table of tenants, as the catalog has it. No row of a tenant is read.

    Raises:
        UnavailableError: the database is unreachable.
    """
    values = {
        "tables": MAX_TABLES,
        "policies": MAX_POLICIES,
        "expression": MAX_EXPRESSION,
        "tenant_role": TENANT_ROLE,
    }
    rows = db.look_up(lambda conn: conn.execute(LIST_TABLES, values).fetchall())
    roles = db.look_up(lambda conn: conn.execute(LIST_UNBOUND_ROLES, (MAX_ROLES,)).fetchall())
    tables = [
        TableSecurity(
            table=table, is_enabled=is_enabled, is_forced=is_forced, policies=[RowPolicy(**each) for each in policies]
        )
        for table, is_enabled, is_forced, policies in rows
    ]
    return RowSecurity(tables=tables, unbound_roles=[role for (role,) in roles])


def find_connection_settings(db: Database) -> tuple[Setting, Setting]:
    """Return the settings that a connection shows: its encryption, and the archive of the write-ahead log.

    Raises:
        UnavailableError: the database is unreachable.
    """
    is_encrypted, (version, archive_mode, archived_at, failed_at) = db.look_up(
        lambda conn: (bool(conn.pgconn.ssl_in_use), conn.execute(FIND_CONNECTION).fetchall()[0])
    )
    encryption = f"TLS. PostgreSQL's own end: {version or 'none'}." if is_encrypted else None
    absent = "This function's connection has no TLS."
    connection = Setting.of(POSTGRES, "encrypted connection", encryption, absent=absent)
    return connection, archive_setting(archive_mode, archived_at=archived_at, failed_at=failed_at)


def archive_setting(mode: str, *, archived_at: datetime | None, failed_at: datetime | None) -> Setting:
    """Return the setting of the archive, with the times of its last segment and of its last failure."""
    aspect = "archive of the write-ahead log"
    if mode == "off":
        reason = "archive_mode is off. A connection does not show the backups of a managed service."
        return Setting.not_known(POSTGRES, aspect, reason)
    last = "no segment was archived yet" if archived_at is None else f"last segment at {archived_at:%FT%TZ}"
    if failed_at is not None and (archived_at is None or archived_at < failed_at):
        failure = f"archive_mode is {mode}, but the archive failed at {failed_at:%FT%TZ}, {last}."
        return Setting.of(POSTGRES, aspect, None, absent=failure)
    return Setting.of(POSTGRES, aspect, f"archive_mode is {mode}, {last}.")
