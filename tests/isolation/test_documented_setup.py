"""A cluster like Aurora's, without a superuser, set up as docs/operations.md says."""

import re
import shutil
import subprocess
import sys
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
from tenancy.rules.keys.api_keys import ApiKey
from tenancy.stores.postgres.client import Database
from tenancy.stores.postgres.platform.lookups import (
    find_key_holder,
    find_live_platform_key,
    find_member,
    find_platform_key,
)
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schema.migrate import migrate
from tests.free_ports import free_port
from tests.given import MIGRATIONS, OPERATOR, ROOT, Databases, Servers, new_organization
from tests.isolation import test_roles, test_tables
from tests.isolation.table_rules import Rule, tables_without_forced_rls

MASTER = "master"
# Aurora's master user, as far as the setup needs it.
CREATE_MASTER = "CREATE ROLE master LOGIN NOSUPERUSER NOBYPASSRLS CREATEROLE CREATEDB PASSWORD '…'"
PASSWORD = "…"  # as in docs/operations.md
OWNER_COMMENT = "-- as tenancy_owner:"  # divides the documented statements
READY_SECONDS = 600.0  # a hang is a failure, a slow machine is not
SET_TENANT = "SELECT set_config('app.current_tenant', %s, true)"
INSERT_APP = "INSERT INTO apps (id, organization_id, name, platform) VALUES (gen_random_uuid(), %s, 'x', 'web')"


@pytest.fixture(scope="module")
def aurora(servers: Servers) -> Iterator[Servers]:
    """Start a cluster of its own, with a master user that is not a superuser."""
    directory = Path(tempfile.mkdtemp(prefix="tenancy-aurora-"))
    settings, port = StackSettings(root=ROOT, directory=directory), free_port()
    superuser = postgres.superuser_url(settings, port=port, credentials=servers.credentials)
    launch = postgres.prepare(settings, port=port, credentials=servers.credentials)
    try:
        processes.start(directory, replace(launch, ready_seconds=READY_SECONDS))
        with psycopg.connect(superuser, autocommit=True) as conn:
            conn.execute(CREATE_MASTER)
        yield replace(servers, postgres_port=port, superuser_url=superuser)
    finally:
        processes.stop(directory, postgres.NAME)
        shutil.rmtree(directory)


@pytest.fixture
def installed(aurora: Servers, databases: Databases) -> Iterator[Databases]:
    """Run the documented statements and the migrations, once for the cluster."""
    owner = Database(lambda: url_of(aurora, postgres.OWNER), as_owner=True)
    with psycopg.connect(aurora.superuser_url) as conn:
        is_new = conn.execute("SELECT FROM pg_roles WHERE rolname = 'tenancy_owner'").fetchone() is None
    if is_new:
        run_documented_statements(aurora)
        migrate(owner, databases.clickhouse, MIGRATIONS)
    cluster = Databases(
        name=postgres.DATABASE,
        servers=aurora,
        owner=owner,
        functions=Database(lambda: url_of(aurora, postgres.FUNCTIONS)),
        platform=Database(lambda: url_of(aurora, postgres.PLATFORM)),
        authorizer=Database(lambda: url_of(aurora, postgres.AUTHORIZER)),
        clickhouse=databases.clickhouse,
    )
    yield cluster
    for database in (cluster.owner, cluster.functions, cluster.platform, cluster.authorizer):
        database.close()


def url_of(aurora: Servers, role: str, database: str = postgres.DATABASE) -> str:
    return postgres.url_for(role, PASSWORD, "127.0.0.1", port=aurora.postgres_port, database=database)


def run_documented_statements(aurora: Servers) -> None:
    text = (ROOT / "docs/operations.md").read_text()
    found = re.search(r"```sql\n(.*?CREATE ROLE tenancy_owner.*?)```", text, re.DOTALL)
    assert found is not None
    of_master, of_owner = found[1].split(OWNER_COMMENT)
    for role, database, script in ((MASTER, "postgres", of_master), (postgres.OWNER, postgres.DATABASE, of_owner)):
        with psycopg.connect(url_of(aurora, role, database), autocommit=True) as conn:
            for statement in filter(None, (each.strip() for each in script.split(";"))):
                conn.execute(statement.encode())


