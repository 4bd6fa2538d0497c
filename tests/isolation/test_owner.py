"""A cluster as Aurora gives it: set up by the statements of docs/operations.md, with no superuser anywhere."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from scripts.stack import postgres, processes
from scripts.stack.settings import StackSettings
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.lookups import find_key_holder, find_member, find_platform_key
from tenancy.use_cases.organizations.provision import provision_organization
from tenancy.use_cases.outbox.effects import World
from tenancy.use_cases.schema.migrate import migrate
from tests.given import MIGRATIONS, OPERATOR, ROOT, Databases, Servers, free_port, new_organization
from tests.isolation import test_roles, test_tables
from tests.isolation.table_rules import Rule

MASTER = "master"
# What Aurora makes of the master user, as far as this needs it.
CREATE_MASTER = "CREATE ROLE master LOGIN NOSUPERUSER NOBYPASSRLS CREATEROLE CREATEDB PASSWORD '…'"
PASSWORD = "…"  # as docs/operations.md has it
OWNERS = "-- as tenancy_owner:"


@pytest.fixture(scope="module")
def aurora(servers: Servers) -> Iterator[Servers]:
    """Start a cluster of its own, with a master user that is no superuser."""
    directory = Path(tempfile.mkdtemp(prefix="tenancy-aurora-"))
    settings, port = StackSettings(root=ROOT, directory=directory), free_port()
    superuser = postgres.superuser_url(settings, port=port, credentials=servers.credentials)
    try:
        processes.start(directory, postgres.prepare(settings, port=port, credentials=servers.credentials))
        with psycopg.connect(superuser, autocommit=True) as conn:
            conn.execute(CREATE_MASTER)
        yield replace(servers, postgres_port=port, superuser_url=superuser)
    finally:
        processes.stop(directory, postgres.NAME)
        shutil.rmtree(directory)


def url_of(aurora: Servers, role: str, database: str = postgres.DATABASE) -> str:
    return postgres.url_for(role, PASSWORD, "127.0.0.1", port=aurora.postgres_port, database=database)


@pytest.fixture
def installed(aurora: Servers, databases: Databases) -> Iterator[Databases]:
    """Follow docs/operations.md to the letter, then migrate; the cluster's first test does it for the others."""
    owner = Database(lambda: url_of(aurora, postgres.OWNER), as_owner=True)
    with psycopg.connect(aurora.superuser_url) as conn:
        is_new = conn.execute("SELECT FROM pg_roles WHERE rolname = 'tenancy_owner'").fetchone() is None
    if is_new:
        follow_operations(aurora)
        migrate(owner, databases.clickhouse, MIGRATIONS)
    made = Databases(
        name=postgres.DATABASE,
        servers=aurora,
        owner=owner,
        functions=Database(lambda: url_of(aurora, postgres.FUNCTIONS)),
        platform=Database(lambda: url_of(aurora, postgres.PLATFORM)),
        clickhouse=databases.clickhouse,
    )
    yield made
    for database in (made.owner, made.functions, made.platform):
        database.close()


def follow_operations(aurora: Servers) -> None:
    text = (ROOT / "docs/operations.md").read_text()
    found = re.search(r"```sql\n(.*?CREATE ROLE tenancy_owner.*?)```", text, re.DOTALL)
    assert found is not None
    masters, owners = found[1].split(OWNERS)
    for role, database, statements in ((MASTER, "postgres", masters), (postgres.OWNER, postgres.DATABASE, owners)):
        with psycopg.connect(url_of(aurora, role, database), autocommit=True) as conn:
            for statement in filter(None, (each.strip() for each in statements.split(";"))):
                conn.execute(statement.encode())


def test_no_role_that_an_operator_makes_is_a_superuser_or_bypasses_policies(installed: Databases) -> None:
    statement = "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls) AND rolname <> 'postgres'"
    with installed.owner.transaction() as conn:
        assert conn.execute(statement).fetchall() == []


@pytest.mark.parametrize("rule", [*test_tables.RULES, *test_roles.RULES])
def test_what_operations_has_an_operator_make_keeps_to_every_rule(installed: Databases, rule: Rule) -> None:
    with installed.owner.transaction() as conn:
        assert rule(conn) == []


def test_the_look_ups_find_whom_a_credential_belongs_to(installed: Databases, world: World) -> None:
    new = new_organization(f"acme-{uuid4().hex[:8]}")
    acme = provision_organization(installed.platform, world, new, OPERATOR, now=datetime.now(UTC))
    with installed.functions.transaction() as conn:
        assert conn.execute("SELECT count(*) FROM organizations").fetchone() == (0,)
        holder = find_key_holder(conn, acme.secret_key.digest)
        member = find_member(conn, acme.organization.id, acme.admin_user_id)
        assert find_platform_key(conn, acme.secret_key.digest) is None
    assert holder is not None
    assert member is not None
    assert holder.organization_id == member.organization_id == acme.organization.id


def test_the_owner_too_is_bound_by_the_policies(installed: Databases, world: World) -> None:
    new = new_organization(f"globex-{uuid4().hex[:8]}")
    globex = provision_organization(installed.platform, world, new, OPERATOR, now=datetime.now(UTC))
    insert = "INSERT INTO apps (id, organization_id, name, platform) VALUES (gen_random_uuid(), %s, 'x', 'web')"
    for transaction in (installed.owner.transaction(), installed.owner.tenant_transaction(globex.organization.id)):
        with transaction as conn:
            assert conn.execute("SELECT count(*) FROM organizations").fetchone() == (0,)
            assert conn.execute("UPDATE organizations SET name = 'taken over'").rowcount == 0
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        installed.owner.tenant_transaction(globex.organization.id) as conn,
    ):
        conn.execute(insert, (globex.organization.id,))
