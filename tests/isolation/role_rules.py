"""Rules for roles, grants and definer functions in PostgreSQL.

Each rule returns the names of those that break it.
"""

from typing import Final, LiteralString

from tenancy.stores.postgres.client import Connection

LIST_UNSAFE_DEFINERS: Final = """
    SELECT p.proname FROM pg_proc AS p
    WHERE p.prosecdef AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
      AND (
          pg_get_userbyid(p.proowner) = 'tenancy_lookup'
          AND p.proconfig = '{"search_path=pg_catalog, pg_temp"}'
          AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'sql')
      ) IS NOT TRUE
"""
# Name and type of each output column; of functions without named output columns the return type.
LIST_DEFINER_COLUMNS: Final = """
    SELECT p.proname, coalesce(answer.name, p.proname), coalesce(answer.type, p.prorettype)::regtype::text
    FROM pg_proc AS p LEFT JOIN LATERAL (
        SELECT a.name, a.type FROM unnest(p.proallargtypes, p.proargnames, p.proargmodes) AS a (type, name, mode)
        WHERE a.mode IN ('o', 'b', 't')
    ) AS answer ON true
    WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
"""
LIST_PUBLIC_FUNCTIONS: Final = """
    SELECT p.proname FROM pg_proc AS p
    WHERE p.pronamespace = 'public'::regnamespace AND EXISTS (
        SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS g WHERE g.grantee = 0
    )
"""
# The look-up role may read single columns only, none of them personal or secret.
LIST_EXCESS_LOOKUP_GRANTS: Final = """
    SELECT c.relname || ': ' || g.privilege_type FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS g
    WHERE g.grantee = 'tenancy_lookup'::regrole
    UNION ALL
    SELECT c.relname || '.' || a.attname || ': ' || g.privilege_type
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid CROSS JOIN aclexplode(a.attacl) AS g
    WHERE g.grantee = 'tenancy_lookup'::regrole
      AND (g.privilege_type <> 'SELECT' OR a.attname IN ('name', 'email', 'password_hash'))
"""
LIST_EXCESS_GRANTS: Final = """
    SELECT c.relname || ': ' || g.grantee::regrole || ' ' || g.privilege_type
    FROM pg_class AS c CROSS JOIN LATERAL (
        SELECT * FROM aclexplode(c.relacl)
        UNION ALL
        SELECT (aclexplode(a.attacl)).* FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL
    ) AS g
    WHERE c.relnamespace = 'public'::regnamespace AND g.grantee <> c.relowner
      AND (g.grantee = 0 OR g.is_grantable OR g.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))
"""
LIST_OVERPRIVILEGED_ROLES: Final = """
    SELECT rolname FROM pg_roles
    WHERE rolname ~ '^tenancy_(functions|platform|authorizer|lookup)(_clone)?$'
      AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication
           OR rolcanlogin = (rolname = 'tenancy_lookup'))
    UNION ALL
    SELECT 'tenancy_owner' FROM pg_roles WHERE rolname = 'tenancy_owner' AND (rolsuper OR rolbypassrls)
    UNION ALL
    SELECT member::regrole || ' in ' || roleid::regrole FROM pg_auth_members
    WHERE member::regrole::text IN ('tenancy_functions', 'tenancy_platform', 'tenancy_authorizer', 'tenancy_lookup')
    UNION ALL
    SELECT member::regrole || ' in ' || roleid::regrole FROM pg_auth_members
    WHERE (member::regrole::text ~ '_clone$' OR roleid::regrole::text ~ '^tenancy_(functions|platform|authorizer)')
      AND member::regrole::text <> 'tenancy_owner'
      AND NOT (member::regrole::text = roleid::regrole || '_clone'
               AND inherit_option AND NOT set_option AND NOT admin_option)
      AND member::regrole::text NOT IN (
          'tenancy_functions', 'tenancy_platform', 'tenancy_authorizer', 'tenancy_lookup'
      )
"""
# The role of moves is the one role that bypasses policies. Outside of a move it may not log in, and has no right.
LIST_BYPASSING_ROLES: Final = """
    SELECT rolname FROM pg_roles
    WHERE (rolbypassrls OR rolreplication) AND NOT rolsuper AND rolname <> 'tenancy_mover'
"""
LIST_MOVER_POWERS: Final = """
    SELECT 'an attribute' FROM pg_roles
    WHERE rolname = 'tenancy_mover' AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb)
    UNION ALL
    SELECT m.member::regrole || ' in ' || m.roleid::regrole FROM pg_auth_members AS m
    WHERE 'tenancy_mover' IN (m.member::regrole::text, m.roleid::regrole::text)
      AND m.roleid::regrole::text NOT IN ('pg_create_subscription', 'rds_replication')
    UNION ALL
    SELECT 'a right on ' || pg_describe_object(d.classid, d.objid, d.objsubid)
    FROM pg_shdepend AS d JOIN pg_roles AS r ON r.oid = d.refobjid AND r.rolname = 'tenancy_mover'
    WHERE d.refclassid = 'pg_authid'::regclass AND d.classid <> 'pg_auth_members'::regclass
      AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
LIST_CLONES: Final = """
    SELECT member::regrole::text FROM pg_auth_members
    WHERE roleid::regrole::text IN ('tenancy_functions', 'tenancy_platform', 'tenancy_authorizer')
      AND member::regrole::text <> 'tenancy_owner'
