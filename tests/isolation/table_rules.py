"""Rules for tables and views in PostgreSQL.

Each rule returns the names of those that break it. A tenant table is any table with a column organization_id,
and organizations itself. The rules read the database's catalog, so that a new table is covered at once.
"""

from collections.abc import Callable
from typing import Any, Final, LiteralString

from tenancy.stores.postgres.client import Connection

type Rule = Callable[[Connection], list[str]]

# relkind: table, partitioned table, materialized view, foreign table. Views have their own rule.
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
LIST_WITHOUT_FORCED_RLS: Final = (
    TENANT_TABLES + "SELECT relname FROM tenant_tables WHERE NOT (relrowsecurity AND relforcerowsecurity)"
)
LIST_LOOSE_ORGANIZATION_COLUMNS: Final = (
    TENANT_TABLES + "SELECT relname FROM tenant_tables WHERE NOT attnotnull OR atttypid <> 'uuid'::regtype"
)
LIST_WITHOUT_INDEX: Final = (
    TENANT_TABLES
    + """
    SELECT relname FROM tenant_tables AS t WHERE NOT EXISTS (
        SELECT FROM pg_index AS i
        WHERE i.indrelid = t.oid AND i.indkey[0] = t.attnum AND i.indisvalid AND i.indpred IS NULL
    )
    """
)
# A policy applies to the functions' role by name, as PUBLIC (role 0), or through a membership.
LIST_UNEXPECTED_POLICIES: Final = (
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
LIST_WITHOUT_POLICY: Final = (
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
LIST_ACCESSIBLE_PLATFORM_TABLES: Final = """
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
# Foreign key checks bypass row-level security. So each key must contain both organization columns.
LIST_FOREIGN_KEYS_WITHOUT_ORGANIZATION: Final = (
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
LIST_WITHOUT_COMPOSITE_KEY: Final = (
    TENANT_TABLES
    + """
    SELECT relname FROM tenant_tables AS t WHERE NOT EXISTS (
        SELECT FROM pg_index AS i WHERE i.indrelid = t.oid AND i.indisprimary AND i.indkey[0] = t.attnum
    )
    """
)
# The columns that logical replication sends to identify a changed row. The default is the primary key.
LIST_REPLICA_IDENTITIES_WITHOUT_ORGANIZATION: Final = (
    TENANT_TABLES
    + """
    SELECT t.relname FROM tenant_tables AS t JOIN pg_class AS c ON c.oid = t.oid
    WHERE c.relreplident <> 'f' AND NOT EXISTS (
        SELECT FROM pg_index AS i
        WHERE i.indrelid = t.oid AND t.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
          AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
    )
    """
)
# Look-up tables of the platform. Only they may have values that are unique among all organizations.
LOOK_UP_TABLES: Final = (
    "catalogue_entries",
    "key_digests",
    "listed_custom_domains",
    "organization_names",
    "proven_email_domains",
    "provisioning_requests",
)
# The directory and the values of all databases, which statements that cross organizations must see.
OF_ALL_DATABASES: Final = ("catalogue_entries", "moved_organizations", "organization_homes", "provisioning_requests")
HOME: Final = (
    "(({0} = ( SELECT current_tenant() AS current_tenant)) OR (NOT (EXISTS ( SELECT\n"
    "   FROM moved_organizations m\n"
    "  WHERE (m.organization_id = {1}.{0})))))"
)
# Tables in which the platform or a look-up sees rows of several organizations, also of one that a move has taken away.
LIST_WITHOUT_HOME: Final = (
    TENANT_TABLES
    + """
    SELECT relname FROM tenant_tables AS t WHERE t.relname <> ALL (%(of_all_databases)s) AND EXISTS (
        SELECT FROM pg_policy AS p CROSS JOIN unnest(p.polroles) AS role
        WHERE p.polrelid = t.oid AND p.polpermissive
          AND pg_get_expr(p.polqual, t.oid)
              IS DISTINCT FROM format('(%%I = ( SELECT current_tenant() AS current_tenant))', t.attname)
          AND (role = 0 OR pg_has_role('tenancy_platform', role, 'MEMBER')
               OR pg_has_role('tenancy_lookup', role, 'MEMBER'))
    ) AND NOT EXISTS (
        SELECT FROM pg_policy AS p
        WHERE p.polrelid = t.oid AND NOT p.polpermissive AND p.polcmd = '*' AND p.polwithcheck IS NULL
          AND p.polroles @> ARRAY['tenancy_platform', 'tenancy_lookup']::regrole[]::oid[]
          AND pg_get_expr(p.polqual, t.oid)
              = replace(replace(%(home)s, '{0}', t.attname), '{1}', t.relname)
    )
    """
)
# Functions of the release before name these indexes' columns in ON CONFLICT.
KEPT_FOR_ONE_RELEASE: Final = ("audit_log_id_key", "audit_refusals_id_key")
LIST_UNIQUE_AMONG_ORGANIZATIONS: Final = (
    TENANT_TABLES
    + """
    SELECT i.indexrelid::regclass::text FROM tenant_tables AS t JOIN pg_index AS i ON i.indrelid = t.oid
    WHERE (i.indisunique OR i.indisexclusion) AND t.attnum <> ALL (i.indkey[0:i.indnkeyatts - 1])
      AND t.relname <> ALL (%(look_up_tables)s) AND i.indexrelid::regclass::text <> ALL (%(kept)s)
    """
)
LIST_EXPOSED_LOOK_UPS: Final = """
    WITH look_ups AS (SELECT * FROM pg_class WHERE relname = ANY (%(look_up_tables)s)),
    rights AS (
        SELECT c.relname, g.grantee AS role FROM look_ups AS c CROSS JOIN aclexplode(c.relacl) AS g
        WHERE g.grantee <> c.relowner
        UNION
        SELECT c.relname, g.grantee FROM look_ups AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
        CROSS JOIN aclexplode(a.attacl) AS g
        UNION
        SELECT c.relname, unnest(p.polroles) FROM look_ups AS c JOIN pg_policy AS p ON p.polrelid = c.oid
    )
    SELECT relname || ': ' || CASE role WHEN 0 THEN 'PUBLIC' ELSE role::regrole::text END FROM rights
    WHERE role = 0 OR role::regrole::text NOT IN ('tenancy_platform', 'tenancy_lookup')
"""
LIST_VIEWS_WITH_OWNER_RIGHTS: Final = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
       AND 'security_invoker=true' <> ALL (coalesce(reloptions, '{}'))
"""


def tables_without_forced_rls(conn: Connection) -> list[str]:
    """Return tenant tables without enabled and forced row-level security."""
    return _names(conn, LIST_WITHOUT_FORCED_RLS)


def loose_organization_columns(conn: Connection) -> list[str]:
    """Return tenant tables whose organization column is nullable or not a uuid."""
    return _names(conn, LIST_LOOSE_ORGANIZATION_COLUMNS)


def tables_without_index(conn: Connection) -> list[str]:
    """Return tenant tables without a complete index that starts with the organization."""
    return _names(conn, LIST_WITHOUT_INDEX)


def unexpected_policies(conn: Connection) -> list[str]:
    """Return policies that grant the functions' role more than the rows of the tenant."""
    return _names(conn, LIST_UNEXPECTED_POLICIES)


def tables_without_policy(conn: Connection) -> list[str]:
    """Return tenant tables with a grant to the functions' role and without a policy for it."""
    return _names(conn, LIST_WITHOUT_POLICY)


def accessible_platform_tables(conn: Connection) -> list[str]:
    """Return tables and sequences of the platform that the functions' role can access."""
    return _names(conn, LIST_ACCESSIBLE_PLATFORM_TABLES)


def foreign_keys_without_organization(conn: Connection) -> list[str]:
    """Return foreign keys to tenant tables that do not compare the organizations of both rows."""
    return _names(conn, LIST_FOREIGN_KEYS_WITHOUT_ORGANIZATION)


def tables_without_composite_key(conn: Connection) -> list[str]:
    """Return tenant tables whose primary key does not begin with the organization."""
    return _names(conn, LIST_WITHOUT_COMPOSITE_KEY)


def replica_identities_without_organization(conn: Connection) -> list[str]:
    """Return tenant tables whose replica identity does not contain the organization."""
    return _names(conn, LIST_REPLICA_IDENTITIES_WITHOUT_ORGANIZATION)


def unique_among_organizations(conn: Connection) -> list[str]:
    """Return indexes outside the look-up tables that compare rows of two organizations."""
    values = {"look_up_tables": list(LOOK_UP_TABLES), "kept": list(KEPT_FOR_ONE_RELEASE)}
    return _names(conn, LIST_UNIQUE_AMONG_ORGANIZATIONS, values)


def tables_without_home(conn: Connection) -> list[str]:
    """Return tables whose rows the platform or a look-up sees in a database that is not their organization's."""
    return _names(conn, LIST_WITHOUT_HOME, {"of_all_databases": list(OF_ALL_DATABASES), "home": HOME})


def exposed_look_ups(conn: Connection) -> list[str]:
    """Return roles with rights on look-up tables that only the platform and look-ups may read."""
    return _names(conn, LIST_EXPOSED_LOOK_UPS, {"look_up_tables": list(LOOK_UP_TABLES)})


def views_with_owner_rights(conn: Connection) -> list[str]:
    """Return views that read with their owner's rights instead of the caller's."""
    return _names(conn, LIST_VIEWS_WITH_OWNER_RIGHTS)


def tenant_tables(conn: Connection) -> list[str]:
    """Return the tables that the rules apply to."""
    return _names(conn, LIST_TENANT_TABLES)


def _names(conn: Connection, statement: LiteralString, values: dict[str, Any] | None = None) -> list[str]:
    return sorted(name for (name,) in conn.execute(statement, values))
