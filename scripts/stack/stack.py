"""The whole stack: its parts, their order, and the file with their addresses."""

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from scripts.progress import progress
from scripts.stack import aws, clickhouse, deployment, fetching, postgres, processes, valkey
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
FIRST_ANSWER_SECONDS = 180.0
ERASURE_QUIET_SECONDS = 5  # a request takes less than a second here
RECOUNT_AFTER_SECONDS = 5
REQUESTS_PER_SECOND = 5_000  # the emulator knows no throttle of a single method but this one, and tests send bursts
REDIS_PATIENCE_MS = 2_000  # all parts share the cores of one machine: a pause is no outage

type Say = Callable[[str], None]


def up(settings: StackSettings, say: Say) -> dict[str, str]:
    """Start the missing parts, deploy a changed template, and write and return ``stack.json``.

    Raises:
        StackError: a part does not start. Parts that run already keep running.
    """
    settings.directory.mkdir(parents=True, exist_ok=True)
    with _alone(settings.directory, say):
        credentials = Credentials.load(settings.directory)
        running = {name for name in STOP_ORDER if processes.find_running(settings.directory, name)}
        kept = running | ({"api"} if aws.NAME in running else set()) | fetching.PORTS
        ports = choose_ports(settings, in_use=kept)
        addresses = Addresses.at(settings.local_host, ports, credentials)
        with ThreadPoolExecutor() as pool:
            building = pool.submit(_build, settings, say)
            start_all(settings, ports, credentials, say)
            building.result()
        from_containers = Addresses.at(CONTAINER_HOST, ports, credentials)
        aws.put_secrets(addresses.aws, addresses.secrets(SECRETS_PREFIX, credentials))
        aws.put_secrets(addresses.aws, from_containers.secrets(CONTAINER_SECRETS_PREFIX, credentials))
        aws.verify_sender(addresses.aws, MAIL_FROM)
        _deploy(settings, addresses, from_containers, say)
        platform_key = _platform_key(settings, addresses)
        aws.put_secrets(addresses.aws, {f"{CONTAINER_SECRETS_PREFIX}/platform-key": platform_key})
        aws.copy_secrets(addresses.aws, SECRETS_PREFIX, CONTAINER_SECRETS_PREFIX)  # those that functions wrote
        servers_of_tests = fetching.allow_servers_of_tests(settings, addresses.aws, ports)
        described = addresses.described(platform_key) | servers_of_tests.described
        write_private(settings.directory / "stack.json", json.dumps(described, indent=2))
        _warm_up(f"{addresses.api}/health")
        return described


def down(settings: StackSettings, say: Say) -> None:
    """Stop the processes that ``up`` started, and no other. Data stays."""
    if not settings.directory.exists():
        return
    with _alone(settings.directory, say):
        for name in STOP_ORDER:
            with progress(say, f"stopping {name}"):
                stopped = processes.stop(settings.directory, name)
            if stopped:
                say(f"{name} stopped")


def status(settings: StackSettings) -> dict[str, str | None]:
    """Return the pid of each running part as text, and None for each other part."""
    found = {name: processes.find_running(settings.directory, name) for name in reversed(STOP_ORDER)}
    return {name: str(process.pid) if process else None for name, process in found.items()}


def start_all(settings: StackSettings, ports: Mapping[str, int], credentials: Credentials, say: Say) -> None:
    """Start the parts that do not serve, and create the missing database and roles."""
    _start_parts(settings, [*_stores(settings, ports, credentials), aws.prepare(settings, ports)], say)
    _create_database(settings, ports, credentials)


def start_stores(settings: StackSettings, ports: Mapping[str, int], credentials: Credentials, say: Say) -> None:
    """Start the databases and Redis alone, without AWS and the API, and create the missing database and roles."""
    settings.directory.mkdir(parents=True, exist_ok=True)
    _start_parts(settings, _stores(settings, ports, credentials), say)
    _create_database(settings, ports, credentials)


