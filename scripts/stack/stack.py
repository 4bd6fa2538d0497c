"""The whole: which parts there are, in which order they start and stop, and the file that says where they are."""

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from scripts.stack import aws, clickhouse, deployment, postgres, processes, valkey
from scripts.stack.addresses import CONTAINER_HOST, Addresses
from scripts.stack.credentials import Credentials, write_private
from scripts.stack.errors import StackError
from scripts.stack.loopback import request
from scripts.stack.ports import choose_ports
from scripts.stack.processes import Launch
from scripts.stack.settings import StackSettings

STOP_ORDER = (aws.NAME, clickhouse.NAME, valkey.NAME, postgres.NAME)
SECRETS_PREFIX = "tenancy/local"
CONTAINER_SECRETS_PREFIX = "tenancy/sam-local"
MAIL_FROM = "no-reply@attribution.localhost"
FIRST_ANSWER_SECONDS = 60.0
ERASURE_QUIET_SECONDS = 5  # a request takes no second here
RECOUNT_AFTER_SECONDS = 5
REDIS_PATIENCE_MS = 2_000  # all of it shares the cores of one machine: a pause is no outage

type Say = Callable[[str], None]


def up(settings: StackSettings, say: Say) -> dict[str, str]:
    """Bring up what is not up, deploy what is not deployed, write ``stack.json`` and return what it says.

    Raises:
        StackError: a part does not start; what runs already keeps running.
    """
    settings.directory.mkdir(parents=True, exist_ok=True)
    with _alone(settings.directory):
        credentials = Credentials.load(settings.directory)
        running = {name for name in STOP_ORDER if processes.find_running(settings.directory, name)}
        ports = choose_ports(settings, in_use=running | ({"api"} if aws.NAME in running else set()))
        addresses = Addresses.at(settings.local_host, ports, credentials)
        with ThreadPoolExecutor() as pool:
            building = pool.submit(deployment.build, settings)
            start_all(settings, ports, credentials, say)
            building.result()
        from_containers = Addresses.at(CONTAINER_HOST, ports, credentials)
        aws.put_secrets(addresses.aws, addresses.secrets(SECRETS_PREFIX, credentials))
        aws.put_secrets(addresses.aws, from_containers.secrets(CONTAINER_SECRETS_PREFIX, credentials))
        aws.verify_sender(addresses.aws, MAIL_FROM)
        _deploy(settings, addresses, from_containers, say)
        platform_key = _platform_key(settings, addresses)
        aws.put_secrets(addresses.aws, {f"{CONTAINER_SECRETS_PREFIX}/platform-key": platform_key})
        described = addresses.described(platform_key)
        write_private(settings.directory / "stack.json", json.dumps(described, indent=2))
        _warm_up(f"{addresses.api}/health")
        return described


def down(settings: StackSettings, say: Say) -> None:
    """End what ``up`` started, and only that. Data stays."""
    if not settings.directory.exists():
        return
    with _alone(settings.directory):
        for name in STOP_ORDER:
            if processes.stop(settings.directory, name):
                say(f"{name} stopped")


def status(settings: StackSettings) -> dict[str, str | None]:
    """The pid of each part that runs, as text; None for those that do not."""
    found = {name: processes.find_running(settings.directory, name) for name in reversed(STOP_ORDER)}
    return {name: str(process.pid) if process else None for name, process in found.items()}


def start_all(settings: StackSettings, ports: Mapping[str, int], credentials: Credentials, say: Say) -> None:
    """Start the parts that do not serve, side by side, and make sure of the database and its roles."""
    launches = [
        postgres.prepare(settings, port=ports[postgres.NAME], credentials=credentials),
        valkey.prepare(settings, port=ports[valkey.NAME], password=credentials.valkey),
        clickhouse.prepare(settings, port=ports[clickhouse.NAME]),
        aws.prepare(settings, ports),
    ]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda launch: _start(settings, launch, say), launches))
    superuser = postgres.superuser_url(settings, port=ports[postgres.NAME], credentials=credentials)
    postgres.create_database(superuser, credentials)


def _start(settings: StackSettings, launch: Launch, say: Say) -> None:
    if not processes.serves(settings.directory, launch):
        say(f"starting {launch.name}")
        processes.start(settings.directory, launch)


def _deploy(settings: StackSettings, addresses: Addresses, from_containers: Addresses, say: Say) -> None:
    wanted = {
        "Architecture": deployment.machine_architecture(),
        "SecretsPrefix": SECRETS_PREFIX,
        "AwsEndpointUrl": addresses.aws,
        "MailFrom": MAIL_FROM,
        "RedisPatienceMilliseconds": str(REDIS_PATIENCE_MS),
        "DeletionGraceSeconds": str(settings.deletion_grace_seconds),
        "ErasureQuietSeconds": str(ERASURE_QUIET_SECONDS),
        "RecountAfterSeconds": str(RECOUNT_AFTER_SECONDS),
    }
    parameters = deployment.template_parameters(settings, wanted)
    if not deployment.is_current(settings, addresses.aws, parameters):
        say("deploying the template")
        deployment.deploy(settings, addresses.aws, parameters)
        _write_container_variables(settings, addresses, from_containers)


def _write_container_variables(settings: StackSettings, addresses: Addresses, from_containers: Addresses) -> None:
    """Write what ``sam local invoke --env-vars .local/env.json`` needs: what is deployed, as a container sees it."""
    variables = {
        name: {key: value.replace(addresses.aws, from_containers.aws) for key, value in values.items()}
        for name, values in deployment.function_variables(addresses.aws).items()
    }
    variables["Parameters"] = {"AWS_ENDPOINT_URL": from_containers.aws}
    for values in variables.values():
        values["SECRETS_PREFIX"] = CONTAINER_SECRETS_PREFIX
    (settings.directory / "env.json").write_text(json.dumps(variables, indent=2), encoding="utf-8")


def _platform_key(settings: StackSettings, addresses: Addresses) -> str:
    """The key that the migration left in a secret; the one known from before when AWS has lost it."""
    found = aws.find_secret(addresses.aws, f"{SECRETS_PREFIX}/platform-key")
    if found:
        return found
    try:
        return str(json.loads((settings.directory / "stack.json").read_text(encoding="utf-8"))["platform_key"])
    except (OSError, ValueError, KeyError):
        raise StackError.no_platform_key() from None


def _warm_up(url: str) -> None:
    """Take the first request on ourselves: it is a cold start, and a proof."""
    try:
        request(url, seconds=FIRST_ANSWER_SECONDS)
    except (OSError, HTTPException) as error:
        raise StackError.no_answer(url, str(error)) from error


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One command at a time in *directory*: a second one waits for the first."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
