"""What each role of PostgreSQL may do, discovered; and that a role that policies do not bind is never worked with."""

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from scripts.stack import postgres
from tenancy.stores.postgres.client import Connection, Database, UnboundRoleError
from tenancy.stores.postgres.platform.lookups import KeyHolder, Member
from tests.given import Databases
from tests.isolation import privileges
from tests.isolation.walls import Rule

RULES = [
    privileges.loose_definers,
    privileges.telling_definers,
    privileges.public_functions,
    privileges.lookup_grants,
    privileges.loose_grants,
    privileges.powerful_roles,
    privileges.owning_roles,
    privileges.making_roles,
    privileges.public_defaults,
]
MAKE_DEFINER = """
    CREATE FUNCTION bad({output}) RETURNS SETOF {type} LANGUAGE {language} SECURITY DEFINER {path} AS $${body}$$;
    ALTER FUNCTION bad OWNER TO {owner}
"""
PATH = "SET search_path = pg_catalog, pg_temp"


def definer(**changes: str) -> str:
    good = {"output": "OUT a uuid", "type": "uuid", "language": "sql", "path": PATH, "owner": "tenancy_lookup"}
    return MAKE_DEFINER.format(**{**good, "body": "SELECT id FROM public.users", **changes})


BREACHES = [
    (privileges.loose_definers, definer(owner="tenancy_owner"), ["bad"]),
    (privileges.loose_definers, definer(path=""), ["bad"]),
    (privileges.loose_definers, definer(path="SET search_path = public, pg_temp"), ["bad"]),
    (privileges.loose_definers, definer(language="plpgsql", body="BEGIN END"), ["bad"]),
    (privileges.telling_definers, definer(output="OUT email text", type="text", body="SELECT 'x'"), ["bad"]),
    (privileges.telling_definers, definer(output="OUT a bytea", type="bytea", body="SELECT ''::bytea"), ["bad"]),
    (privileges.telling_definers, definer(output="", type="users", body="SELECT * FROM public.users"), ["bad"]),
    (privileges.public_functions, "CREATE FUNCTION bad() RETURNS int LANGUAGE sql AS 'SELECT 1'", ["bad"]),
    (privileges.public_functions, "GRANT EXECUTE ON FUNCTION current_tenant() TO PUBLIC", ["current_tenant"]),
    (privileges.lookup_grants, "GRANT SELECT ON leases TO tenancy_lookup", ["leases: SELECT"]),
    (privileges.lookup_grants, "GRANT SELECT (email) ON users TO tenancy_lookup", ["users.email: SELECT"]),
    (privileges.lookup_grants, "GRANT UPDATE (role) ON users TO tenancy_lookup", ["users.role: UPDATE"]),
    (privileges.loose_grants, "GRANT TRUNCATE ON apps TO tenancy_platform", ["apps: tenancy_platform TRUNCATE"]),
    (privileges.loose_grants, "GRANT TRIGGER ON apps TO tenancy_functions", ["apps: tenancy_functions TRIGGER"]),
    (
        privileges.loose_grants,
        "GRANT REFERENCES (id) ON apps TO tenancy_functions",
        ["apps: tenancy_functions REFERENCES"],
    ),
    (privileges.loose_grants, "GRANT SELECT ON apps TO PUBLIC", ["apps: - SELECT"]),
    (
        privileges.loose_grants,
        "GRANT DELETE ON apps TO tenancy_platform WITH GRANT OPTION",
        ["apps: tenancy_platform DELETE"],
    ),
    (privileges.powerful_roles, "ALTER ROLE tenancy_functions BYPASSRLS", ["tenancy_functions"]),
    (privileges.powerful_roles, "ALTER ROLE tenancy_platform CREATEROLE", ["tenancy_platform"]),
    (privileges.powerful_roles, "ALTER ROLE tenancy_owner SUPERUSER", ["tenancy_owner"]),
    (privileges.powerful_roles, "ALTER ROLE tenancy_lookup LOGIN", ["tenancy_lookup"]),
    (privileges.powerful_roles, "ALTER ROLE tenancy_functions NOLOGIN", ["tenancy_functions"]),
    (
        privileges.powerful_roles,
        "GRANT tenancy_lookup TO tenancy_functions",
        ["tenancy_functions in tenancy_lookup"],
    ),
    (privileges.owning_roles, "ALTER TABLE leases OWNER TO tenancy_platform", ["tenancy_platform: table leases"]),
    (privileges.owning_roles, "ALTER TABLE leases OWNER TO tenancy_lookup", ["tenancy_lookup: table leases"]),
    (
        privileges.public_defaults,
        "ALTER DEFAULT PRIVILEGES FOR ROLE tenancy_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
        ["functions"],
    ),
    (
        privileges.public_defaults,
        "ALTER DEFAULT PRIVILEGES FOR ROLE tenancy_owner IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC",
        ["in public"],
    ),
]


@pytest.mark.parametrize("rule", RULES)
def test_every_role_and_function_keeps_to_every_rule(migrated: Connection, rule: Rule) -> None:
    assert rule(migrated) == []


@pytest.mark.parametrize(("rule", "breach", "found"), BREACHES)
def test_what_breaks_a_rule_is_found(vandal: psycopg.Connection, rule: Rule, breach: str, found: list[str]) -> None:
    vandal.execute(breach.encode())
    assert rule(vandal) == found