def _stores(settings: StackSettings, ports: Mapping[str, int], credentials: Credentials) -> list[Launch]:
    return [
        postgres.prepare(settings, port=ports[postgres.NAME], credentials=credentials),
        valkey.prepare(settings, port=ports[valkey.NAME], password=credentials.valkey),
        clickhouse.prepare(settings, port=ports[clickhouse.NAME]),
    ]


def _start_parts(settings: StackSettings, launches: Sequence[Launch], say: Say) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda launch: _start(settings, launch, say), launches))


def _create_database(settings: StackSettings, ports: Mapping[str, int], credentials: Credentials) -> None:
    superuser = postgres.superuser_url(settings, port=ports[postgres.NAME], credentials=credentials)
    postgres.create_database(superuser, credentials)


def _build(settings: StackSettings, say: Say) -> None:
    with progress(say, "building the bundle"):
        deployment.build(settings)


def _start(settings: StackSettings, launch: Launch, say: Say) -> None:
    if not processes.serves(settings.directory, launch):
        say(f"starting {launch.name}")
        with progress(say, f"starting {launch.name}"):
            processes.start(settings.directory, launch)


def _deploy(settings: StackSettings, addresses: Addresses, from_containers: Addresses, say: Say) -> None:
    wanted = {
        "Stage": "local",
        "Architecture": deployment.machine_architecture(),
        "SecretsPrefix": SECRETS_PREFIX,
        "AwsEndpointUrl": addresses.aws,
        "ApiHost": urlsplit(addresses.api).netloc,
        "MailFrom": MAIL_FROM,
        "RedisPatienceMilliseconds": str(REDIS_PATIENCE_MS),
        "DeletionGraceSeconds": str(settings.deletion_grace_seconds),
        "ErasureQuietSeconds": str(ERASURE_QUIET_SECONDS),
        "RecountAfterSeconds": str(RECOUNT_AFTER_SECONDS),
        "RequestsPerSecond": str(REQUESTS_PER_SECOND),
    }
    parameters = deployment.template_parameters(settings, wanted)
    if not deployment.is_current(settings, addresses.aws, parameters):
        say("deploying the template")
        with progress(say, "deploying the template"):
            deployment.deploy(settings, addresses.aws, parameters)
        _write_container_variables(settings, addresses, from_containers)


def _write_container_variables(settings: StackSettings, addresses: Addresses, from_containers: Addresses) -> None:
    """Write ``env.json``, the functions' variables with addresses for ``sam local``."""
    variables = {
        name: {key: value.replace(addresses.aws, from_containers.aws) for key, value in values.items()}
        for name, values in deployment.function_variables(addresses.aws).items()
    }
    variables["Parameters"] = {"AWS_ENDPOINT_URL": from_containers.aws}
    for values in variables.values():
        values["SECRETS_PREFIX"] = CONTAINER_SECRETS_PREFIX
    (settings.directory / "env.json").write_text(json.dumps(variables, indent=2), encoding="utf-8")


def _platform_key(settings: StackSettings, addresses: Addresses) -> str:
    """Return the key that the migration left in a secret, or the known one if AWS has lost it."""
    found = aws.find_secret(addresses.aws, f"{SECRETS_PREFIX}/platform-key")
    if found:
        return found
    try:
        return str(json.loads((settings.directory / "stack.json").read_text(encoding="utf-8"))["platform_key"])
    except (OSError, ValueError, KeyError):
        raise StackError.no_platform_key() from None


def _warm_up(url: str) -> None:
    """Send the first request, which is a cold start and shows that the API answers."""
    try:
        request(url, seconds=FIRST_ANSWER_SECONDS)
    except (OSError, HTTPException) as error:
        raise StackError.no_answer(url, str(error)) from error


@contextmanager
def _alone(directory: Path, say: Say) -> Iterator[None]:
    """Let one command at a time work in *directory*: a second one waits for the first."""
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another command that works in {directory}")
            with progress(say, "waiting"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield
