"""Fixtures of real servers: PostgreSQL, ClickHouse, Valkey, and AWS by moto over HTTP.

The servers start once per worker of a run. Each test gets new databases, cloned from a migrated template.
"""

import gc
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from moto.server import ThreadedMotoServer
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from scripts.node_packages import NODE
from scripts.stack import clickhouse, postgres, processes, valkey
from scripts.stack.credentials import Credentials
from scripts.stack.settings import StackSettings
from tenancy.rules.tiers import Tier
from tenancy.stores.aws.boto import DEAD_LETTERS_CONFIG
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.stores.aws.event_bus import EventBus
from tenancy.stores.aws.event_queue import EventQueue
from tenancy.stores.aws.executions import Executions
from tenancy.stores.aws.export_links import ExportLinks
from tenancy.stores.aws.gateway_keys import GatewayKeys
from tenancy.stores.aws.mail import Mailer
from tenancy.stores.aws.register import Register
from tenancy.stores.clickhouse.client import Client, connect
from tenancy.stores.postgres.client import Database
from tenancy.stores.redis.client import Redis
from tenancy.use_cases.organizations.provision import Provisioned
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tenancy.use_cases.schema.migrate import migrate
from tests import repeated_work
from tests.aws_account import make_account
from tests.database_pool import DatabasePool
from tests.fast_servers import fast_folder, make_cheap
from tests.free_ports import free_port
from tests.given import (
    API_URL,
    EXPORTS_BUCKET,
    MIGRATIONS,
    PATIENCE_SECONDS,
    PLANS_PATH,
    REGION,
    ROOT,
    SENDER,
    STACK_NAME,
    AwsAccount,
    Databases,
    Servers,
    provision,
)
from tests.least_privilege import LeastPrivilege
from tests.moto_in_process import answered_in_process
from tests.registers import new_register
from tests.shared_packages import installed_programs
from tests.streaming_replica import StreamingReplica, streaming_replica

# A slow machine must not look like an unreachable S3.
PATIENT_CONFIG = replace(DEAD_LETTERS_CONFIG, read_timeout=120)
# Tests that share the packages of Node, the organizations of the proof, the databases of moves, or the transformed
# template, by the start of their names. Two groups of about the same length use the deployed stack at the same time
# (tests/stack_turns.py).
SHARING = {
    "tests/e2e/test_console": "pages",
    "tests/e2e/test_single_sign_on.py": "pages",
    "tests/docs/test_api_examples.py": "pages",
    "tests/docs/test_tenantctl.py": "pages",
    "tests/docs/test_tutorial.py": "pages",
    "tests/e2e/": "stack",
    "tests/handlers/test_browser.py": "node",
    "tests/handlers/test_key_set.py": "node",
    "tests/handlers/test_openmeter.py": "node",
    "tests/handlers/single_sign_on/test_real_provider.py": "node",
    "tests/handlers/test_sdks.py": "node",
    "tests/isolation/proof/": "proof",
    "tests/moves/": "moves",
    "tests/stores/test_admission_script.py": "node",
    "tests/template/test_domain.py": "transform",
    "tests/template/test_invocations.py": "transform",
    "tests/template/test_throttles.py": "transform",
    "tests/template/test_tls.py": "transform",
}

# Modules that wait for long. If they were the last, one worker would run while the others have nothing to do.
FIRST = ("tests/use_cases/test_upgrade.py",)

# The URL of a real ClickHouse on 127.0.0.1, if `make test-clickhouse` has started one.
REAL_CLICKHOUSE = "TEST_CLICKHOUSE_URL"

# Python's own threshold suits small programs: a test makes more objects than that with every request.
gc.set_threshold(50_000, 20, 50)


