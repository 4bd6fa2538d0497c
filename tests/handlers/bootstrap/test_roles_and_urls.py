"""Bootstrap creates roles and URLs. A second run changes nothing. A failure has one clear message."""

import json
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

from scripts.template import read_template
from tenancy.rules.data_stores import ServerUser
from tenancy.stores.aws.secrets import (
    AUTHORIZER_DATABASE,
    AUTHORIZER_PASSWORD,
    DATABASE,
    FUNCTIONS_PASSWORD,
    OWNER_DATABASE,
    OWNER_PASSWORD,
    PLATFORM_DATABASE,
    REDIS,
)
from tenancy.stores.postgres.client import Database
from tests.aws_account import make_secret_without_value, put_secret
from tests.free_ports import free_port
from tests.given import REGION, ROOT, AwsAccount
from tests.handlers.bootstrap.conftest import Reports, Run
from tests.handlers.cloudformation import stack_request
from tests.handlers.functions import PREFIX, Function
from tests.handlers.requests import sample
from tests.new_cluster import (
    HOST,
    MASTER,
    URLS,
    USERS,
    NewCluster,
    make_secrets,
    put_log_in,
    running_cluster,
    trusted_roots,
)
from tests.stores.private_authority import make_authority

SAMPLE = sample("bootstrap", "roles")
ROLE_OF_URL = {
    DATABASE: "tenancy_functions",
    PLATFORM_DATABASE: "tenancy_platform",
    AUTHORIZER_DATABASE: "tenancy_authorizer",
    OWNER_DATABASE: "tenancy_owner",
}


