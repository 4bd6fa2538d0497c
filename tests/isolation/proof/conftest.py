"""Three organizations of one deployment, their canaries, and a gateway in front of the real functions."""

from collections.abc import Callable, Iterator

import pytest
import redis

from tenancy.rules.api_keys import ApiKey
from tenancy.use_cases.outbox.effects import World
from tests.given import AwsAccount, Databases, Servers
from tests.handlers.conftest import mails, operator_key, put_secret, secrets, start
from tests.handlers.functions import Start, superuser
from tests.isolation.proof.attack.gateway import Gateway
from tests.isolation.proof.discovery.deployment import discover_consumers, is_queue, make_resources, variables_of
from tests.isolation.proof.discovery.tables import reviver, state_restorer
from tests.isolation.proof.leaks.output import Output
from tests.isolation.proof.leaks.queues import Mailroom
from tests.isolation.proof.proof_data import Neighbours, settle
from tests.isolation.proof.report import Report
from tests.isolation.proof.sqs import PostOffice, post_office

__all__ = ["mails", "operator_key", "put_secret", "secrets", "start"]  # fixtures that are shared with the handlers'


@pytest.fixture
def neighbours(databases: Databases, world: World, operator_key: ApiKey) -> Neighbours:
    return settle(databases, world, operator_key)


@pytest.fixture
def office(aws: AwsAccount) -> Iterator[PostOffice]:
    with post_office(aws.endpoint_url) as opened:
        yield opened


@pytest.fixture
def made(office: PostOffice) -> dict[str, str]:
    """Return the template's resources, and the endpoint under which functions find all of AWS."""
    return {**make_resources(office.url), "AwsEndpointUrl": office.url}


@pytest.fixture
def new_minute(servers: Servers) -> Iterator[Callable[[], None]]:
    """Forget how many requests there were: what is tried thousands of times is not to end at a limit."""
    with redis.Redis.from_url(servers.valkey_url) as client:

        def forget() -> None:
            for key in client.keys("*:rate:*"):
                client.delete(key)

        yield forget


@pytest.fixture
def new_gateway(
    start: Start,
    secrets: None,  # noqa: ARG001
    made: dict[str, str],
    new_minute: Callable[[], None],
    databases: Databases,
) -> Iterator[Callable[[], Gateway]]:
    with superuser(databases) as conn, redis.Redis.from_url(databases.servers.valkey_url) as client:
        restore, revive = state_restorer(conn), reviver(conn, client)
        yield lambda: Gateway(start, made, new_minute, restore, revive)


@pytest.fixture
def gateway(new_gateway: Callable[[], Gateway]) -> Gateway:
    return new_gateway()


@pytest.fixture
def mailroom(
    start: Start,
    secrets: None,  # noqa: ARG001
    office: PostOffice,
    made: dict[str, str],
    neighbours: Neighbours,
) -> Mailroom:
    return Mailroom(
        office=office,
        queues={name: url for name, url in made.items() if is_queue(name)},
        consumers={
            queue: start(function, **variables_of(function, made)) for queue, function in discover_consumers().items()
        },
        canaries=neighbours.canaries,
    )


@pytest.fixture
def output(gateway: Gateway, mailroom: Mailroom) -> Iterator[Output]:  # noqa: ARG001 - their loggers
    written = Output()
    with written.captured():
        yield written


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Iterator[Report]:
    """Collect what `--isolation-report` writes; without that option the proof tries a sample."""
    made = Report(directory=pytestconfig.getoption("isolation_report", None))
    yield made
    made.write()