class ModuleScheduling(LoadScopeScheduling):  # type: ignore[misc] # untyped
    """Gives the tests of one module, or those that share something, to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        shared = (scope for start, scope in SHARING.items() if nodeid.startswith(start))
        return next(shared, nodeid.partition("::")[0])


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LeastPrivilege(config))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


def pytest_collection_finish() -> None:
    """Leave the modules and tests that are loaded now out of all later collections of garbage."""
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ModuleScheduling:
    return ModuleScheduling(config, log)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    # Not the folder of pytest: if we are root, another run takes it away from the user that PostgreSQL runs as.
    directory = Path(tempfile.mkdtemp(prefix="tenancy-tests-", dir=fast_folder()))
    settings = StackSettings(root=ROOT, directory=directory)
    credentials = Credentials.load(directory)
    real = urlsplit(os.environ.get(REAL_CLICKHOUSE, ""))
    started = Servers(
        credentials=credentials,
        postgres_port=(postgres_port := free_port()),
        superuser_url=postgres.superuser_url(settings, port=postgres_port, credentials=credentials),
        clickhouse_port=real.port or free_port(),
        clickhouse_folder=None if real.port else directory / clickhouse.NAME,
        clickhouse_login=f"{real.username}:{real.password}@" if real.port else "",
        valkey_port=(valkey_port := free_port()),
    )
    try:
        processes.start(directory, postgres.prepare(settings, port=postgres_port, credentials=credentials))
        if started.clickhouse_folder:
            processes.start(directory, clickhouse.prepare(settings, port=started.clickhouse_port))
        start_valkey(settings, started, port=valkey_port)
        make_cheap(started.superuser_url, credentials.superuser)
        postgres.create_database(started.superuser_url, credentials)
        owner = Database(lambda: started.postgres_url(postgres.OWNER, postgres.DATABASE), as_owner=True)
        migrate(owner, connect(started.clickhouse_url("default")), MIGRATIONS)
        owner.close()
        yield started
    finally:
        for name in (clickhouse.NAME, postgres.NAME, valkey.NAME):
            processes.stop(directory, name)
        shutil.rmtree(directory)


def start_valkey(settings: StackSettings, servers: Servers, *, port: int) -> None:
    """Start Valkey in cluster mode, like ElastiCache Serverless.

    In this mode a script with keys in several slots is refused.
    """
    launch = valkey.prepare(settings, port=port, password=servers.credentials.valkey)
    with (settings.directory / valkey.NAME / "valkey.conf").open("a") as configuration:
        configuration.write(f"cluster-enabled yes\ncluster-port {free_port()}\n")
    processes.start(settings.directory, launch)
    with redis.Redis.from_url(servers.valkey_url) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        while "cluster_state:ok" not in str(client.execute_command("CLUSTER", "INFO")):
            time.sleep(0.02)


@pytest.fixture(scope="session")
def running_replica(servers: Servers) -> Iterator[StreamingReplica]:
    with streaming_replica(servers, fast_folder()) as replica:
        yield replica


@pytest.fixture
def replica(running_replica: StreamingReplica, databases: Databases) -> StreamingReplica:  # noqa: ARG001 - made before
    """A streaming replica that has the test's databases."""
    running_replica.catch_up()
    return running_replica


@pytest.fixture(scope="session")
def valkey_client(servers: Servers) -> Iterator[redis.Redis]:
    """A connection that stays open from one test to the next, because a new one takes longer than a test."""
    with redis.Redis.from_url(servers.valkey_url) as client:
        yield client


@pytest.fixture
def counters(servers: Servers, valkey_client: redis.Redis) -> Iterator[Redis]:
    """Return a client of an empty Redis."""
    valkey_client.flushall()
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


@pytest.fixture(scope="session")
def database_pool(servers: Servers, clickhouse_admin: Client, database_names: Iterator[str]) -> Iterator[DatabasePool]:
    pool = DatabasePool(servers, clickhouse_admin, database_names)
    yield pool
    pool.close()


@pytest.fixture
def databases(database_pool: DatabasePool) -> Iterator[Databases]:
    taken = database_pool.take()
    yield taken
    database_pool.give_back(taken)


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with repeated_work.saved():
        server.start()
        host, port = server.get_host_and_port()
        with answered_in_process(url := f"http://{host}:{port}"):
            yield url
        server.stop()


@pytest.fixture
def aws(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> AwsAccount:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(DeadLetterObjects, "config", PATIENT_CONFIG)
    return make_account(moto_url)


@pytest.fixture
def register(aws: AwsAccount) -> Register:  # noqa: ARG001 - its account
    return new_register()


@pytest.fixture
def targets(aws: AwsAccount, counters: Redis, register: Register, moto_url: str) -> OutboxTargets:
    return OutboxTargets(
        redis=counters,
        register=register,
        gateway_keys=GatewayKeys(REGION, PLANS_PATH),
        mailer=Mailer(REGION, SENDER),
        event_bus=EventBus(AwsClient("events", REGION, moto_url), STACK_NAME),
        executions=Executions(AwsClient("states", REGION, moto_url), aws.state_machine_arn),
        export_links=ExportLinks(REGION, EXPORTS_BUCKET, moto_url),
        api_url=API_URL,
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
    """Return an address without a listener."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def acme(databases: Databases, targets: OutboxTargets) -> Provisioned:
    return provision(databases, targets, "acme", Tier.STARTER)


@pytest.fixture
def globex(databases: Databases, targets: OutboxTargets) -> Provisioned:
    return provision(databases, targets, "globex", Tier.GROWTH)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Return Node (from PyPI) and a folder with the packages of package-lock.json."""
    own = tmp_path_factory.getbasetemp()
    of_the_run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with installed_programs(of_the_run) as folder:
        yield str(NODE), folder
