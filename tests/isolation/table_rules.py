"""What every table, view, function and role has to keep to in PostgreSQL: each rule returns those that do not.

A tenant's table is one with the column organization_id, of whatever kind and name, and organizations itself. What the
rules find, they find in the catalog of the database that they are asked about; nothing is listed by hand.
"""

from collections.abc import Callable
from typing import Final, LiteralString

from tenancy.stores.postgres.client import Connection

type Rule = Callable[[Connection], list[str]]

# relkind: table, partitioned table, materialized view, foreign table; views have a rule of their own.
TENANT_TABLES: Final = """
    WITH tenant_tables AS (
        SELECT c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, a.attnum, a.attname, a.attnotnull,
               a.atttypid
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND NOT a.attisdropped
         AND a.attname = CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'organization_id' END
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'f')
    )
"""
LIST_TENANT_TABLES: Final = TENANT_TABLES + "SELECT relname FROM tenant_tables"
LIST_UNFORCED: Final = (
    TENANT_TABLES + "SELECT relname FROM tenant_tables WHERE NOT (relrowsecurity AND relforcerowsecurity)"
)
LIST_LOOSE_COLUMNS: Final = (
    TENANT_TABLES + "SELECT relname FROM tenant_tables WHERE NOT attnotnull OR atttypid <> 'uuid'::regtype"
)
LIST_UNINDEXED: Final = (
    TENANT_TABLES
    + """
    SELECT relname FROM tenant_tables AS t WHERE NOT EXISTS (
        SELECT FROM pg_index AS i
        WHERE i.indrelid = t.oid AND i.indkey[0] = t.attnum AND i.indisvalid AND i.indpred IS NULL
    )
    """
)
# A policy binds the functions' role by its name, as PUBLIC (role 0), or through a role that it is a member of.
LIST_OTHER_POLICIES: Final = (
    TENANT_TABLES
    + """
    SELECT t.relname || '.' || p.polname FROM tenant_tables AS t JOIN pg_policy AS p ON p.polrelid = t.oid
    WHERE p.polpermissive
      AND EXISTS (
          SELECT FROM unnest(p.polroles) AS role
          WHERE role = 0 OR pg_has_role('tenancy_functions', role, 'MEMBER')
      )
      AND (p.polcmd, pg_get_expr(p.polqual, t.oid), pg_get_expr(p.polwithcheck, t.oid)) IS DISTINCT FROM (
          '*', format('(%I = ( SELECT current_tenant() AS current_tenant))', t.attname),
          format('(%I = ( SELECT current_tenant() AS current_tenant))', t.attname)
      )
    """
)
LIST_UNPOLICED: Final = (
    TENANT_TABLES
    + """
    SELECT relname FROM tenant_tables AS t
    WHERE (has_table_privilege('tenancy_functions', t.oid, 'SELECT, INSERT, UPDATE, DELETE')
           OR has_any_column_privilege('tenancy_functions', t.oid, 'SELECT, INSERT, UPDATE'))
      AND NOT EXISTS (
          SELECT FROM pg_policy AS p
          WHERE p.polrelid = t.oid AND p.polpermissive AND 'tenancy_functions'::regrole::oid = ANY (p.polroles)
      )
    """
)
LIST_REACHABLE: Final = """
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname <> 'organizations'
      AND NOT EXISTS (
          SELECT FROM pg_attribute AS a
          WHERE a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped
      )
      AND CASE
          WHEN c.relkind = 'S' THEN has_sequence_privilege('tenancy_functions', c.oid, 'USAGE, SELECT, UPDATE')
          WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f') THEN
              has_table_privilege(
                  'tenancy_functions', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'
              ) OR has_any_column_privilege('tenancy_functions', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
      END
"""
# Checks of foreign keys bypass row-level security: the organization has to be in the key, beside the other's.
LIST_LOOSE_KEYS: Final = (
    TENANT_TABLES
    + """
    SELECT k.conname FROM pg_constraint AS k JOIN tenant_tables AS t ON t.oid = k.confrelid
    WHERE k.contype = 'f' AND NOT EXISTS (
        SELECT FROM unnest(k.conkey, k.confkey) AS pair (here, there) JOIN pg_attribute AS a
          ON a.attrelid = k.conrelid AND a.attnum = pair.here AND a.attname = 'organization_id'
        WHERE pair.there = t.attnum
    )
    """
)
LIST_OWNERS_VIEWS: Final = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
       AND 'security_invoker=true' <> ALL (coalesce(reloptions, '{}'))
"""


def unforced_tables(conn: Connection) -> list[str]:
    """Return tenants' tables without ENABLE and FORCE; no materialized view or foreign table can have them."""
    return _names(conn, LIST_UNFORCED)


def loose_columns(conn: Connection) -> list[str]:
    """Return tenants' tables whose organization may be NULL, or is no uuid."""
    return _names(conn, LIST_LOOSE_COLUMNS)


def unindexed_tables(conn: Connection) -> list[str]:
    """Return tenants' tables without an index over all rows that starts with the organization."""
    return _names(conn, LIST_UNINDEXED)


def other_policies(conn: Connection) -> list[str]:
    """Return policies that show the functions' role rows, or let it write some, by another than the one condition."""
    return _names(conn, LIST_OTHER_POLICIES)


def unpoliced_tables(conn: Connection) -> list[str]:
    """Return tenants' tables that the functions' role was granted something on, and that have no policy for it."""
    return _names(conn, LIST_UNPOLICED)


def reachable_tables(conn: Connection) -> list[str]:
    """Return tables, views and sequences without an organization on which the functions' role may do anything."""
    return _names(conn, LIST_REACHABLE)


def loose_foreign_keys(conn: Connection) -> list[str]:
    """Return foreign keys to a tenant's table that do not tie the organization of one row to that of the other."""
    return _names(conn, LIST_LOOSE_KEYS)


def owners_views(conn: Connection) -> list[str]:
    """Return views that read with their owner's rights instead of the caller's."""
    return _names(conn, LIST_OWNERS_VIEWS)


def tenant_tables(conn: Connection) -> list[str]:
    """Return the tables that the rules are about."""
    return _names(conn, LIST_TENANT_TABLES)


def _names(conn: Connection, statement: LiteralString) -> list[str]:
    return sorted(name for (name,) in conn.execute(statement))
