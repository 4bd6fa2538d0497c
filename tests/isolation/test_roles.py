"""Every PostgreSQL role follows the rules, and roles that bypass policies are refused."""

import json
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from scripts.release_names import FILE
from scripts.stack import postgres
from tenancy.rules.compliance import OverdueKeys
from tenancy.stores.postgres.client import Connection, Database, UnboundRoleError
from tenancy.stores.postgres.platform.lookups import KeyHolder, Member
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases
from tests.isolation import role_rules
from tests.isolation.table_rules import Rule

RULES = [
    role_rules.unsafe_definers,
    role_rules.revealing_definers,
    role_rules.public_functions,
    role_rules.excess_lookup_grants,
    role_rules.excess_grants,
    role_rules.overprivileged_roles,
    role_rules.owning_roles,
    role_rules.creating_roles,
    role_rules.default_public_grants,
    role_rules.authorizer_grants,
    role_rules.clone_grants,
    role_rules.bypassing_roles,
    role_rules.mover_powers,
]
CREATE_DEFINER = """
    CREATE FUNCTION bad({output}) RETURNS SETOF {type} LANGUAGE {language} SECURITY DEFINER {path} AS $${body}$$;
    ALTER FUNCTION bad OWNER TO {owner}
"""
SAFE_DEFINER = {
    "output": "OUT a uuid",
    "type": "uuid",
    "language": "sql",
    "path": "SET search_path = pg_catalog, pg_temp",
    "body": "SELECT id FROM public.users",
    "owner": "tenancy_lookup",
}
DISCONNECT_SECONDS = 120.0  # a hang is a failure, a slow machine is not


def definer(**changes: str) -> str:
    return CREATE_DEFINER.format(**{**SAFE_DEFINER, **changes})


# By rule: statements that break it, and the names that the rule must then return.
BREACHES = {
    role_rules.unsafe_definers: [
        (definer(owner="tenancy_owner"), ["bad"]),
        (definer(path=""), ["bad"]),
        (definer(path="SET search_path = public, pg_temp"), ["bad"]),
        (definer(language="plpgsql", body="BEGIN END"), ["bad"]),
    ],
    role_rules.revealing_definers: [
        (definer(output="OUT email text", type="text", body="SELECT 'x'"), ["bad"]),
        (definer(output="OUT a bytea", type="bytea", body="SELECT ''::bytea"), ["bad"]),
        (definer(output="", type="users", body="SELECT * FROM public.users"), ["bad"]),
    ],
    role_rules.public_functions: [
        ("CREATE FUNCTION bad() RETURNS int LANGUAGE sql AS 'SELECT 1'", ["bad"]),
        ("GRANT EXECUTE ON FUNCTION current_tenant() TO PUBLIC", ["current_tenant"]),
    ],
    role_rules.excess_lookup_grants: [
        ("GRANT SELECT ON leases TO tenancy_lookup", ["leases: SELECT"]),
        ("GRANT SELECT (email) ON users TO tenancy_lookup", ["users.email: SELECT"]),
        ("GRANT UPDATE (role) ON users TO tenancy_lookup", ["users.role: UPDATE"]),
    ],
    role_rules.excess_grants: [
        ("GRANT TRUNCATE ON apps TO tenancy_platform", ["apps: tenancy_platform TRUNCATE"]),
        ("GRANT TRIGGER ON apps TO tenancy_functions", ["apps: tenancy_functions TRIGGER"]),
        ("GRANT REFERENCES (id) ON apps TO tenancy_functions", ["apps: tenancy_functions REFERENCES"]),
        ("GRANT SELECT ON apps TO PUBLIC", ["apps: - SELECT"]),
        ("GRANT DELETE ON apps TO tenancy_platform WITH GRANT OPTION", ["apps: tenancy_platform DELETE"]),
    ],
    role_rules.overprivileged_roles: [
        ("ALTER ROLE tenancy_functions BYPASSRLS", ["tenancy_functions"]),
        ("ALTER ROLE tenancy_platform CREATEROLE", ["tenancy_platform"]),
        ("ALTER ROLE tenancy_owner SUPERUSER", ["tenancy_owner"]),
        ("ALTER ROLE tenancy_lookup LOGIN", ["tenancy_lookup"]),
        ("ALTER ROLE tenancy_functions NOLOGIN", ["tenancy_functions"]),
        ("GRANT tenancy_lookup TO tenancy_functions", ["tenancy_functions in tenancy_lookup"]),
        ("GRANT tenancy_functions TO tenancy_authorizer", ["tenancy_authorizer in tenancy_functions"]),
        ("ALTER ROLE tenancy_authorizer NOLOGIN", ["tenancy_authorizer"]),
        ("CREATE ROLE tenancy_functions_clone LOGIN CREATEROLE", ["tenancy_functions_clone"]),
        ("CREATE ROLE bad LOGIN IN ROLE tenancy_functions", ["bad in tenancy_functions"]),
        (
            "CREATE ROLE tenancy_functions_clone LOGIN IN ROLE tenancy_functions",  # may set the role
            ["tenancy_functions_clone in tenancy_functions"],
        ),
        (
            "CREATE ROLE bad_clone LOGIN; GRANT tenancy_platform TO bad_clone WITH SET FALSE",
            ["bad_clone in tenancy_platform"],
        ),
    ],
    role_rules.clone_grants: [
        (
            "CREATE ROLE tenancy_functions_clone LOGIN; GRANT SELECT ON users TO tenancy_functions_clone",
            ["tenancy_functions_clone: table users"],
        ),
    ],
    role_rules.owning_roles: [
        ("ALTER TABLE leases OWNER TO tenancy_platform", ["tenancy_platform: table leases"]),
        ("ALTER TABLE leases OWNER TO tenancy_lookup", ["tenancy_lookup: table leases"]),
    ],
    role_rules.authorizer_grants: [
        ("GRANT SELECT ON organizations TO tenancy_authorizer", ["organizations: SELECT"]),
        ("GRANT SELECT (digest) ON api_keys TO tenancy_authorizer", ["api_keys.digest: SELECT"]),
        ("GRANT USAGE ON SEQUENCE outbox_id_seq TO tenancy_authorizer", ["outbox_id_seq: USAGE"]),
    ],
    role_rules.bypassing_roles: [
        ("CREATE ROLE bad BYPASSRLS", ["bad"]),
        ("CREATE ROLE bad REPLICATION", ["bad"]),
    ],
    role_rules.mover_powers: [
        ("CREATE ROLE tenancy_mover REPLICATION BYPASSRLS LOGIN", ["an attribute"]),
        ("CREATE ROLE tenancy_mover IN ROLE pg_read_all_data", ["tenancy_mover in pg_read_all_data"]),
        ("CREATE ROLE tenancy_mover ROLE tenancy_owner", ["tenancy_owner in tenancy_mover"]),
        ("CREATE ROLE tenancy_mover; GRANT SELECT ON users TO tenancy_mover", ["a right on table users"]),
    ],
    role_rules.default_public_grants: [
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE tenancy_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
            ["functions"],
        ),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE tenancy_owner IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC",
            ["in public"],
        ),
    ],
}