def section_of(heading: str) -> str:
    return (ROOT / "docs/operations.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]


def provision(installed: Databases, targets: OutboxTargets, name: str) -> Provisioned:
    """Provision an organization whose subdomain is unique in the shared cluster."""
    new = new_organization(f"{name}-{uuid4().hex[:8]}")
    return provision_organization(installed.platform, targets, new, OPERATOR, now=datetime.now(UTC))


def test_documented_roles_cannot_bypass_policies(installed: Databases) -> None:
    statement = "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls) AND rolname <> 'postgres'"

    with installed.owner.transaction() as conn:
        assert conn.execute(statement).fetchall() == []


@pytest.mark.parametrize("rule", [*test_tables.RULES, *test_roles.RULES])
def test_documented_setup_follows_the_rule(installed: Databases, rule: Rule) -> None:
    with installed.owner.transaction() as conn:
        assert rule(conn) == []


def test_lookups_find_the_holder_of_a_credential(installed: Databases, targets: OutboxTargets) -> None:
    acme = provision(installed, targets, "acme")

    with installed.authorizer.transaction() as conn:
        holder = find_key_holder(conn, acme.secret_key.digest)
        member = find_member(conn, acme.organization.id, acme.admin_user_id)
        platform_key = find_platform_key(conn, acme.secret_key.digest)

    assert holder is not None
    assert member is not None
    assert platform_key is None
    assert holder.organization_id == member.organization_id == acme.organization.id


def test_policies_bind_the_owner(installed: Databases, targets: OutboxTargets) -> None:
    globex = provision(installed, targets, "globex")

    for tenant in ("", str(globex.organization.id)):
        with installed.owner.transaction() as conn:
            conn.execute(SET_TENANT, (tenant,))
            assert conn.execute("SELECT count(*) FROM organizations").fetchone() == (0,)
            assert conn.execute("UPDATE organizations SET name = 'changed'").rowcount == 0


def test_owner_cannot_insert_rows_of_a_tenant(installed: Databases, targets: OutboxTargets) -> None:
    globex = provision(installed, targets, "globex")

    with pytest.raises(psycopg.errors.InsufficientPrivilege), installed.owner.transaction() as conn:
        conn.execute(SET_TENANT, (str(globex.organization.id),))
        conn.execute(INSERT_APP, (globex.organization.id,))


def test_documented_statements_revoke_a_key(installed: Databases, targets: OutboxTargets) -> None:
    acme, globex = provision(installed, targets, "acme"), provision(installed, targets, "globex")
    find, revoke, _ = (
        script.replace("<organization>", str(acme.organization.id)).replace("<key>", str(acme.secret_key_id))
        for script in re.findall(r"```sql\n(.*?)```", section_of("Revoke a key by hand"), re.DOTALL)
    )

    for database, script in ((installed.platform, find), (installed.owner, revoke)):
        with database.transaction() as conn:
            for statement in filter(None, (each.strip() for each in script.split(";"))):
                if statement not in {"BEGIN", "COMMIT"}:
                    conn.execute(statement.encode())

    with installed.authorizer.transaction() as conn:
        assert find_key_holder(conn, acme.secret_key.digest) is None
        assert find_key_holder(conn, globex.secret_key.digest) is not None
    with installed.owner.transaction() as conn:
        assert tables_without_forced_rls(conn) == []


def test_documented_statements_make_and_revoke_a_platform_key(installed: Databases) -> None:
    making = section_of("Make a platform key by hand")
    [generate] = re.findall(r"```sh\n(.*?)```", making, re.DOTALL)
    [insert] = re.findall(r"```sql\n(.*?)```", making, re.DOTALL)
    *_, revoke = re.findall(r"```sql\n(.*?)```", section_of("Revoke a key by hand"), re.DOTALL)

    command = generate.replace(".venv/bin/python", sys.executable)
    printed = subprocess.run(command, shell=True, cwd=ROOT, check=True, capture_output=True, text=True)
    key, digest = printed.stdout.split()
    with installed.owner.transaction() as conn:
        conn.execute(insert.replace("<operator>", "Ann").replace("<second text>", digest).encode())
    with installed.authorizer.transaction() as conn:
        operator = find_platform_key(conn, ApiKey(key).digest)
    assert operator is not None
    with installed.owner.transaction() as conn:
        conn.execute(revoke.replace("<key>", str(operator.credential_id)).encode())

    for database in (installed.functions, installed.platform):
        with database.transaction() as conn:
            assert find_live_platform_key(conn, operator.credential_id) is None
    with installed.authorizer.transaction() as conn:
        assert find_platform_key(conn, ApiKey(key).digest) is None