@pytest.fixture(scope="module")
def made_cluster() -> Iterator[NewCluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(made_cluster: NewCluster, aws: AwsAccount) -> Iterator[NewCluster]:  # noqa: ARG001 - its account
    make_secrets(PREFIX)
    with trusted_roots(made_cluster):
        yield made_cluster
    made_cluster.reset()


@pytest.fixture
def run(bootstrap: Function, reports: Reports, cluster: NewCluster) -> Run:
    """Send CloudFormation's request, and return the report. Keywords replace properties."""

    def send(request_type: str = "Create", **changes: str) -> dict[str, Any]:
        url, received = reports
        address = f"{HOST}:{cluster.port}"
        properties = {"Cluster": address, "Proxy": address, "Redis": "cache.example:6379", "MasterSecret": "master"}
        request = stack_request(request_type, url) | {"ResourceType": SAMPLE["ResourceType"]}
        bootstrap(request | {"ResourceProperties": {**properties, **changes}})
        return received[-1]

    return send


def read_urls() -> dict[str, tuple[str, str]]:
    """Return text and version of each URL."""
    client = boto3.client("secretsmanager", region_name=REGION)
    answers = {name: client.get_secret_value(SecretId=f"{PREFIX}/{name}") for name in URLS}
    return {name: (answer["SecretString"], answer["VersionId"]) for name, answer in answers.items()}


def test_sample_event_has_the_properties_of_the_template() -> None:
    assert set(SAMPLE["ResourceProperties"]) - {"ServiceToken", "ServiceTimeout"} == {
        "Cluster",
        "Proxy",
        "Redis",
        "MasterSecret",
    }


def test_each_url_logs_in_as_its_role(run: Run) -> None:
    report = run()

    assert report["Status"] == "SUCCESS", report["Reason"]
    for name, role in ROLE_OF_URL.items():
        url, _ = read_urls()[name]
        with closing(psycopg.connect(url)) as conn:
            assert conn.execute("SELECT current_user, current_database()").fetchone() == (role, "tenancy")
    assert read_urls()[REDIS][0] == "rediss://tenancy:password-of-tenancy@cache.example:6379"


def test_urls_are_of_the_proxy_except_that_of_the_owner(run: Run, cluster: NewCluster) -> None:
    run(Proxy="proxy.example:5432")

    hosts = {name: read_urls()[name][0].partition("@")[2].partition("/")[0] for name in ROLE_OF_URL}
    assert hosts.pop(OWNER_DATABASE) == f"{HOST}:{cluster.port}"
    assert set(hosts.values()) == {"proxy.example:5432"}


def test_roles_are_bound_by_policies(run: Run) -> None:
    run()

    for url, _ in (read_urls()[name] for name in (DATABASE, PLATFORM_DATABASE, AUTHORIZER_DATABASE)):
        with closing(Database(partial(str, url))) as database, database.transaction() as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_owner_runs_the_migrations_of_roles(run: Run) -> None:
    """The owner may give objects to the look-up role, and does not inherit its rights."""
    run()

    with closing(psycopg.connect(read_urls()[OWNER_DATABASE][0], autocommit=True)) as conn:
        conn.execute("CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1")
        conn.execute("GRANT CREATE ON SCHEMA public TO tenancy_lookup")
        conn.execute("ALTER FUNCTION one() OWNER TO tenancy_lookup")


def test_second_run_changes_nothing(run: Run, cluster: NewCluster) -> None:
    run()
    roles, urls = cluster.describe(), read_urls()

    report = run("Update")

    assert report["Status"] == "SUCCESS"
    assert (cluster.describe(), read_urls()) == (roles, urls)


def test_server_gets_no_text_of_a_password(run: Run, cluster: NewCluster) -> None:
    run()

    verifiers = cluster.execute("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'tenancy\\_%' AND rolcanlogin")

    assert all(verifier.startswith("SCRAM-SHA-256$") for (verifier,) in verifiers)


def test_deletion_of_the_resource_changes_nothing(run: Run, cluster: NewCluster) -> None:
    run()
    roles, urls = cluster.describe(), read_urls()

    report = run("Delete")

    assert report["Status"] == "SUCCESS"
    assert (cluster.describe(), read_urls()) == (roles, urls)


def test_changed_password_is_set_and_its_url_written(run: Run) -> None:
    run()
    put_log_in(f"{PREFIX}/{FUNCTIONS_PASSWORD}", ServerUser(username="tenancy_functions", password="another"))

    run("Update")

    psycopg.connect(read_urls()[DATABASE][0]).close()
    assert ":another@" in read_urls()[DATABASE][0]


def test_run_by_hand_gives_roles_of_a_backup_their_passwords(
    run: Run, bootstrap: Function, cluster: NewCluster
) -> None:
    """docs/disaster-recovery.md has this request."""
    run()
    cluster.execute("ALTER ROLE tenancy_functions PASSWORD 'password-of-the-backup'")
    address = f"{HOST}:{cluster.port}"
    properties = {"Cluster": address, "Proxy": address, "Redis": "cache.example:6379", "MasterSecret": "master"}

    answer = bootstrap({"ResourceProperties": properties})

    assert answer == {"Secrets": len(URLS)} == {"Secrets": 5}
    psycopg.connect(read_urls()[DATABASE][0]).close()


@pytest.mark.parametrize("name", [FUNCTIONS_PASSWORD, AUTHORIZER_PASSWORD])
def test_second_user_has_the_rights_of_its_role_only(run: Run, cluster: NewCluster, name: str) -> None:
    run()

    role = USERS[name]
    rights = f"SELECT pg_has_role('{role}_clone', '{role}', 'USAGE'), pg_has_role('{role}_clone', '{role}', 'SET')"
    assert cluster.execute(rights) == [(True, False)]
    settings = cluster.execute(f"SELECT rolconfig FROM pg_roles WHERE rolname LIKE '{role}%' ORDER BY rolname")
    assert settings == [(["statement_timeout=10s"],)] * 2


def test_user_of_a_rotation_stays_in_the_url(run: Run) -> None:
    run()
    rotated = read_urls()[DATABASE][0].replace("tenancy_functions:", "tenancy_functions_clone:")
    put_secret(f"{PREFIX}/{DATABASE}", rotated)

    report = run("Update")

    assert report["Status"] == "SUCCESS", report["Reason"]
    assert "//tenancy_functions_clone:password-of-tenancy_functions_clone@" in read_urls()[DATABASE][0]
    psycopg.connect(read_urls()[DATABASE][0]).close()


def assert_refused(report: dict[str, Any], *parts: str) -> None:
    assert report["Status"] == "FAILED"
    assert [part for part in (*parts, "eploy again") if part not in report["Reason"]] == [], report["Reason"]
    assert "password-of-" not in json.dumps(report)
    assert MASTER.password not in json.dumps(report)


def test_wrong_password_of_the_master_is_named(run: Run) -> None:
    put_log_in("master", ServerUser(username=MASTER.username, password="wrong-password"))

    report = run()

    assert_refused(report, "LogInRefusedError", "refuses the password of the role tenancy_master", "the secret master")
    assert "wrong-password" not in report["Reason"]


def test_unreachable_server_is_named(run: Run) -> None:
    address = f"{HOST}:{free_port()}"

    report = run(Cluster=address)

    assert_refused(report, "ServerUnreachableError", f"PostgreSQL at {address} does not answer", "security group")


def test_certificate_of_another_root_is_named(
    run: Run, cluster: NewCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", str(make_authority(tmp_path / "other").root_file))

    report = run()

    assert_refused(report, "SessionRefusedError", f"{HOST}:{cluster.port}", "Its certificate must be valid")


def test_server_without_tls_is_refused(run: Run, cluster: NewCluster) -> None:
    report = run(Cluster=f"{HOST}:{cluster.plain_port}")

    assert_refused(report, "SessionRefusedError", "opens no session with TLS")


@pytest.mark.parametrize("name", [FUNCTIONS_PASSWORD, f"{FUNCTIONS_PASSWORD}-clone"])
def test_secret_of_another_user_is_named(run: Run, name: str) -> None:
    put_log_in(f"{PREFIX}/{name}", ServerUser(username="tenancy_unmade", password="any"))

    report = run()

    assert_refused(report, "UnusableSecretError", f"The secret {name} names the user tenancy_unmade, and not")


def test_role_of_another_user_is_named(run: Run, cluster: NewCluster) -> None:
    cluster.execute("CREATE ROLE tenancy_platform LOGIN")

    report = run()

    assert_refused(report, "RoleInUseError", "The role tenancy_platform exists", "WITH ADMIN OPTION")


@pytest.mark.parametrize("text", ["no JSON", '{"username": "tenancy_owner"}', "[]", '{"username": 1, "password": 2}'])
def test_secret_of_another_form_is_named(run: Run, text: str) -> None:
    boto3.client("secretsmanager", region_name=REGION).put_secret_value(
        SecretId=f"{PREFIX}/{OWNER_PASSWORD}", SecretString=text
    )

    report = run()

    assert_refused(report, "UnusableSecretError", OWNER_PASSWORD, "JSON with username and password")


def test_secret_without_value_is_named(run: Run) -> None:
    make_secret_without_value(f"{PREFIX}/{OWNER_PASSWORD}")

    assert_refused(run(), "UnusableSecretError", OWNER_PASSWORD, "is missing")


def test_missing_secret_of_the_master_is_named(run: Run) -> None:
    assert_refused(run(MasterSecret="no-such-secret"), "UnusableSecretError", "no-such-secret")


@pytest.mark.parametrize("value", ["", "host", "host:", ":5432", "host:port", "host:٣"])
def test_malformed_address_is_named(run: Run, value: str) -> None:
    report = run(Proxy=value)

    assert report["Status"] == "FAILED"
    assert "Proxy" in report["Reason"]


def test_failed_run_writes_no_url(run: Run) -> None:
    run(Cluster=f"{HOST}:{free_port()}")

    client = boto3.client("secretsmanager", region_name=REGION)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_secret_value(SecretId=f"{PREFIX}/{DATABASE}")


def test_log_of_the_cluster_has_no_values_of_rows(cluster: NewCluster) -> None:
    parameters = read_template(ROOT / "stacks/postgres.yaml")["Resources"]["Parameters"]["Properties"]["Parameters"]
    settings = {name: str(value) for name, value in parameters.items() if name.startswith("log_")}

    with closing(psycopg.connect(cluster.superuser_url, autocommit=True)) as conn:
        for name, value in settings.items():
            conn.execute("SELECT set_config(%s, %s, false)", (name, value))
        conn.execute("CREATE TEMPORARY TABLE people (email text UNIQUE)")
        conn.execute("INSERT INTO people VALUES ('anna@acme.example')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("INSERT INTO people VALUES ('anna@acme.example')")

    log = cluster.log_file.read_text()
    assert "people_email_key" in log
    assert "anna@" not in log


def test_refusal_of_postgres_is_named_by_its_sqlstate(run: Run, cluster: NewCluster) -> None:
    cluster.execute(f"ALTER ROLE {MASTER.username} NOCREATEDB")

    report = run()

    cluster.execute(f"ALTER ROLE {MASTER.username} CREATEDB")
    assert "PostgreSQL answered SQLSTATE 42501." in report["Reason"]
    assert "permission denied" not in report["Reason"]