"""
# The look-up role, which cannot log in, may own functions. The other roles may own nothing.
LIST_OWNING_ROLES: Final = """
    SELECT d.refobjid::regrole || ': ' || pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_shdepend AS d
    WHERE d.deptype = 'o' AND d.refclassid = 'pg_authid'::regclass
      AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND d.refobjid::regrole::text ~ '^tenancy_(functions|platform|authorizer|lookup)(_clone)?$'
      AND NOT (d.refobjid::regrole::text = 'tenancy_lookup' AND d.classid = 'pg_proc'::regclass)
"""
LIST_CREATING_ROLES: Final = """
    SELECT r.rolname || ': CREATE in ' || n.nspname FROM pg_roles AS r CROSS JOIN pg_namespace AS n
    WHERE r.rolname ~ '^tenancy_(functions|platform|authorizer|lookup)(_clone)?$'
      AND has_schema_privilege(r.oid, n.oid, 'CREATE')
    UNION ALL
    SELECT r.rolname || ': CREATE or TEMPORARY in the database' FROM pg_roles AS r
    WHERE r.rolname ~ '^tenancy_(functions|platform|authorizer|lookup)(_clone)?$'
      AND has_database_privilege(r.oid, current_database(), 'CREATE, TEMPORARY')
"""
# The authorizer's role executes functions alone. Any table, column or sequence would show it more than one caller.
LIST_AUTHORIZER_GRANTS: Final = """
    SELECT c.relname || ': ' || g.privilege_type FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS g
    WHERE g.grantee = 'tenancy_authorizer'::regrole
    UNION ALL
    SELECT c.relname || '.' || a.attname || ': ' || g.privilege_type
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid CROSS JOIN aclexplode(a.attacl) AS g
    WHERE g.grantee = 'tenancy_authorizer'::regrole
"""
LIST_CLONE_GRANTS: Final = """
    SELECT refobjid::regrole || ': ' || pg_describe_object(classid, objid, objsubid) FROM pg_shdepend
    WHERE deptype = 'a' AND refclassid = 'pg_authid'::regclass AND refobjid::regrole::text ~ '_clone$'
      AND classid <> 'pg_auth_members'::regclass
"""
LIST_DEFINER_CALLERS: Final = """
    SELECT p.proname, coalesce(
        array_agg(g.grantee::regrole::text ORDER BY g.grantee::regrole::text) FILTER (WHERE g.grantee <> p.proowner),
        '{}'
    )
    FROM pg_proc AS p LEFT JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS g ON true
    WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
    GROUP BY p.oid, p.proname
"""
# Without an entry PostgreSQL's default applies: PUBLIC may execute functions and use types.
LIST_DEFAULT_PUBLIC_GRANTS: Final = """
    SELECT kind.name FROM (
        VALUES ('r', 'r', 'tables'), ('S', 's', 'sequences'), ('f', 'f', 'functions'), ('T', 'T', 'types'),
               ('n', 'n', 'schemas')
    ) AS kind (entry, builtin, name)
    CROSS JOIN (
        SELECT DISTINCT relowner FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    ) AS owner (id)
    WHERE EXISTS (
        SELECT FROM aclexplode(coalesce(
            (SELECT defaclacl FROM pg_default_acl
             WHERE defaclrole = owner.id AND defaclnamespace = 0 AND defaclobjtype = kind.entry::"char"),
            acldefault(kind.builtin::"char", owner.id)
        )) AS g WHERE g.grantee = 0
    )
    UNION
    SELECT 'in ' || defaclnamespace::regnamespace FROM pg_default_acl CROSS JOIN aclexplode(defaclacl) AS g
    WHERE defaclnamespace <> 0 AND g.grantee = 0
