"""A cluster of PostgreSQL like a new one of Aurora: a master user, no roles of the product, and TLS."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from scripts.stack import postgres, processes
from scripts.stack.credentials import Credentials
from scripts.stack.settings import StackSettings
from tenancy.rules.data_stores import DATABASE_NAME, DataStores, ServerAddress, ServerUser
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.secrets import (
    AUTHORIZER_DATABASE,
    AUTHORIZER_PASSWORD,
    DATABASE,
    FUNCTIONS_PASSWORD,
    OWNER_DATABASE,
    OWNER_PASSWORD,
    PLATFORM_DATABASE,
    PLATFORM_PASSWORD,
    REDIS,
    REDIS_PASSWORD,
    Secrets,
)
from tests import aws_account
from tests.fast_servers import fast_folder, make_cheap
from tests.free_ports import free_port
from tests.given import REGION, ROOT
from tests.stores.private_authority import make_authority, tls_server

HOST = "127.0.0.1"
MASTER = ServerUser(username="tenancy_master", password="master-password")
USERS = {
    OWNER_PASSWORD: "tenancy_owner",
    FUNCTIONS_PASSWORD: "tenancy_functions",
    PLATFORM_PASSWORD: "tenancy_platform",
    AUTHORIZER_PASSWORD: "tenancy_authorizer",
    f"{FUNCTIONS_PASSWORD}-clone": "tenancy_functions_clone",
    f"{PLATFORM_PASSWORD}-clone": "tenancy_platform_clone",
    f"{AUTHORIZER_PASSWORD}-clone": "tenancy_authorizer_clone",
    REDIS_PASSWORD: "tenancy",
}
URLS = (DATABASE, PLATFORM_DATABASE, AUTHORIZER_DATABASE, OWNER_DATABASE, REDIS)
CLONES = ("tenancy_functions_clone", "tenancy_platform_clone", "tenancy_authorizer_clone")
ROLES = (*CLONES, "tenancy_functions", "tenancy_platform", "tenancy_authorizer", "tenancy_lookup", "tenancy_owner")
CREATE_MASTER = "CREATE ROLE {} LOGIN NOSUPERUSER CREATEROLE CREATEDB PASSWORD {}"
DESCRIBE_ROLES = """
    SELECT rolname, rolcanlogin, rolcreaterole, rolcreatedb, rolsuper, rolbypassrls, rolconfig FROM pg_roles
    WHERE rolname LIKE 'tenancy%' AND rolname <> 'tenancy_master' ORDER BY rolname
"""
DESCRIBE_MEMBERS = """
    SELECT roleid::regrole::text, member::regrole::text, bool_or(admin_option), bool_or(inherit_option),
           bool_or(set_option)
    FROM pg_auth_members WHERE member::regrole::text LIKE 'tenancy%' GROUP BY 1, 2 ORDER BY 1, 2
"""
DESCRIBE_DATABASES = "SELECT datname, datdba::regrole::text FROM pg_database WHERE datname = 'tenancy'"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCluster:
    """A running cluster. *port* takes TLS, with a certificate of *root_file*. *plain_port* takes none.

    The server writes *log_file*.
    """

    superuser_url: str
    port: int
    plain_port: int
    root_file: Path
    log_file: Path

    def stores(self, **changes: Any) -> DataStores:  # noqa: ANN401 - a member each
        address = ServerAddress(host=HOST, port=self.port)
        given = {"cluster": address, "proxy": address, "redis": address, "master_secret": "master"}
        return DataStores(**{**given, **changes})

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        with closing(psycopg.connect(self.superuser_url, dbname=database, autocommit=True)) as conn:
            done = conn.execute(statement.encode())
            return done.fetchall() if done.description else []

    def reset(self) -> None:
        """Drop all that a bootstrap makes."""
        self.execute(f"DROP DATABASE IF EXISTS {DATABASE_NAME} WITH (FORCE)")
        for role in ROLES:
            self.execute(f"DROP ROLE IF EXISTS {role}")

    def describe(self) -> list[list[tuple[Any, ...]]]:
        return [self.execute(statement) for statement in (DESCRIBE_ROLES, DESCRIBE_MEMBERS, DESCRIBE_DATABASES)]


@contextmanager
def running_cluster() -> Iterator[NewCluster]:
    directory = Path(tempfile.mkdtemp(prefix="tenancy-cluster-", dir=fast_folder()))
    settings, credentials = StackSettings(root=ROOT, directory=directory), Credentials.load(directory)
    plain_port = free_port()
    authority = make_authority(directory / "authority")
    superuser_url = postgres.superuser_url(settings, port=plain_port, credentials=credentials)
    try:
        processes.start(directory, postgres.prepare(settings, port=plain_port, credentials=credentials))
        make_cheap(superuser_url, credentials.superuser)
        with tls_server(authority, plain_port, is_postgres=True) as port:
            cluster = NewCluster(
                superuser_url=superuser_url,
                port=port,
                plain_port=plain_port,
                root_file=authority.root_file,
                log_file=processes.log_path(directory, postgres.NAME),
            )
            create = sql.SQL(CREATE_MASTER).format(sql.Identifier(MASTER.username), sql.Literal(MASTER.password))
            cluster.execute(create.as_string())
            yield cluster
    finally:
        processes.stop(directory, postgres.NAME)
        shutil.rmtree(directory)


@contextmanager
def trusted_roots(cluster: NewCluster) -> Iterator[None]:
    """Let libpq trust the root of *cluster*, as PGSSLROOTCERT does on Lambda."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "PGSSLROOTCERT", str(cluster.root_file))
        yield


def make_secrets(prefix: str) -> None:
    """Make the secrets of stacks/secrets.yaml: log-ins with a password, and URLs without a value."""
    for name, user in USERS.items():
        put_log_in(f"{prefix}/{name}", ServerUser(username=user, password=f"password-of-{user}"))
    for name in URLS:
        aws_account.make_secret_without_value(f"{prefix}/{name}")
    put_log_in("master", MASTER)


def put_log_in(name: str, log_in: ServerUser) -> None:
    text = f'{{"username": "{log_in.username}", "password": "{log_in.password}"}}'
    aws_account.put_secret(name, text)


def open_secrets(endpoint_url: str, prefix: str) -> Secrets:
    return Secrets(AwsClient("secretsmanager", REGION, endpoint_url), prefix)
