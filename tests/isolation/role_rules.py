"""What roles, grants and definer functions have to keep to in PostgreSQL: each rule returns those that do not."""

from typing import Final, LiteralString

from tenancy.stores.postgres.client import Connection

LIST_LOOSE_DEFINERS: Final = """
    SELECT p.proname FROM pg_proc AS p
    WHERE p.prosecdef AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
      AND (
          pg_get_userbyid(p.proowner) = 'tenancy_lookup'
          AND p.proconfig = '{"search_path=pg_catalog, pg_temp"}'
          AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'sql')
      ) IS NOT TRUE
"""
# What a caller is told, by name and type: output columns where they are named, otherwise the type as a whole.
LIST_DEFINER_ANSWERS: Final = """
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
# The look-up role reads the columns that its functions need, one by one, and does nothing else.
LIST_LOOKUP_GRANTS: Final = """
    SELECT c.relname || ': ' || g.privilege_type FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS g
    WHERE g.grantee = 'tenancy_lookup'::regrole
    UNION ALL
    SELECT c.relname || '.' || a.attname || ': ' || g.privilege_type
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid CROSS JOIN aclexplode(a.attacl) AS g
    WHERE g.grantee = 'tenancy_lookup'::regrole
      AND (g.privilege_type <> 'SELECT' OR a.attname IN ('name', 'email', 'password_hash'))
"""
LIST_LOOSE_GRANTS: Final = """
    SELECT c.relname || ': ' || g.grantee::regrole || ' ' || g.privilege_type
    FROM pg_class AS c CROSS JOIN LATERAL (
        SELECT * FROM aclexplode(c.relacl)
        UNION ALL
        SELECT (aclexplode(a.attacl)).* FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL
    ) AS g
    WHERE c.relnamespace = 'public'::regnamespace AND g.grantee <> c.relowner
      AND (g.grantee = 0 OR g.is_grantable OR g.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))
"""
LIST_POWERFUL_ROLES: Final = """
    SELECT rolname FROM pg_roles
    WHERE rolname IN ('tenancy_functions', 'tenancy_platform', 'tenancy_lookup')
      AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls OR rolreplication
           OR rolcanlogin = (rolname = 'tenancy_lookup'))
    UNION ALL
    SELECT 'tenancy_owner' FROM pg_roles WHERE rolname = 'tenancy_owner' AND (rolsuper OR rolbypassrls)
    UNION ALL
    SELECT member::regrole || ' in ' || roleid::regrole FROM pg_auth_members
    WHERE member::regrole::text IN ('tenancy_functions', 'tenancy_platform', 'tenancy_lookup')
"""
# A look-up function is all that one of these roles may own, and only the role that cannot log in.
LIST_OWNING_ROLES: Final = """
    SELECT d.refobjid::regrole || ': ' || pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_shdepend AS d
    WHERE d.deptype = 'o' AND d.refclassid = 'pg_authid'::regclass
      AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND d.refobjid::regrole::text IN ('tenancy_functions', 'tenancy_platform', 'tenancy_lookup')
      AND NOT (d.refobjid::regrole::text = 'tenancy_lookup' AND d.classid = 'pg_proc'::regclass)
"""
LIST_MAKING_ROLES: Final = """
    SELECT r.rolname || ': CREATE in ' || n.nspname FROM pg_roles AS r CROSS JOIN pg_namespace AS n
    WHERE r.rolname IN ('tenancy_functions', 'tenancy_platform', 'tenancy_lookup')
      AND has_schema_privilege(r.oid, n.oid, 'CREATE')
    UNION ALL
    SELECT r.rolname || ': CREATE or TEMPORARY in the database' FROM pg_roles AS r
    WHERE r.rolname IN ('tenancy_functions', 'tenancy_platform', 'tenancy_lookup')
      AND has_database_privilege(r.oid, current_database(), 'CREATE, TEMPORARY')
"""
# Without an entry of its own a kind of object has PostgreSQL's default: PUBLIC may run functions and use types.
LIST_PUBLIC_DEFAULTS: Final = """
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


def loose_definers(conn: Connection) -> list[str]:
    """Return SECURITY DEFINER functions of another than the look-up role, without its search path, or not in SQL."""
    return _names(conn, LIST_LOOSE_DEFINERS)


def definer_answers(conn: Connection) -> list[tuple[str, str, str]]:
    """Return function, column and type of all that SECURITY DEFINER functions tell their callers."""
    return [(function, column, kind) for function, column, kind in conn.execute(LIST_DEFINER_ANSWERS)]


def telling_definers(conn: Connection) -> list[str]:
    """Return SECURITY DEFINER functions that tell names, addresses, digests, or whole rows."""
    told = definer_answers(conn)
    plain = {"uuid", "text", "text[]", "timestamp with time zone"}
    secret = {"name", "email", "password_hash", "digest"}
    return sorted({function for function, column, kind in told if column in secret or kind not in plain})


def public_functions(conn: Connection) -> list[str]:
    """Return functions that everybody may call."""
    return _names(conn, LIST_PUBLIC_FUNCTIONS)


def lookup_grants(conn: Connection) -> list[str]:
    """Return what the look-up role was granted beyond reading single columns that are no personal or secret ones."""
    return _names(conn, LIST_LOOKUP_GRANTS)


def loose_grants(conn: Connection) -> list[str]:
    """Return grants to PUBLIC, grants that may be passed on, and those of TRUNCATE, REFERENCES or TRIGGER."""
    return _names(conn, LIST_LOOSE_GRANTS)


def powerful_roles(conn: Connection) -> list[str]:
    """Return roles of ours with an attribute or a membership that they do without."""
    return _names(conn, LIST_POWERFUL_ROLES)


def owning_roles(conn: Connection) -> list[str]:
    """Return what roles of ours own that are not the owner, but for the look-up functions."""
    return _names(conn, LIST_OWNING_ROLES)


def making_roles(conn: Connection) -> list[str]:
    """Return roles of ours that could make an object, temporary ones included."""
    return _names(conn, LIST_MAKING_ROLES)


def public_defaults(conn: Connection) -> list[str]:
    """Return kinds of objects that PUBLIC may use as soon as the owner makes one."""
    return _names(conn, LIST_PUBLIC_DEFAULTS)


def _names(conn: Connection, statement: LiteralString) -> list[str]:
    return sorted(name for (name,) in conn.execute(statement))