@pytest.mark.parametrize("rule", RULES)
def test_every_role_follows_the_rule(migrated: Connection, rule: Rule) -> None:
    assert rule(migrated) == []


@pytest.mark.parametrize(
    ("rule", "breach", "found"), [(rule, *case) for rule, cases in BREACHES.items() for case in cases]
)
def test_rule_finds_a_breach(
    superuser_connection: psycopg.Connection, rule: Rule, breach: str, found: list[str]
) -> None:
    superuser_connection.execute(breach.encode())

    assert rule(superuser_connection) == found


def test_rule_finds_roles_that_can_create(superuser_connection: psycopg.Connection) -> None:
    """Grants on a database are not copied, so that PUBLIC can create temporary tables in it."""
    superuser_connection.execute("GRANT CREATE ON SCHEMA public TO tenancy_functions")

    found = role_rules.creating_roles(superuser_connection)

    assert "tenancy_functions: CREATE in public" in found
    assert "tenancy_functions: CREATE or TEMPORARY in the database" in found


def test_every_rule_has_a_breach() -> None:
    assert {*BREACHES, role_rules.creating_roles} == set(RULES)


def test_definers_return_only_what_the_authorizer_reads(migrated: Connection) -> None:
    columns: dict[str, set[str]] = {}
    for function, column, _ in role_rules.definer_columns(migrated):
        columns.setdefault(function, set()).add(column)

    assert columns == {
        "find_key_holder": set(KeyHolder.__dataclass_fields__),
        "find_person": set(Member.__dataclass_fields__),
        "find_platform_key": {"credential_id", "expires_at"},
        "find_live_platform_key": {"credential_id", "expires_at"},
        "list_due_rotations": {"organization_id"},
        "list_overdue_keys": set(OverdueKeys.__dataclass_fields__),
        "find_custom_domain_owners": {"domain", "organization_id"},
        "find_current_move": {"state", "other", "move_id"},
        "find_home": {"database"},
        "find_catalogue_entries": {"value", "organization_id"},
    }


def test_only_the_authorizer_looks_up_credentials(migrated: Connection) -> None:
    """The functions' role keeps the right for one release, for functions of the release before.

    Once the release before has migration 0016, this test demands the migration that revokes the right:
    REVOKE EXECUTE ON FUNCTION find_key_holder(bytea), find_person(uuid, uuid), find_platform_key(bytea)
    FROM tenancy_functions.
    """
    before = json.loads(FILE.read_text())["migrations"]
    is_retired = any("/0016_authorizer_role.sql" in migration for migration in before)
    everyone = ["tenancy_authorizer", "tenancy_functions", "tenancy_platform"]
    callers = ["tenancy_authorizer"] if is_retired else ["tenancy_authorizer", "tenancy_functions"]

    assert role_rules.definer_callers(migrated) == {
        "find_key_holder": callers,
        "find_person": callers,
        "find_platform_key": callers,
        "find_live_platform_key": ["tenancy_functions", "tenancy_platform"],
        "list_due_rotations": ["tenancy_platform"],
        "list_overdue_keys": ["tenancy_platform"],
        "find_custom_domain_owners": ["tenancy_functions", "tenancy_platform"],
        **dict.fromkeys(("find_current_move", "find_home", "find_catalogue_entries"), everyone),
    }