"""


def unsafe_definers(conn: Connection) -> list[str]:
    """Return SECURITY DEFINER functions without the owner, search path and language of look-ups."""
    return _names(conn, LIST_UNSAFE_DEFINERS)


def definer_columns(conn: Connection) -> list[tuple[str, str, str]]:
    """Return function, name and type of each column that SECURITY DEFINER functions return."""
    return [(function, column, kind) for function, column, kind in conn.execute(LIST_DEFINER_COLUMNS)]


def revealing_definers(conn: Connection) -> list[str]:
    """Return SECURITY DEFINER functions that return names, addresses, digests or whole rows."""
    plain_types = {"uuid", "text", "text[]", "timestamp with time zone", "bigint"}
    secret_columns = {"name", "email", "password_hash", "digest"}
    return sorted(
        {
            function
            for function, column, kind in definer_columns(conn)
            if column in secret_columns or kind not in plain_types
        }
    )


def public_functions(conn: Connection) -> list[str]:
    """Return functions that PUBLIC can execute."""
    return _names(conn, LIST_PUBLIC_FUNCTIONS)


def excess_lookup_grants(conn: Connection) -> list[str]:
    """Return grants to the look-up role beyond reading single harmless columns."""
    return _names(conn, LIST_EXCESS_LOOKUP_GRANTS)


def excess_grants(conn: Connection) -> list[str]:
    """Return grants to PUBLIC, with grant option, and of TRUNCATE, REFERENCES or TRIGGER."""
    return _names(conn, LIST_EXCESS_GRANTS)


def overprivileged_roles(conn: Connection) -> list[str]:
    """Return deployed roles with an attribute or a membership that they must not have."""
    return _names(conn, LIST_OVERPRIVILEGED_ROLES)


def bypassing_roles(conn: Connection) -> list[str]:
    """Return roles that bypass policies or replicate, other than superusers and the role of moves."""
    return _names(conn, LIST_BYPASSING_ROLES)


def mover_powers(conn: Connection) -> list[str]:
    """Return the rights and memberships of the role of moves outside of a move, beyond its two attributes."""
    return _names(conn, LIST_MOVER_POWERS)


def owning_roles(conn: Connection) -> list[str]:
    """Return deployed roles that own something other than the look-up functions."""
    return _names(conn, LIST_OWNING_ROLES)


def creating_roles(conn: Connection) -> list[str]:
    """Return deployed roles that can create an object, even a temporary one."""
    return _names(conn, LIST_CREATING_ROLES)


def clones(conn: Connection) -> list[str]:
    """Return the second users of roles, which a rotation makes."""
    return _names(conn, LIST_CLONES)


def clone_grants(conn: Connection) -> list[str]:
    """Return grants to second users. They have the rights of their role, and no others."""
    return _names(conn, LIST_CLONE_GRANTS)


def authorizer_grants(conn: Connection) -> list[str]:
    """Return grants on tables, columns and sequences to the authorizer's role."""
    return _names(conn, LIST_AUTHORIZER_GRANTS)


def definer_callers(conn: Connection) -> dict[str, list[str]]:
    """Return the roles that may execute each SECURITY DEFINER function, by the function's name."""
    return dict(conn.execute(LIST_DEFINER_CALLERS).fetchall())


def default_public_grants(conn: Connection) -> list[str]:
    """Return kinds of objects that PUBLIC can use as soon as the owner creates one."""
    return _names(conn, LIST_DEFAULT_PUBLIC_GRANTS)


def _names(conn: Connection, statement: LiteralString) -> list[str]:
    return sorted(name for (name,) in conn.execute(statement))


# Rules that also hold after a rotation.
CLONE_RULES: Final = (overprivileged_roles, owning_roles, clone_grants)