def test_every_rule_is_shown_to_bite() -> None:
    assert {rule for rule, *_ in BREACHES} | {privileges.making_roles} == set(RULES)


def test_who_could_make_an_object_is_found(vandal: psycopg.Connection) -> None:
    vandal.execute("GRANT CREATE ON SCHEMA public TO tenancy_functions")
    assert "tenancy_functions: CREATE in public" in privileges.making_roles(vandal)
    # A copy of a database has no grants of its own: PUBLIC may make temporary tables in it.
    assert "tenancy_functions: CREATE or TEMPORARY in the database" in privileges.making_roles(vandal)


def test_a_definer_function_tells_what_the_authorizer_needs_to_know_and_nothing_else(migrated: Connection) -> None:
    told: dict[str, set[str]] = {}
    retired = {"find_api_key", "find_member"}  # for the functions of the release before, until this one is deployed
    for function, column, _ in privileges.definer_answers(migrated):
        if function in retired:
            continue
        told.setdefault(function, set()).add(column)
    assert told == {
        "find_key_holder": set(KeyHolder.__dataclass_fields__),
        "find_person": set(Member.__dataclass_fields__),
        "find_platform_key": {"credential_id"},
    }


def test_what_a_later_migration_makes_is_nobodys_until_it_is_granted(databases: Databases) -> None:
    with databases.owner.transaction() as conn:
        conn.execute("CREATE FUNCTION later() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
        assert privileges.public_functions(conn) == []


# ------------------------------------------------------------------------------------------------------ who may connect


@pytest.fixture
def role(databases: Databases) -> Iterator[Callable[[str], Database]]:
    """Make a role that logs in, and a database that works as it."""
    made = []

    def make(statement: str) -> Database:
        with psycopg.connect(databases.servers.superuser_url, autocommit=True) as admin:
            admin.execute("CREATE ROLE intruder LOGIN PASSWORD 'intruder'")
            admin.execute(statement.encode())
        port = databases.servers.postgres_port
        url = postgres.url_for("intruder", "intruder", "127.0.0.1", port=port, database=databases.name)
        made.append(Database(lambda: url))
        return made[-1]

    yield make
    for database in made:
        database.close()
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as admin:
        admin.execute("REASSIGN OWNED BY intruder TO tenancy_owner; DROP OWNED BY intruder; DROP ROLE intruder")


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("ALTER ROLE intruder SUPERUSER", "a superuser"),
        ("ALTER ROLE intruder BYPASSRLS", "bypasses"),
        ("GRANT tenancy_owner TO intruder", "an owner"),
        ("GRANT tenancy_owner TO intruder WITH INHERIT FALSE, SET TRUE", "an owner"),
        ("GRANT postgres TO intruder", "a superuser"),
    ],
)
def test_a_role_that_policies_do_not_bind_is_refused_before_a_statement_of_ours_runs(
    databases: Databases, role: Callable[[str], Database], statement: str, why: str
) -> None:
    database = role(statement)
    for _ in range(2):
        with pytest.raises(UnboundRoleError, match=f"'intruder' is .*{why}"), database.transaction():
            pytest.fail("a transaction was opened")
    assert connections_of(databases, "intruder") == 0


def test_the_owner_is_refused_everywhere_but_where_it_migrates(databases: Databases) -> None:
    owner = Database(lambda: databases.servers.postgres_url(postgres.OWNER, databases.name))
    with pytest.raises(UnboundRoleError, match=r"^The database role 'tenancy_owner' is an owner of tables\. "):
        owner._begin(None)  # type: ignore[arg-type]  # nothing is entered
    with databases.owner.transaction() as conn:
        assert conn.execute("SELECT current_user").fetchone() == ("tenancy_owner",)


@pytest.mark.parametrize("statement", ["ALTER ROLE intruder SUPERUSER", "ALTER ROLE intruder BYPASSRLS"])
def test_no_migration_runs_as_a_role_that_bypasses_policies(role: Callable[[str], Database], statement: str) -> None:
    database = Database(role(statement)._url, as_owner=True)
    with pytest.raises(UnboundRoleError), database.transaction():
        pytest.fail("a transaction was opened")


def test_a_role_that_became_an_owner_is_refused_at_its_next_connection(
    databases: Databases, role: Callable[[str], Database]
) -> None:
    database = role("GRANT tenancy_functions TO intruder")
    with database.transaction() as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (0,)
    with psycopg.connect(databases.servers.superuser_url, dbname=databases.name, autocommit=True) as admin:
        admin.execute("CREATE TABLE of_the_intruder (); ALTER TABLE of_the_intruder OWNER TO intruder")
    database.close()
    with pytest.raises(UnboundRoleError, match="an owner"), database.transaction():
        pytest.fail("a transaction was opened")


def test_the_roles_of_the_functions_and_of_the_platform_are_not_refused(databases: Databases) -> None:
    for database in (databases.functions, databases.platform):
        with database.transaction() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def connections_of(databases: Databases, role_name: str) -> int:
    """Return how many connections a role has, once those that are closing have closed."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
    with psycopg.connect(databases.servers.superuser_url, autocommit=True) as admin:
        for _ in range(50):
            [(count,)] = admin.execute(statement, (role_name,))
            if count == 0:
                break
            time.sleep(0.02)
    return int(count)