def test_authorizer_reads_no_row_of_any_table(databases: Databases, acme: Provisioned) -> None:
    with databases.owner.transaction() as conn:
        tables = [name for (name,) in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]

    assert tables
    for table in tables:
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            databases.authorizer.tenant_transaction(acme.organization.id) as conn,
        ):
            conn.execute(sql.SQL("SELECT 1 FROM {}").format(sql.Identifier(table)))


def test_public_cannot_execute_a_new_function(databases: Databases) -> None:
    with databases.owner.transaction() as conn:
        conn.execute("CREATE FUNCTION later() RETURNS integer LANGUAGE sql AS 'SELECT 1'")

        assert role_rules.public_functions(conn) == []


type NewRole = Callable[[str], Database]


@pytest.fixture
def new_role(databases: Databases) -> Iterator[NewRole]:
    """Create a role that can log in, and change it by a statement."""
    opened = []

    def create(statement: str) -> Database:
        with psycopg.connect(databases.servers.superuser_url, autocommit=True) as admin:
            admin.execute("CREATE ROLE intruder LOGIN PASSWORD 'intruder'")
            admin.execute(statement.encode())
        port = databases.servers.postgres_port
        url = postgres.url_for("intruder", "intruder", "127.0.0.1", port=port, database=databases.name)
        opened.append(Database(lambda: url))
        return opened[-1]

    yield create
    for database in opened:
        database.close()
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as admin:
        admin.execute("REASSIGN OWNED BY intruder TO tenancy_owner; DROP OWNED BY intruder; DROP ROLE intruder")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("ALTER ROLE intruder SUPERUSER", "a superuser"),
        ("ALTER ROLE intruder BYPASSRLS", "bypasses"),
        ("GRANT tenancy_owner TO intruder", "an owner"),
        ("GRANT tenancy_owner TO intruder WITH INHERIT FALSE, SET TRUE", "an owner"),
        ("GRANT postgres TO intruder", "a superuser"),
    ],
)
def test_role_that_policies_do_not_bind_is_refused(new_role: NewRole, statement: str, reason: str) -> None:
    database = new_role(statement)

    for _ in range(2):
        with pytest.raises(UnboundRoleError, match=f"'intruder' is .*{reason}"), database.transaction():
            pytest.fail("a transaction was opened")


def test_refused_role_keeps_no_connection(databases: Databases, new_role: NewRole) -> None:
    database = new_role("ALTER ROLE intruder SUPERUSER")

    with pytest.raises(UnboundRoleError), database.transaction():
        pytest.fail("a transaction was opened")

    assert connections_after_close(databases, "intruder") == 0


def test_table_owner_is_refused_outside_migrations(databases: Databases) -> None:
    owner = Database(lambda: databases.servers.postgres_url(postgres.OWNER, databases.name))

    with pytest.raises(UnboundRoleError, match=r"^The database role 'tenancy_owner' is an owner of tables\. "):
        owner._begin(None)  # type: ignore[arg-type]  # nothing is entered


def test_table_owner_can_run_migrations(databases: Databases) -> None:
    with databases.owner.transaction() as conn:
        assert conn.execute("SELECT current_user").fetchone() == ("tenancy_owner",)


@pytest.mark.parametrize("statement", ["ALTER ROLE intruder SUPERUSER", "ALTER ROLE intruder BYPASSRLS"])
def test_migrations_refuse_a_role_that_bypasses_policies(new_role: NewRole, statement: str) -> None:
    database = Database(new_role(statement)._url, as_owner=True)

    with pytest.raises(UnboundRoleError), database.transaction():
        pytest.fail("a transaction was opened")


def test_role_that_became_an_owner_is_refused_on_reconnect(databases: Databases, new_role: NewRole) -> None:
    database = new_role("GRANT tenancy_functions TO intruder")
    with database.transaction() as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (0,)
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as admin:
        admin.execute("CREATE TABLE of_the_intruder (); ALTER TABLE of_the_intruder OWNER TO intruder")

    database.close()

    with pytest.raises(UnboundRoleError, match="an owner"), database.transaction():
        pytest.fail("a transaction was opened")


def test_deployed_roles_can_connect(databases: Databases) -> None:
    for database in (databases.functions, databases.platform, databases.authorizer):
        with database.transaction() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def connections_after_close(databases: Databases, role: str) -> int:
    """Return the number of connections that the server keeps for *role*."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
    deadline = time.monotonic() + DISCONNECT_SECONDS
    with psycopg.connect(databases.servers.superuser_url, autocommit=True) as admin:
        while True:
            [(count,)] = admin.execute(statement, (role,)).fetchall()
            if count == 0 or time.monotonic() > deadline:
                return int(count)
            time.sleep(0.02)
