"""Fixtures of the proof: three organizations, and a gateway before the real functions."""

from collections.abc import Callable, Iterator

import pytest
import redis

from tenancy.rules.keys.api_keys import ApiKey
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.encryptor import Encryptor
from tenancy.use_cases.outbox.run_entries import OutboxTargets
from tests.given import REGION, AwsAccount, Databases
from tests.handlers.conftest import (
    authority,
    invocations_url,
    mails,
    names,
    operator_key,
    put_secret,
    reachable_provider,
    running_names,
    secrets,
    start,
)
from tests.handlers.functions import Start, superuser
from tests.handlers.single_sign_on.provider import Provider
from tests.isolation.proof.attack.gateway import LocalGateway
from tests.isolation.proof.attack.state import DeploymentState
from tests.isolation.proof.discovery.deployment import (
    create_resources,
    discover_queue_consumers,
    environment_of,
    is_queue,
)
from tests.isolation.proof.leaks.output import CapturedOutput
from tests.isolation.proof.leaks.queues import QueueInspector
from tests.isolation.proof.proof_data import ProofData, SsoSetting, create_proof_data
from tests.isolation.proof.report import ProofReport
from tests.isolation.proof.sqs import SqsServer, sqs_server

__all__ = [  # fixtures of the handlers' tests
    "authority",
    "invocations_url",
    "mails",
    "names",
    "operator_key",
    "put_secret",
    "reachable_provider",
    "running_names",
    "secrets",
    "start",
]


@pytest.fixture
def data(
    databases: Databases,
    targets: OutboxTargets,
    operator_key: ApiKey,
    reachable_provider: Provider,
    resources: dict[str, str],
    aws: AwsAccount,
) -> ProofData:
    encryptor = Encryptor(AwsClient("kms", REGION, aws.endpoint_url), resources["SsoKey"])
    sso = SsoSetting(issuer=reachable_provider.issuer, encryptor=encryptor)
    return create_proof_data(databases, targets, operator_key, sso)


@pytest.fixture
def sqs(invocations_url: str) -> Iterator[SqsServer]:
    with sqs_server(invocations_url) as server:
        yield server


@pytest.fixture
def resources(sqs: SqsServer) -> dict[str, str]:
    """Create the template's resources, which functions reach through the SQS server."""
    return {**create_resources(sqs.url), "AwsEndpointUrl": sqs.url}


@pytest.fixture
def new_gateway(
    start: Start,
    secrets: None,  # noqa: ARG001
    resources: dict[str, str],
    databases: Databases,
) -> Iterator[Callable[[], LocalGateway]]:
    with superuser(databases) as conn, redis.Redis.from_url(databases.servers.valkey_url) as client:
        state = DeploymentState(conn, client)
        yield lambda: LocalGateway(start, resources, state)


@pytest.fixture
def gateway(new_gateway: Callable[[], LocalGateway]) -> LocalGateway:
    return new_gateway()


@pytest.fixture
def queues(
    start: Start,
    secrets: None,  # noqa: ARG001
    sqs: SqsServer,
    resources: dict[str, str],
    data: ProofData,
) -> QueueInspector:
    consumers = discover_queue_consumers()
    return QueueInspector(
        sqs=sqs,
        queue_urls={name: url for name, url in resources.items() if is_queue(name)},
        consumers={queue: start(name, **environment_of(name, resources)) for queue, name in consumers.items()},
        canaries=data.canaries,
    )


@pytest.fixture
def output(gateway: LocalGateway, queues: QueueInspector) -> Iterator[CapturedOutput]:  # noqa: ARG001 - their loggers
    captured = CapturedOutput()
    with captured.capture():
        yield captured


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Iterator[ProofReport]:
    proof_report = ProofReport(directory=pytestconfig.getoption("isolation_report", None))
    yield proof_report
    proof_report.write()
